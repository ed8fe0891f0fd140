"""Oathward: knows every device, lets through only what may pass, proves what happened."""

__version__ = "0.1.0"
