"""Uploads that bypass Oathward: what a device or a phone sends straight to somebody, as far as anybody saw it."""
