"""Signing in: accounts, factors, the hospital's provider, services, and the sessions that come of it."""
