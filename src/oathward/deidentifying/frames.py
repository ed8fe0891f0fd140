"""What parent and worker say to each other over a pair of sockets: a head of JSON, and open files beside it.

Deliberately absent: anything that runs code when it is read.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

import orjson

HEAD_BYTES_MAX = 64 << 20
_SIZE_BYTES = 4


def send(to: socket.socket, head: dict[str, Any], files: Sequence[int] = ()) -> None:
    """Send one frame.

    Raises:
        OSError: the other end is gone.
    """
    text = orjson.dumps(head)
    data = len(text).to_bytes(_SIZE_BYTES, "big") + text
    sent = socket.send_fds(to, [data], list(files)) if files else 0
    to.sendall(data[sent:])


def receive(source: socket.socket, files_max: int = 0) -> tuple[dict[str, Any], list[int]] | None:
    """Receive one frame; None where the other end is gone, or what it says is no frame."""
    data, files, _, _ = (
        socket.recv_fds(source, _SIZE_BYTES, files_max)
        if files_max
        else (source.recv(_SIZE_BYTES), [], 0, None)
    )
    while data and len(data) < _SIZE_BYTES:
        more = source.recv(_SIZE_BYTES - len(data))
        if not more:
            return None
        data += more
    size = int.from_bytes(data, "big")
    if not data or size > HEAD_BYTES_MAX:
        return None
    text = bytearray()
    while len(text) < size:
        more = source.recv(min(size - len(text), 1 << 20))
        if not more:
            return None
        text += more
    try:
        head = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return (head, files) if isinstance(head, dict) else None
