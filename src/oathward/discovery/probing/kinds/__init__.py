"""Kinds of probes, one a file with ``PROBE``."""
