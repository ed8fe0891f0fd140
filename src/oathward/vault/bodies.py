"""Sealed bodies outside SQL: append-only, checksummed segment files, or a table on PostgreSQL.

Rules:
- A body is flushed before the commit that names it; the row is the truth. ``discard_tail`` removes
  what no row names when a writer starts.
- One writer a folder (``<root>/<store>/<writer>/000001.seg``), held by a lock; readers need none.
- Each start writes to a new segment: no byte that was once written is ever written over.
- A failed flush is fatal: pages may be lost though a later flush succeeds, so the store refuses
  every further write for its life, and a new process must find out what is on disk.
- A full disk is not fatal: the partial group is cut off, ``STORAGE_FULL`` is raised, nothing was
  stored, and the next append works when there is space.
- ``append`` and ``flush`` may run in different threads.

Deliberately absent: encryption (only sealed bytes come here), compression, preallocation.

Form of a segment, integers big-endian: header ``OATHSEG1`` ‖ u16 length of name ‖ name ‖ u32 CRC-32 of
all before; then records ``OWB1`` ‖ u32 length ‖ u32 CRC-32 of body ‖ body.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import struct
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from oathward.core.errors import StorageError
from oathward.core.reasons import Reason
from oathward.vault.sign import sync_folder

SEGMENT_BYTES_MAX = 256 * 1024 * 1024
BODY_BYTES_MAX = 1 << 30
READ_FILES_MAX = 64
"""Segments a reader keeps open."""
RUN_BYTES_MAX = 65_536
"""Neighbouring bodies within so much are read with one call; larger runs save nothing more (measured)."""

_MAGIC = b"OATHSEG1"
_RECORD = struct.Struct(">4sII")
_RECORD_MAGIC = b"OWB1"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
_FULL = {errno.ENOSPC, errno.EDQUOT}


class BodyRef(NamedTuple):
    """Where one sealed body lies.

    ``store``: ``name/writer``; ``id``: number of the segment (or row); ``offset``: of the record in the
    segment (0 in a table); ``length`` and ``sha256`` are of the body.
    """

    store: str
    id: int
    offset: int
    length: int
    sha256: bytes


class SegmentReader:
    """Read bodies of every store under one root folder; safe in threads."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files: OrderedDict[tuple[str, int], int] = OrderedDict()
        self._guard = threading.Lock()

    def read(self, ref: BodyRef) -> bytes:
        """Give the body a row names.

        Raises:
            StorageError: ``NOT_FOUND`` if the segment is gone, ``STORAGE_FAILED`` if the bytes are others.
        """
        where = f"bodies {ref.store}/{ref.id:06d} at {ref.offset}"
        if not 0 <= ref.length <= BODY_BYTES_MAX or ref.offset < 0:
            raise StorageError(where, "no such record")
        with self._guard:  # the file may not be closed by another thread between look-up and read
            try:
                raw = os.pread(self._file(ref, where), _RECORD.size + ref.length, ref.offset)
            except OSError as error:
                raise StorageError(where, "the segment cannot be read") from error
        body = raw[_RECORD.size :]
        if len(body) != ref.length or hashlib.sha256(body).digest() != ref.sha256:
            raise StorageError(where, "the stored bytes are not the ones that were written")
        return body

    def read_many(self, refs: Sequence[BodyRef]) -> list[bytes | StorageError]:
        """Give bodies in the order of ``refs``, or why one cannot be given; neighbours are read together."""
        found: list[bytes | StorageError] = []
        for run in _runs(refs):
            whole = self._read_run(run) if len(run) > 1 else b""
            for ref in run:
                begin = ref.offset - run[0].offset + _RECORD.size
                body = whole[begin : begin + ref.length]
                sound = whole and len(body) == ref.length and hashlib.sha256(body).digest() == ref.sha256
                try:
                    found.append(body if sound else self.read(ref))
                except StorageError as error:
                    found.append(error)
        return found

    def _read_run(self, run: Sequence[BodyRef]) -> bytes:
        """Read from the first record to the last one's end; nothing where that does not work."""
        size = run[-1].offset + _RECORD.size + run[-1].length - run[0].offset
        with self._guard, contextlib.suppress(OSError, StorageError):
            return os.pread(self._file(run[0], ""), size, run[0].offset)
        return b""

    def close(self) -> None:
        """Close every file."""
        with self._guard:
            for fd in self._files.values():
                os.close(fd)
            self._files.clear()

    def _file(self, ref: BodyRef, where: str) -> int:
        key = (ref.store, ref.id)
        fd = self._files.get(key)
        if fd is not None and os.fstat(fd).st_nlink:
            self._files.move_to_end(key)
            return fd
        if fd is not None:  # deleted; a writer that finds no segment counts from 1 again
            os.close(self._files.pop(key))
        try:
            fd = os.open(segment_path(self._root, ref.store, ref.id), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise StorageError(where, "the segment is gone", reason=Reason.NOT_FOUND) from error
        self._files[key] = fd
        if len(self._files) > READ_FILES_MAX:
            os.close(self._files.popitem(last=False)[1])
        return fd

    def _forget(self, store: str, segment: int) -> None:
        with self._guard:
            fd = self._files.pop((store, segment), None)
            if fd is not None:
                os.close(fd)


class SegmentStore(SegmentReader):
    """Write bodies of one writer; reads those of all.

    Args:
        root: ``bodies`` in the data folder.
        store: what the bodies are, e.g. ``kept`` or ``outbox``.
        writer: which process writes, e.g. ``gateway``; the same name again after a restart.

    Raises:
        StorageError: ``CONFLICT`` when another process writes there.
    """

    def __init__(
        self,
        root: Path,
        store: str = "kept",
        writer: str = "main",
        *,
        segment_bytes_max: int = SEGMENT_BYTES_MAX,
    ) -> None:
        super().__init__(root)
        self.store = f"{store}/{writer}"
        self._folder = segment_path(root, self.store, 1).parent
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        for folder in (self._folder.parent, root, root.parent):
            sync_folder(folder)
        self._lock_fd = _lock(self._folder / "lock", self.store)
        self._segment_bytes_max = segment_bytes_max
        self._write_guard = threading.Lock()
        self._flush_guard = threading.Lock()
        self._fd = -1
        self._size = 0
        self._segment = max((number for number, _ in self.segments()), default=0)
        self._unflushed: dict[int, bool] = {}  # fd -> the folder must be flushed too
        self._rolled: list[int] = []
        self._broken = False

    @property
    def broken(self) -> bool:
        """Whether a flush failed: this process must not write here any more."""
        return self._broken

    def append(self, bodies: Sequence[bytes], digests: Iterable[bytes] | None = None) -> list[BodyRef]:
        """Write bodies behind the last one; they are durable after ``flush``. ``digests``: their SHA-256, where known.

        Raises:
            StorageError: ``STORAGE_FULL``: nothing was kept, try again later. ``STORAGE_FAILED``: for good.
        """
        with self._write_guard:
            self._check()
            if self._fd < 0 or self._size >= self._segment_bytes_max:
                self._roll()
            refs: list[BodyRef] = []
            parts, offset = list[bytes](), self._size
            known = digests or [hashlib.sha256(one).digest() for one in bodies]
            for body, digest in zip(bodies, known, strict=True):
                length = len(body)
                if length > BODY_BYTES_MAX:
                    raise StorageError(self.store, "a body is too long", reason=Reason.LIMIT_EXCEEDED)
                parts += (_RECORD.pack(_RECORD_MAGIC, length, zlib.crc32(body)), body)
                refs.append(BodyRef(self.store, self._segment, offset, length, digest))
                offset += _RECORD.size + length
            self._put(b"".join(parts))
            return refs

    def flush(self) -> None:
        """Make everything appended so far durable.

        Raises:
            StorageError: ``STORAGE_FAILED``; fatal for this store.
        """
        with self._flush_guard:
            with self._write_guard:
                self._check()
                waiting, self._unflushed = self._unflushed, {}
                rolled, self._rolled = self._rolled, []
            try:
                for fd in waiting:
                    os.fdatasync(fd)
                if any(waiting.values()):
                    sync_folder(self._folder)
            except OSError as error:
                self._broken = True
                raise StorageError(self.store, "a flush failed; this store writes no more") from error
            for fd in rolled:
                os.close(fd)

    def discard_tail(self, last: BodyRef | None) -> int:
        """Remove what lies behind the last body a committed row names; call it before the first append.

        Args:
            last: the highest (segment, offset) of this store and writer in any row; None: no row at all.

        Returns:
            Bytes removed.
        """
        if last is not None and last.store != self.store:
            raise StorageError(self.store, "the last body is of another store")
        if self._fd >= 0:
            raise StorageError(self.store, "too late: this process has written already")
        end = (last.id, last.offset + _RECORD.size + last.length) if last else (0, 0)
        removed = 0
        for number, path in self.segments():
            size = path.stat().st_size
            if number > end[0]:
                self._forget(self.store, number)
                path.unlink()
                removed += size
            elif number == end[0] and size > end[1]:
                os.truncate(path, end[1])
                removed += size - end[1]
        if removed:
            sync_folder(self._folder)
        return removed

    def drop(self, segment: int) -> None:
        """Delete one finished segment; the caller knows that no row needs it.

        Raises:
            StorageError: it is the one being written, or there is none.
        """
        with self._write_guard:
            if segment == self._segment and self._fd >= 0:
                raise StorageError(self.store, "this segment is being written")
            self._forget(self.store, segment)
            try:
                segment_path(self._root, self.store, segment).unlink()
            except FileNotFoundError as error:
                raise StorageError(self.store, "no such segment", reason=Reason.NOT_FOUND) from error
            sync_folder(self._folder)

    def segments(self) -> list[tuple[int, Path]]:
        """List this writer's segments in order."""
        return sorted((int(p.stem), p) for p in self._folder.glob("*.seg") if p.stem.isdigit())

    def close(self) -> None:
        """Close files and give up the lock; what was not flushed may be lost."""
        super().close()
        with self._flush_guard, self._write_guard:
            self._broken = True
            for fd in {self._fd, *self._rolled, self._lock_fd} - {-1}:
                os.close(fd)
            self._fd = self._lock_fd = -1
            self._rolled = []

    def _check(self) -> None:
        if self._broken:
            raise StorageError(self.store, "closed, or a flush failed; this store writes no more")

    def _roll(self) -> None:
        number = self._segment + 1
        path = segment_path(self._root, self.store, number)
        name = self.store.encode()
        head = _MAGIC + struct.pack(">H", len(name)) + name
        head += struct.pack(">I", zlib.crc32(head))
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise _write_error(self.store, error) from error
        try:
            _write_all(fd, head, 0)
        except OSError as error:
            os.close(fd)
            path.unlink()
            raise _write_error(self.store, error) from error
        if self._fd >= 0:
            self._rolled.append(self._fd)
        self._fd, self._segment, self._size = fd, number, len(head)
        self._unflushed[fd] = True

    def _put(self, data: bytes) -> None:
        try:
            _write_all(self._fd, data, self._size)
        except OSError as error:
            try:
                os.ftruncate(self._fd, self._size)
            except OSError:
                self._broken = True
            if error.errno not in _FULL:
                self._broken = True
            raise _write_error(self.store, error) from error
        self._size += len(data)
        self._unflushed.setdefault(self._fd, False)


def segment_path(root: Path, store: str, segment: int) -> Path:
    """Give the file of a segment; names from rows are checked, since a row may be hostile.

    Raises:
        StorageError: not a name of ours.
    """
    name, _, writer = store.partition("/")
    if not (_NAME.fullmatch(name) and _NAME.fullmatch(writer) and 0 < segment < 10**9):
        raise StorageError("bodies", "not a store of ours", reason=Reason.NOT_FOUND)
    return root / name / writer / f"{segment:06d}.seg"


def _runs(refs: Sequence[BodyRef]) -> Iterator[Sequence[BodyRef]]:
    """Cut refs where the next one does not lie behind the one before, near the first."""
    start = 0
    for at in range(1, len(refs)):
        first, last, ref = refs[start], refs[at - 1], refs[at]
        behind = ref.offset >= last.offset + _RECORD.size + last.length and last.length >= 0 <= ref.length
        near = ref.offset + _RECORD.size + ref.length - first.offset <= RUN_BYTES_MAX
        if not (behind and near and (ref.store, ref.id) == (first.store, first.id)):
            yield refs[start:at]
            start = at
    yield refs[start:]


def scan(path: Path) -> Iterator[tuple[int, int, bool]]:
    """Walk a segment: (offset, length, whether the checksum holds); ends at the first torn record.

    Raises:
        StorageError: not a segment.
    """
    with path.open("rb") as file:
        head = file.read(len(_MAGIC) + 2)
        size = int.from_bytes(head[len(_MAGIC) :], "big")
        head += file.read(size)
        if not head.startswith(_MAGIC) or file.read(4) != struct.pack(">I", zlib.crc32(head)):
            raise StorageError(path.name, "not a segment file")
        offset = file.tell()
        while len(record := file.read(_RECORD.size)) == _RECORD.size:
            magic, length, crc = _RECORD.unpack(record)
            body = file.read(length) if magic == _RECORD_MAGIC and length <= BODY_BYTES_MAX else b""
            if magic != _RECORD_MAGIC or len(body) != length:
                return
            yield offset, length, zlib.crc32(body) == crc
            offset += _RECORD.size + length


def _lock(path: Path, store: str) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(fd)
        raise StorageError(store, "another process writes here", reason=Reason.CONFLICT) from error
    return fd


def _write_all(fd: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        done = os.pwrite(fd, view, offset)
        view, offset = view[done:], offset + done


def _write_error(store: str, error: OSError) -> StorageError:
    if error.errno in _FULL:
        return StorageError(store, "no space left; nothing was stored", reason=Reason.STORAGE_FULL)
    return StorageError(store, "the segment cannot be written")
