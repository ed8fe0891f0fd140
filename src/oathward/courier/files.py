"""The file wire: one file a message in a folder, whole or not there, the same name for the same id.

Rules:
- Whether a file may still be put there is asked right before it gets its name; until then it is not there.

Source: POSIX rename is atomic within one file system.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection
from collections.abc import Set as AbstractSet
from pathlib import Path

from oathward.core.reasons import Reason
from oathward.courier.model import Delivered, Failed, Item, Result

_WINDOW = 64


class FileWire:
    """Drop files in a folder; a thread writes and flushes them in groups.

    Args:
        folder: must exist and be writable; it is the recipient's.
    """

    window = _WINDOW
    grace_s = 0.0

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._group: list[tuple[Item, Callable[[Item, Result], None]]] = []
        self._busy: asyncio.Task[None] | None = None
        self._withdrawn: set[str] = set()

    async def open(self) -> None:
        """Check that the folder is there."""
        if not self._folder.is_dir():
            raise FileNotFoundError(str(self._folder))

    def send(self, item: Item, answered: Callable[[Item, Result], None]) -> None:
        """Queue one file; a group is written together so that one directory flush serves all."""
        self._group.append((item, answered))
        if self._busy is None:
            self._busy = asyncio.get_running_loop().create_task(self._write())

    def close(self) -> None:
        """Nothing is kept open."""

    def break_off(self, ids: Collection[str], /) -> None:
        """Give no name any more to files of these ids; those that have theirs are delivered."""
        self._withdrawn.update(ids)

    async def _write(self) -> None:
        while self._group:
            group, self._group = self._group, []
            items = [item for item, _ in group]
            result: Result = Delivered("file")
            left_out: AbstractSet[str] = frozenset()
            try:
                left_out = await asyncio.to_thread(write_files, self._folder, items, self._withdrawn)
            except OSError:
                result = Failed(Reason.RECIPIENT_UNREACHABLE)
            for item, answered in group:
                self._withdrawn.discard(item.row.id)
                unsent = Failed(Reason.CONSENT_DENIES, unsent=True)
                answered(item, unsent if item.row.id in left_out else result)
        self._busy = None


def suffix_of(item: Item) -> str:
    """Name the kind of a file: HL7 v2 is ``hl7``, FHIR ``json``, an envelope ``sealed``."""
    if item.row.end_to_end:
        return "sealed"
    return "json" if item.body.startswith(b"{") else "hl7"


def write_files(
    folder: Path, items: list[Item], withdrawn: AbstractSet[str] = frozenset()
) -> AbstractSet[str]:
    """Write items as ``<outgoing id>.hl7``, ``.json`` or ``.sealed``, durable when this returns.

    Args:
        withdrawn: ids that may not be put there; may grow meanwhile. Those left out are given back.

    Raises:
        OSError: not all were written; writing them again is harmless.
    """
    left_out: set[str] = set()
    for item in items:
        name = f"{item.row.id}.{suffix_of(item)}"
        partial = folder / f".{name}.part"
        with partial.open("wb") as file:
            file.write(item.body)
            file.flush()
            os.fdatasync(file.fileno())
        if item.row.id in withdrawn:
            partial.unlink()
            left_out.add(item.row.id)
        else:
            partial.replace(folder / name)
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return left_out
