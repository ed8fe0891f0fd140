"""The inventory: which devices there are, how each proves itself, what it may say."""
