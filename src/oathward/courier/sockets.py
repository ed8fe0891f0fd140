"""What is asked of a recipient's socket: that it holds little, and that what it holds can be thrown away.

Rules:
- The kernel's own buffer is bounded: what a slow recipient has not read waits with us, where it can be withdrawn.
- A connection ends by a reset, whoever ends it, also when its process is killed: what the kernel has not sent yet is discarded
  with it. It ends politely only where it is let go: nothing is outstanding.

Source: RFC 9293 §3.10.5 (ABORT); socket(7), SO_LINGER and SO_SNDBUF.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

SEND_BUFFER_BYTES = 131_072
_AT_ONCE, _POLITELY = struct.pack("ii", 1, 0), struct.pack("ii", 0, 0)


def prepare(transport: asyncio.BaseTransport, send_buffer_bytes: int) -> None:
    """Set up a new connection to a recipient."""
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)


def let_go(transport: asyncio.BaseTransport) -> None:
    """Let a connection end politely: nothing is outstanding on it."""
    raw = transport.get_extra_info("socket")
    if raw is not None:
        with contextlib.suppress(OSError):  # it is closed already
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _POLITELY)
