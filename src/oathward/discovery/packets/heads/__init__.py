"""Heads, one file each with ``HEAD``: a protocol known by its first bytes, on any port, and what it says of who speaks it."""
