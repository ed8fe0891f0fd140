"""Observers, one file each with ``OBSERVER``: a format of captures, logs, flow records or lists, read as statements and flows."""
