"""Inbound sockets, one protocol a file. They frame, limit and answer; they decide nothing."""
