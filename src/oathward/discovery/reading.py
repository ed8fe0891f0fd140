"""Sources of bytes: files and folders, standard input, sockets; unpacked, and read on from where they were left.

Rules:
- A folder is read with all below it, in the order of names; a link is not followed, what is no regular file is told.
- Sizes are without a limit: everything is a stream. Gzip is told by its first bytes and unpacked as it is read; one that ends early, or is broken,
  ends there, and says so (``Stream.broken``).
- A log that grows is read up to its last whole line; what stands behind that is read the next time.

Deliberately absent: which observer reads it (``observer``), in which process (``apart``), what was read before (``network``).

Source: RFC 1952 (gzip).
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import os
import re
import socket
import stat
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from oathward.core.errors import InputError
from oathward.core.reasons import Reason

HEAD_BYTES = 65_536
IDENTITY_BYTES = 4_096
"""How much of a source's beginning tells it from others."""

STDIN = "-"
FILES_MAX = 1_000_000
LINE_BYTES_MAX = 1 << 20
"""A line that is not whole is held back up to this."""

BACKLOG = 16
_SO_MEMINFO, _MEMINFO_BYTES = 55, 36
"""Nine numbers, of which the last is of datagrams dropped."""
_PIECE_BYTES = 1 << 22
_PACKED_MORE_BYTES = 4_096
_GZIP = b"\x1f\x8b\x08"
_KIND = re.compile(r"[._-]")
"""Ends the part of a log's name that says what it is of: ssl.log, ssl.10:00:00-11:00:00.log.gz."""

_TURNS = {"dhcp": 0, "dhcpd": 0, "ssl": 1}
"""What is read first: who was given which address, what is said of flows; then the flows."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file that may be a source.

    Args:
        path: where it lies. name: without its folder, as it is shown. size_bytes: -1 where it has none. named: a person named it; it may be a link.
    """

    path: str
    name: str
    size_bytes: int = -1
    named: bool = False


@dataclass(frozen=True, slots=True)
class Skipped:
    """What in a folder is no source: ``what`` says why."""

    name: str
    what: str


def found(paths: Sequence[str]) -> Iterator[Found | Skipped]:
    """List the sources that paths name: files, folders with all below them, ``-``.

    Raises:
        InputError: a path that is not there, or more files than ``FILES_MAX``.
    """
    count = 0
    for path in paths:
        if path == STDIN:
            yield Found(STDIN, "stdin")
            continue
        if not os.path.lexists(path):
            raise InputError(path, "there is no such file or folder", reason=Reason.NOT_FOUND)
        folder = Path(
            path
        ).is_dir()  # a path that somebody named may be a link; what lies in a folder may not
        for one in _below(path) if folder else iter([path]):
            if isinstance(one, Skipped):
                yield one
                continue
            count += 1
            if count > FILES_MAX:
                raise InputError(path, f"has more than {FILES_MAX:,} files", reason=Reason.LIMIT_EXCEEDED)
            yield _file(one, os.path.relpath(one, path) if folder else Path(one).name, linked=not folder)


def opened(one: Found) -> int:
    """Open a source as it was found; gives its file descriptor.

    Raises:
        OSError: it is gone, may not be read, or something else lies there now: a link, a pipe.
    """
    flags = 0 if one.named else os.O_NOFOLLOW
    flags |= os.O_NONBLOCK if one.size_bytes >= 0 else 0  # what is a pipe by now is not waited for
    fd = os.open(one.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | flags)
    if one.size_bytes >= 0 and not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "no regular file any more")
    return fd


def _below(folder: str) -> Iterator[str | Skipped]:
    lost: list[OSError] = []
    for where, folders, names in os.walk(folder, onerror=lost.append):
        folders.sort()
        for name in sorted(names, key=_turn):
            yield os.path.join(where, name)  # noqa: PTH118  a million names: text is enough
    for error in lost:
        name = os.path.relpath(error.filename, folder) if error.filename else folder
        yield Skipped(_shown(name), f"cannot be read: {error.strerror}")


def _turn(name: str) -> tuple[int, str]:
    return _TURNS.get(_KIND.split(name, 1)[0], len(_TURNS)), name


def is_counted_beside(one: Found) -> bool:
    """Say whether a log says more of flows that another log of its folder counts, which is read as well: Zeek's ssl.log beside conn.log."""
    folder, name = os.path.split(one.path)
    kind = _KIND.split(name, 1)[0]
    other = os.path.join(folder, f"conn{name[len(kind) :]}")  # noqa: PTH118  as above
    return kind == "ssl" and not one.named and os.path.lexists(other)


def _file(path: str, name: str, *, linked: bool) -> Found | Skipped:
    shown = _shown(name)
    try:
        state = os.stat(path) if linked else os.lstat(path)  # noqa: PTH116  as above
    except OSError as error:  # rotated away since it was listed; a link to nothing
        return Skipped(shown, f"cannot be read: {error.strerror}")
    if stat.S_ISLNK(state.st_mode):
        return Skipped(shown, "a link: not followed")
    if not (stat.S_ISREG(state.st_mode) or (linked and stat.S_ISFIFO(state.st_mode))):
        return Skipped(shown, "no regular file")
    return Found(path, shown, state.st_size if stat.S_ISREG(state.st_mode) else -1, linked)


def _shown(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "backslashreplace")


