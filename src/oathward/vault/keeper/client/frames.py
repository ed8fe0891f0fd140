"""Frames between the keeper and its callers: four bytes of length, then JSON.

Rules:
- A frame is refused by its length before anything of it is read; depth is bounded by the JSON reader.
- A frame that has begun must end within ``FRAME_S_MAX``; between frames a connection may rest.

Deliberately absent: pickling, versions (both ends are of one installation), and trust in a caller's words.
"""

from __future__ import annotations

import socket
import struct
import time
from pathlib import Path
from typing import Any

import orjson

from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason
from oathward.core.settings import Settings

REQUEST_BYTES_MAX = 16 * 1024 * 1024
ANSWER_BYTES_MAX = 64 * 1024 * 1024
FRAME_S_MAX = 10.0

_LENGTH = struct.Struct(">I")


def send(sock: socket.socket, value: Any, *, bytes_max: int, time_s: float = FRAME_S_MAX) -> None:
    """Send one frame.

    Raises:
        KeeperError: ``LIMIT_EXCEEDED``; too long, nothing was sent.
        OSError: the other end is gone or slow.
    """
    data = orjson.dumps(value)
    if len(data) > bytes_max:
        raise KeeperError("frame", "is too long", reason=Reason.LIMIT_EXCEEDED)
    sock.settimeout(time_s)
    sock.sendall(_LENGTH.pack(len(data)) + data)


def receive(sock: socket.socket, *, bytes_max: int, wait_s: float, time_s: float = FRAME_S_MAX) -> Any:
    """Wait for one frame and give its value; None when the other end has closed.

    Raises:
        KeeperError: ``INPUT_INVALID`` or ``LIMIT_EXCEEDED``; not a frame; the connection is of no more use.
        OSError: the other end is gone, slow or silent.
    """
    sock.settimeout(wait_s)
    first = sock.recv(_LENGTH.size)
    if not first:
        return None
    ends_s = time.monotonic() + time_s
    head = first + _exactly(sock, _LENGTH.size - len(first), ends_s)
    (length,) = _LENGTH.unpack(head)
    if length > bytes_max:
        raise KeeperError("frame", "is too long", reason=Reason.LIMIT_EXCEEDED)
    data = _exactly(sock, length, ends_s)
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise KeeperError("frame", "is not JSON", reason=Reason.INPUT_INVALID) from error


def socket_path(settings: Settings, role: str) -> Path:
    """Give the socket of a role."""
    return settings.run_folder_of("keeper") / f"keeper-{role}.sock"


def short_path(folder_fd: int, name: str) -> str:
    """Name a socket by its open folder: a socket's path may have 107 bytes only."""
    return f"/proc/self/fd/{folder_fd}/{name}"


def _exactly(sock: socket.socket, size: int, ends_s: float) -> bytes:
    parts = []
    while size:
        left_s = ends_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("a frame took too long")
        sock.settimeout(left_s)
        part = sock.recv(min(size, 1 << 20))
        if not part:
            raise ConnectionResetError("closed within a frame")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
