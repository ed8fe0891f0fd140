"""The JSON API: calls in one file a subject, each with the constant ``API``, a tuple of routes."""
