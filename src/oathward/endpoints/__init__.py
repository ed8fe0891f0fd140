"""The living inventory: every endpoint that was seen or declared, what tells it from others, and who says what of it."""
