"""What of a job is done: a file of lines in the site's data folder, so that a job that was killed goes on.

Rules:
- A chunk's line is written, and flushed, after its files are in their places: at most one chunk is done twice.
- Lines name files by their names in the output alone; those of a folder name patients.
- A last line that was cut off counts as not written.
- The key of the hashes lives as long as the job, or as one that stopped may go on (``keeping``): numbers and birth dates are few enough
  to try them all under it.

Deliberately absent: values, paths.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import orjson

from oathward.core.errors import InputError
from oathward.core.reasons import Reason

NAME = "journal"
WORD_KEY = "word_key"
"""In the head: the key of the words that are searched for."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one file.

    Args:
        name: in the output, without its suffix. format: empty where nobody knows it. suffix: empty where nothing was written.
        held: (unit, or -1 for the whole file; reason code; place) of what does not leave.
        removed, changed: values by class.
        words: what is searched for: hash in hexadecimal -> class. subjects: whose units it has, by random id.
        whose: for each unit its place in ``subjects``; -1 where it names nobody.
    """

    name: str
    format: str = ""
    suffix: str = ""
    bytes_in: int = 0
    bytes_out: int = 0
    units: int = 0
    held: Sequence[Sequence[Any]] = field(default_factory=list)
    removed: Mapping[str, int] = field(default_factory=dict)
    changed: Mapping[str, int] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict, repr=False)
    subjects: Sequence[str] = field(default_factory=list)
    whose: Sequence[int] = field(default_factory=list, repr=False)

    @property
    def written(self) -> bool:
        """Whether a file of it leaves."""
        return bool(self.suffix)

    @property
    def file(self) -> str:
        """Where it stands in the output."""
        return f"{self.name[:2]}/{self.name}{self.suffix}"


class Journal:
    """The journal of one job.

    Args:
        folder: the job's own.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self.entries: dict[str, Entry] = {}
        self.head: dict[str, Any] = {}
        self.ended: dict[str, Any] | None = None
        self._end = 0

    @classmethod
    def begin(cls, folder: Path, head: Mapping[str, Any]) -> Self:
        """Begin a job's journal."""
        folder.mkdir(mode=0o700, parents=True)
        journal = cls(folder)
        journal.head = dict(head)
        journal._write({"head": journal.head})
        return journal

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read what is done.

        Raises:
            InputError: it is no journal.
        """
        journal = cls(folder)
        try:
            with journal._path.open("rb") as file:
                for line in file:
                    if line.endswith(b"\n"):
                        journal._take(orjson.loads(line))
                        journal._end += len(line)
        except (OSError, orjson.JSONDecodeError, TypeError, KeyError) as error:
            raise InputError("journal", "cannot be read", reason=Reason.INPUT_INVALID) from error
        return journal

    @staticmethod
    def head_of(folder: Path) -> Mapping[str, Any]:
        """Read what a job began with, and no more.

        Raises:
            InputError: it is no journal.
        """
        try:
            with (folder / NAME).open("rb") as file:
                return dict(orjson.loads(file.readline())["head"])
        except (OSError, orjson.JSONDecodeError, TypeError, KeyError, ValueError) as error:
            raise InputError("journal", "cannot be read", reason=Reason.INPUT_INVALID) from error

    def done(self, entries: Sequence[Entry]) -> None:
        """Note what became of a chunk."""
        self._write({"done": [asdict(one) for one in entries]})
        self.entries |= {one.name: one for one in entries}

    def end(self, summary: Mapping[str, Any]) -> None:
        """Note that the job ended; the key of its hashes is gone with that."""
        self._write({"end": dict(summary)})
        self.ended = dict(summary)
        self.forget_key()

    def forget_key(self) -> None:
        """Let the key of the hashes go, if it is there: the job cannot go on without it."""
        if self.head.pop(WORD_KEY, None) is None:
            return
        lines = self._path.read_bytes().split(b"\n", 1)[1]
        new = self._path.with_name(f"{NAME}.{os.getpid()}")
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(orjson.dumps({"head": self.head}) + b"\n" + lines)
            file.flush()
            os.fdatasync(fd)
        new.replace(self._path)
        self._end = self._path.stat().st_size

    def _take(self, line: Mapping[str, Any]) -> None:
        if "head" in line:
            self.head = line["head"]
        elif "done" in line:
            self.entries |= {one["name"]: Entry(**one) for one in line["done"]}
        else:
            self.ended = line["end"]

    def _write(self, line: Mapping[str, Any]) -> None:
        text = orjson.dumps(line) + b"\n"
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(fd, self._end)  # a line that was cut off is written over
            left = memoryview(text)
            while left:  # a disk that is nearly full takes a part, and refuses the next
                left = left[os.pwrite(fd, left, self._end + len(text) - len(left)) :]
            os.fdatasync(fd)
        finally:
            os.close(fd)
        self._end += len(text)
