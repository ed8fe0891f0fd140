"""What the first page shows whom: one card a file, with the constant ``CARD``."""
