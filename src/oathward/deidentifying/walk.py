"""What a folder holds, and opening it without being led out of it.

Rules:
- Links are not followed, whatever they point at; what is no plain file is held.
- What was a file when the folder was read and is none when it is opened is held.
- A folder deeper than ``DEPTH_MAX`` is not gone into: it is one thing, and held.

Source: CWE-59 (link following), CWE-22 (path traversal).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from oathward.core.errors import InputError
from oathward.core.reasons import Reason

DEPTH_MAX = 128
TOO_DEEP = -2
_AS_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Item(NamedTuple):
    """One thing in the folder. ``path``: below it, with ``/``; ``size``: bytes, -1 where it is no plain file, ``TOO_DEEP``."""

    path: str
    size: int


def items(root: Path) -> list[Item]:
    """List what a folder holds, in the order of the paths; of a file, itself.

    Raises:
        InputError: ``not-found``; nothing is there, or it cannot be read.
    """
    try:
        if stat.S_ISREG(root.lstat().st_mode):
            return [Item("", root.stat().st_size)]
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return sorted(_below(folder, "", 0))
        finally:
            os.close(folder)
    except OSError as error:
        raise InputError("PATH", "cannot be read", reason=Reason.NOT_FOUND) from error


def _below(folder: int, prefix: str, depth: int) -> Iterator[Item]:
    with os.scandir(folder) as found:
        for entry in found:
            path = f"{prefix}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                if depth == DEPTH_MAX:
                    yield Item(path, TOO_DEEP)
                    continue
                below = os.open(entry.name, _AS_FOLDER, dir_fd=folder)  # by its name alone: a path has a most
                try:
                    yield from _below(below, f"{path}/", depth + 1)
                finally:
                    os.close(below)
            else:
                plain = entry.is_file(follow_symlinks=False)
                yield Item(path, entry.stat(follow_symlinks=False).st_size if plain else -1)


def opened(root: Path, item: Item) -> int:
    """Open a file for reading, step by step from the folder; gives a descriptor that the caller closes.

    Raises:
        InputError: it is no plain file, or no longer the one that was listed.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    held: list[int] = []
    try:
        at = os.open(root, flags if not item.path else os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        held.append(at)
        for step in item.path.split("/") if item.path else ():
            at = os.open(step, flags, dir_fd=at)
            held.append(at)
            os.close(held.pop(0))
        if not stat.S_ISREG(os.fstat(at).st_mode):
            raise InputError("file", "is no plain file", reason=Reason.DEID_FORMAT)
        held.remove(at)
    except OSError as error:
        raise InputError("file", "cannot be opened", reason=Reason.NOT_FOUND) from error
    else:
        return at
    finally:
        for fd in held:
            os.close(fd)