class Stream(io.RawIOBase):
    """The bytes of a source, unpacked, through a file descriptor; keeps one piece of it.

    Args:
        fd: readable; stays open.
    """

    def __init__(self, fd: int) -> None:
        file = io.BufferedReader(io.FileIO(fd, closefd=False), _PIECE_BYTES)
        self.packed = file.peek(len(_GZIP))[: len(_GZIP)] == _GZIP
        self._source = gzip.GzipFile(fileobj=file) if self.packed else file
        self._left = memoryview(b"")
        self.broken = False
        """Whether it ended early: packed bytes that are cut off or wrong."""

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with what there is; 0 at the end."""
        while not self._left:
            data = self._piece()
            if not data:
                return 0
            self._left = memoryview(data)
        size = min(len(self._left), len(buffer))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size

    def _piece(self) -> bytes:
        if self.broken:
            return b""
        try:
            return self._source.read1(_PIECE_BYTES)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            self.broken = True
            return b""


class WholeLines(io.RawIOBase):
    """The lines of a source that are whole: what comes behind the last line end is held back."""

    def __init__(self, source: io.BufferedReader[Any]) -> None:
        self._source = source
        self._left = memoryview(b"")
        self._held = b""

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with what there is; 0 at the end."""
        while not self._left:
            data = self._source.read1(_PIECE_BYTES)
            if not data:
                return 0
            self._left = memoryview(self._whole(data))
        size = min(len(self._left), len(buffer))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size

    @property
    def held_bytes(self) -> int:
        """How many bytes behind the last line end were not given."""
        return len(self._held)

    def _whole(self, data: bytes) -> bytes:
        """Give the lines that are whole, and keep the rest; a line that has no end is given on, for its reader to count."""
        cut = data.rfind(b"\n") + 1
        if not cut and len(self._held) + len(data) < LINE_BYTES_MAX:
            self._held += data
            return b""
        cut = cut or len(data)
        given, self._held = self._held + data[:cut], data[cut:]
        return given


class Joined(io.RawIOBase):
    """A head that every part of a source needs, and behind it the source from where it was left."""

    def __init__(self, head: bytes, rest: io.BufferedReader[Any]) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with what there is; 0 at the end."""
        data = self._head[: len(buffer)] or self._rest.read1(len(buffer))  # a socket gives what it has
        self._head = self._head[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


def buffered(raw: io.RawIOBase) -> io.BufferedReader[Any]:
    """Give a stream that can be read line by line."""
    return io.BufferedReader(raw, _PIECE_BYTES)


def passed(stream: BinaryIO, size: int) -> int:
    """Pass over so many bytes; gives how many there were."""
    left = size
    while left and (data := stream.read(min(left, _PIECE_BYTES))):
        left -= len(data)
    return size - left


def head_of(fd: int, size: int = HEAD_BYTES) -> bytes:
    """Give how a file begins, unpacked; where it stands stays as it was.

    Args:
        fd: of a regular file.
    """
    packed = os.pread(fd, size + _PACKED_MORE_BYTES, 0)  # what does not pack well is longer packed
    if not packed.startswith(_GZIP):
        return packed[:size]
    try:
        return zlib.decompressobj(wbits=31).decompress(packed, size)
    except zlib.error:
        return b""


def digest(head: bytes, size: int) -> str:
    """Give the SHA-256 of the first bytes in hex; empty where there are fewer."""
    return hashlib.sha256(head[:size]).hexdigest() if len(head) >= size else ""


def udp(host: str, port: int) -> socket.socket:
    """Open a socket that datagrams come to.

    Raises:
        InputError: the address is not ours, or taken.
    """
    return _bound(socket.SOCK_DGRAM, host, port)


def lost(fd: int) -> int:
    """Count the datagrams that came to a socket faster than they were read, as the system counts them; 0 where it does not say.

    Source: Linux ``include/uapi/linux/sock_diag.h`` (``SK_MEMINFO_DROPS``).
    """
    with socket.socket(fileno=os.dup(fd)) as door, suppress(OSError):
        said = door.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO_BYTES)
        return int.from_bytes(said[-4:], sys.byteorder) if len(said) == _MEMINFO_BYTES else 0
    return 0


def tcp(host: str, port: int) -> socket.socket:
    """Open a socket that connections come to. Raises as ``udp``."""
    door = _bound(socket.SOCK_STREAM, host, port)
    door.listen(BACKLOG)
    return door


def unix(path: str) -> socket.socket:
    """Open a Unix socket that lines come to, for the owner and group alone.

    Raises:
        InputError: something else is there, or the path cannot be used.
    """
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if Path(path).is_socket():  # one that was left
            Path(path).unlink()
        door.bind(path)
        Path(path).chmod(0o660)
    except OSError as error:
        door.close()
        raise InputError(path, f"cannot be listened on: {error.strerror or error}") from error
    door.listen(BACKLOG)
    return door


def _bound(kind: socket.SocketKind, host: str, port: int) -> socket.socket:
    try:
        [(family, _, _, _, address), *_] = socket.getaddrinfo(
            host, port, type=kind, flags=socket.AI_NUMERICHOST
        )
        door = socket.socket(family, kind)
    except OSError as error:
        raise InputError(host, "is no IP address") from error
    if kind == socket.SOCK_STREAM:  # connections of before the restart keep the port for a minute otherwise
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind(address)
    except OSError as error:
        door.close()
        raise InputError(f"{host}:{port}", f"cannot be listened on: {error.strerror}") from error
    return door
