"""What is asked of a recipient's socket: that it holds little, and that what it holds can be thrown away.

Rules:
- The kernel's own buffer is bounded: what a slow recipient has not read waits with us, where it can be withdrawn.
- Breaking off is a reset, never a polite end: what the kernel has not sent yet is discarded with the connection.

Source: RFC 9293 §3.10.5 (ABORT); socket(7), SO_LINGER and SO_SNDBUF.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

SEND_BUFFER_BYTES = 131_072
_AT_ONCE = struct.pack("ii", 1, 0)


def prepare(transport: asyncio.BaseTransport, send_buffer_bytes: int) -> None:
    """Set up a new connection to a recipient."""
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)


def reset(transport: asyncio.Transport) -> None:
    """End a connection; no byte that has not left yet leaves any more."""
    raw = transport.get_extra_info("socket")
    if raw is not None:
        with contextlib.suppress(OSError):  # it is closed already
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    transport.abort()
