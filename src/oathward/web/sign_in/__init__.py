"""A browser on its way to a session, before anybody is signed in."""
