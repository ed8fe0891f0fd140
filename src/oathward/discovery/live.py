"""Capture from an interface of this machine: dumpcap listens, and its packets come through a pipe.

Rules:
- What needs privileges is dumpcap alone, by its own capabilities or group; it writes to a pipe and nothing else, and gets an empty
  environment, no standard input and none of our files.
- Who calls this needs no privilege, and never holds a raw socket.
- Only an interface of this machine: dumpcap would take a pipe, a host or a port in the same place.
- It ends when the block ends, by its id, whatever happened inside; should we be killed, its pipe breaks and it ends by itself.

Deliberately absent: files, rings, filters (who is not to be seen is not connected to the sensor), and anything that sends.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO, cast

from oathward.core.errors import InputError
from oathward.core.reasons import Reason

SNAP_BYTES = 262_144
END_TIMEOUT_S = 5.0
ERROR_BYTES_MAX = 4_096
ANY = "any"

_WHY = (
    (
        ("permission", "not permitted", "privilege", "couldn't run"),
        "may not listen: add this user to the group that may (Debian: `dpkg-reconfigure wireshark-common`, then `adduser USER wireshark`)",
    ),
    (
        ("no such device", "not up", "there is no device"),
        "an interface of this machine that is up: `ip link` lists them",
    ),
)
"""Words of dumpcap -> what to do."""


class _Stream:
    """What dumpcap writes, its first bytes read already."""

    def __init__(self, head: bytes, stream: IO[bytes]) -> None:
        self._head = head
        self._stream = stream

    def read(self, size: int) -> bytes:
        """Give what is there, at most ``size`` bytes; waits only while there is nothing."""
        head, self._head = self._head[:size], self._head[size:]
        return head or self._stream.read(size)


@contextmanager
def listening(
    interface: str, *, for_s: int | None = None, snap_bytes: int = SNAP_BYTES, dumpcap: str = "dumpcap"
) -> Iterator[BinaryIO]:
    """Listen on an interface; gives a stream of pcapng, which ends after ``for_s`` seconds or never.

    Args:
        interface: by its name, or ``any`` for all of them.
        snap_bytes: of each packet.

    Raises:
        InputError: NOT_FOUND, no dumpcap or no such interface; INPUT_INVALID, it may not listen there.
    """
    program = shutil.which(dumpcap)
    if program is None:
        raise InputError("dumpcap", "install it (Debian: wireshark-common)", reason=Reason.NOT_FOUND)
    if interface != ANY and interface not in {name for _, name in socket.if_nameindex()}:
        raise InputError(
            "interface", "an interface of this machine: `ip link` lists them", reason=Reason.NOT_FOUND
        )
    command = [program, "-q", "-i", interface, "-s", str(snap_bytes), "-w", "-"]
    command += ["-a", f"duration:{for_s}"] if for_s is not None else []
    process = subprocess.Popen(  # noqa: S603  a program by its path, an interface that is one
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        bufsize=0, env={}, cwd="/", start_new_session=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        head = process.stdout.read(SNAP_BYTES)
        if not head:
            raise _why(process)
        yield cast("BinaryIO", _Stream(head, process.stdout))
    finally:
        _end(process)


def _why(process: subprocess.Popen[bytes]) -> InputError:
    """Say why dumpcap ended before it wrote anything."""
    assert process.stderr is not None
    said = process.stderr.read(ERROR_BYTES_MAX).decode("utf-8", "replace").lower()
    found = next((why for words, why in _WHY if any(word in said for word in words)), None)
    return InputError(
        "interface", found or "dumpcap listens there: try it by hand with `dumpcap -i INTERFACE -w /dev/null`"
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End dumpcap and wait until it is gone."""
    process.terminate()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    try:
        process.wait(END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
