"""Listening for browsers: uvicorn under limits."""
