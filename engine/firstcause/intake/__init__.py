"""Reads senders' bytes into events: pure functions, one module a format."""
