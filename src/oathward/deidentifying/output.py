"""The output folder of a job, where somebody else may write too.

Rules:
- One job at a time writes into a folder: a lock in the site's data folder by the folder's real path, taken before the job begins.
- The folder is opened once, and all in it is reached from there, step by step; no link is followed.
- A folder in it that became something else is an error of the job: nobody knows what was put in its place.
- A file that is no plain file any more is not what was written. It is not opened: a pipe would wait for ever.
- All that is written has one time of change: when each was written would say in which order, and so tie what two projects were given.

Deliberately absent: what is written (``files``), what of it stays (``searching``).

Source: CWE-59 (link following), CWE-367 (time of check, time of use).
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import orjson

from oathward.core.clock import from_micros, iso
from oathward.core.errors import DeidentificationError, InputError
from oathward.core.reasons import Reason
from oathward.deidentifying.journal import Entry

PARTIAL = ".partial"
_BESIDE = "oathward-"
"""What is written beside the files begins so: the report, Provenance."""

_FOLDER = re.compile(r"[A-Z2-7]{2}")
_AS_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_AS_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_REPLACED = (errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EEXIST)
_HOLDER_BYTES_MAX = 4_096


@contextmanager
def alone(locks: Path, target: Path, by: str, now_us: int) -> Iterator[None]:
    """Be the only one that writes into a folder.

    Args:
        locks: a folder for locks. by: who runs the job; told to whoever comes second, with ``now_us``.

    Raises:
        InputError: ``ALREADY_RUNNING``; says who writes there, and since when.
    """
    locks.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = locks / hashlib.sha256(os.fsencode(os.path.realpath(target))).hexdigest()
    fd = _locked(path)
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, orjson.dumps({"by": by, "since": iso(from_micros(now_us))}), 0)
        yield
    finally:
        path.unlink(
            missing_ok=True
        )  # while it is held: who opened it meanwhile finds that it is none any more
        os.close(fd)


def _locked(path: Path) -> int:
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with suppress(FileNotFoundError):
                if path.stat().st_ino == os.fstat(fd).st_ino:
                    return fd
        except BlockingIOError as error:
            who = _holder(fd)
            os.close(fd)
            raise InputError(
                "--out", f"{who} has a job write into it", reason=Reason.ALREADY_RUNNING
            ) from error
        os.close(fd)


def holders(locks: Path) -> list[str]:
    """Say who has jobs run just now, and since when.

    Args:
        locks: as for ``alone``.
    """
    found = []
    for path in sorted(locks.iterdir()) if locks.is_dir() else ():
        with suppress(FileNotFoundError):
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)  # of one that was killed the file stays
            except BlockingIOError:
                found.append(_holder(fd))
            finally:
                os.close(fd)
    return found


def _holder(fd: int) -> str:
    try:
        said = orjson.loads(os.pread(fd, _HOLDER_BYTES_MAX, 0))
    except orjson.JSONDecodeError:  # it has only just begun
        return "somebody else"
    return f"since {said['since']} {said['by'] or 'somebody else'}"


class Output:
    """One output folder, open.

    Args:
        target: a folder that is there. at_us: when all in it was written, as its files say.

    Raises:
        InputError: it is none, or a link.
    """

    def __init__(self, target: Path, at_us: int) -> None:
        self._partial = -1
        self._at_ns = at_us * 1_000
        try:
            self._root = os.open(target, _AS_FOLDER)
        except OSError as error:
            raise _replaced() from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Take away what is not finished, and close it."""
        try:
            self._clear()
            with suppress(PermissionError):  # of what another user put there
                for name in _names(self._root):
                    self._date(name, self._root)
                os.utime(self._root, ns=(self._at_ns, self._at_ns))
        finally:
            os.close(self._root)

    def partial(self) -> int:
        """Make the folder of files that are not finished anew; gives it open, as long as this is."""
        self._clear()
        os.mkdir(PARTIAL, dir_fd=self._root)
        self._partial = self._folder(PARTIAL)
        return self._partial

    def settle(self, entries: Iterable[Entry]) -> None:
        """Move a chunk's files, which are flushed, into their places, and flush these.

        Raises:
            InputError: a folder was replaced. OSError: it cannot be written.
        """
        folders = {"": self._root}
        try:
            for entry in entries:
                if entry.written:
                    name, file = _place(entry)
                    if name not in folders:
                        with suppress(FileExistsError):
                            os.mkdir(name, dir_fd=self._root)
                        folders[name] = self._folder(name)
                    self._date(entry.name, self._partial)
                    os.rename(entry.name, file, src_dir_fd=self._partial, dst_dir_fd=folders[name])
            for fd in folders.values():
                os.fsync(fd)
        finally:
            for fd in folders.values():
                if fd != self._root:
                    os.close(fd)

    def sweep(self, entries: Iterable[Entry]) -> None:
        """Take away what a run that was killed had moved and not noted: it may be held now, or gone, and nobody would search it.

        Args:
            entries: what is noted.

        Raises:
            InputError: something stands there that no job wrote.
        """
        noted = {entry.file for entry in entries if entry.written}
        names = [name for name in _names(self._root) if name != PARTIAL and not name.startswith(_BESIDE)]
        if not all(map(_FOLDER.fullmatch, names)):
            why = "something stands in it that this job did not write, and would leave with it: take it out"
            raise InputError("--out", why, reason=Reason.CONFLICT)
        for name in names:
            folder = self._folder(name)
            try:
                for file in _names(folder):
                    if f"{name}/{file}" not in noted:
                        _unlink(file, folder)
            finally:
                os.close(folder)

    def opened(self, entry: Entry | str) -> int | None:
        """Open what was written for reading; None where it is gone. The caller closes it.

        Args:
            entry: a file of the job, or the name of what stands beside.

        Raises:
            DeidentificationError: ``FILE_CHANGED``; it is no plain file. InputError: its folder was replaced.
        """
        try:
            with self._at(entry) as (folder, file):
                _check_plain(
                    os.stat(file, dir_fd=folder, follow_symlinks=False)
                )  # opening a device does something
                fd = os.open(file, _AS_FILE, dir_fd=folder)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno not in _REPLACED:
                raise
            raise _not_written() from error
        try:
            _check_plain(os.fstat(fd))
        except DeidentificationError:
            os.close(fd)
            raise
        return fd

    def remove(self, entry: Entry | str) -> None:
        """Take away what was written, if it is there.

        Raises:
            InputError: a folder stands in its place, or its folder was replaced.
        """
        with suppress(FileNotFoundError), self._at(entry) as (folder, file):
            _unlink(file, folder)

    def created(self, name: str) -> int:
        """Make a file beside the others, in place of one that is there; gives it open for writing. The caller closes it."""
        self.remove(name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(name, flags, 0o640, dir_fd=self._root)

    def put(self, name: str, data: bytes) -> None:
        """Write a file beside the others, in place of one that is there."""
        with os.fdopen(self.created(name), "wb") as file:
            file.write(data)

    def _date(self, name: str, folder: int) -> None:
        os.utime(name, ns=(self._at_ns, self._at_ns), dir_fd=folder, follow_symlinks=False)

    @contextmanager
    def _at(self, entry: Entry | str) -> Iterator[tuple[int, str]]:
        if isinstance(entry, str):
            yield self._root, entry
            return
        name, file = _place(entry)
        folder = self._folder(name)
        try:
            yield folder, file
        finally:
            os.close(folder)

    def _folder(self, name: str) -> int:
        try:
            return os.open(name, _AS_FOLDER, dir_fd=self._root)
        except OSError as error:
            if error.errno not in _REPLACED:
                raise
            raise _replaced() from error

    def _clear(self) -> None:
        if self._partial >= 0:
            os.close(self._partial)
            self._partial = -1
        with suppress(FileNotFoundError):
            if stat.S_ISDIR(os.stat(PARTIAL, dir_fd=self._root, follow_symlinks=False).st_mode):
                shutil.rmtree(PARTIAL, dir_fd=self._root)
            else:
                os.unlink(PARTIAL, dir_fd=self._root)


def _place(entry: Entry) -> tuple[str, str]:
    folder, _, file = entry.file.partition("/")
    return folder, file


def _names(folder: int) -> Collection[str]:
    with os.scandir(folder) as found:
        return sorted(one.name for one in found)


def _check_plain(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise _not_written()


def _unlink(name: str, folder: int) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except IsADirectoryError as error:
        raise _replaced() from error


def _replaced() -> InputError:
    return InputError("--out", "holds a link or a folder that this job did not make", reason=Reason.CONFLICT)


def _not_written() -> DeidentificationError:
    return DeidentificationError("file", "what was written", reason=Reason.FILE_CHANGED)
