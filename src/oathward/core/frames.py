"""What a parent and a worker of its say to each other over a pair of sockets: a head of JSON, and open files or bytes beside it.

Deliberately absent: anything that runs code when it is read.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from typing import Any

import orjson

HEAD_BYTES_MAX = 64 << 20
SHORT_BYTES_MAX = 64 << 10
"""Of a head that only says that somebody is ready, or what a source is."""
PARTS_MAX = 2_000_000
"""Commas and brackets of a head that is not to be believed, those of texts as well: each may be an object of 64 bytes in the memory of who reads it."""
_SIZE_BYTES = 4


def send(
    to: socket.socket, head: dict[str, Any], files: Sequence[int] = (), *, bytes_max: int = HEAD_BYTES_MAX
) -> None:
    """Send one frame.

    Raises:
        OSError: the other end is gone. OverflowError: its head has more than ``bytes_max``.
    """
    text = orjson.dumps(head)
    if len(text) > bytes_max:
        raise OverflowError("a frame is too long")
    data = len(text).to_bytes(_SIZE_BYTES, "big") + text
    sent = socket.send_fds(to, [data], list(files)) if files else 0
    if sent < len(data):  # nothing more is not sent: who got all of it may be gone by now
        to.sendall(data[sent:])


def receive(
    source: socket.socket,
    files_max: int = 0,
    *,
    time_s: float | None = None,
    bytes_max: int = HEAD_BYTES_MAX,
) -> tuple[dict[str, Any], list[int]] | None:
    """Receive one frame; None where the other end is gone, or what it says is no frame. As ``receive_sized``."""
    got = receive_sized(source, files_max, time_s=time_s, bytes_max=bytes_max)
    return None if got is None else got[:2]


def receive_sized(
    source: socket.socket, files_max: int = 0, *, time_s: float | None = None, bytes_max: int = HEAD_BYTES_MAX
) -> tuple[dict[str, Any], list[int], int] | None:
    """Receive one frame, and say how many bytes its head has; None where the other end is gone, or what it says is no frame.

    Args:
        time_s: most for the whole frame; one that drips takes no longer. bytes_max: of its head, which has at most ``PARTS_MAX``.

    Raises:
        OSError: too slow (``TimeoutError``), or the other end is gone.
    """
    until = None if time_s is None else time.monotonic() + time_s

    def more(size: int) -> bytes:
        if until is not None:
            source.settimeout(max(until - time.monotonic(), 1e-3))
        return source.recv(size)

    data, files, _, _ = (
        socket.recv_fds(source, _SIZE_BYTES, files_max) if files_max else (more(_SIZE_BYTES), [], 0, None)
    )
    while data and len(data) < _SIZE_BYTES:
        part = more(_SIZE_BYTES - len(data))
        if not part:
            return None
        data += part
    size = int.from_bytes(data, "big")
    if not data or size > bytes_max:
        return None
    text = bytearray()
    while len(text) < size:
        part = more(min(size - len(text), 1 << 20))
        if not part:
            return None
        text += part
    if any(text.count(one) > PARTS_MAX for one in (b",", b"[", b"{")):
        return None
    try:
        head = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return (head, files, size) if isinstance(head, dict) else None
