"""One file of a job: read and shaped by a worker, into a place of its own; or held, with the reason.

Rules:
- A file is opened step by step from the folder, and handed to the worker as a descriptor; no name of it is.
- Whose a file is its worker says, as far as that stands in its bytes (``named``).
- What files of patients alone say of them is read first, for the texts of all other files; it is kept in memory while the job lasts. A file
  of which that failed is held, whatever comes of it later.
- A file that changed while it was read is held: what is only copied may be other bytes than those that were looked at.
- What is wrong with a file holds that file (``OF_A_FILE``). Everything else, a keeper, a database or a disk that fails, stops the job:
  of a file it says nothing, and all that followed would be held with it.

Deliberately absent: the order of files, and where they go.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from oathward.core.errors import DecodeError, DeidentificationError, InputError, OathwardError
from oathward.core.reasons import Reason
from oathward.deid.text.model import Known
from oathward.deidentifying import named, walk
from oathward.deidentifying.answers import counts_of, format_named, held_of, told_of, words_of
from oathward.deidentifying.format import HEAD_BYTES, LOGICAL, TOLD_MAX, Format, format_of
from oathward.deidentifying.journal import Entry
from oathward.deidentifying.looks import looks_like
from oathward.deidentifying.pool import Worker
from oathward.deidentifying.walk import Item
from oathward.deidentifying.whom import Secrets, Whom

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
OF_A_FILE = (DecodeError, DeidentificationError, InputError)
_NUMBER = "patient.identifier"
_TOKENS = re.compile(rb'"((?:[^"\\]|\\.)*)"(\s*:)?|[{}\[\]]')
_TYPE, _PATIENT = b"resourceType", b"Patient"


def of_patients(head: bytes) -> bool:
    """Say whether the first resource of a file is a patient, or may be: of a bulk export that file says who they are.

    Whatever the file is called, and whatever stands before its type. Where the type is further on, its reader will say.

    Args:
        head: first ``HEAD_BYTES`` of the file, or all of it.
    """
    if not head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{"):
        return False
    depth, asked = 0, False
    for token in _TOKENS.finditer(head):
        text, key = token.groups()
        if text is None:
            depth += 1 if token[0] in b"{[" else -1
            if not depth:
                return False
        elif asked and depth == 1:
            return bool(text == _PATIENT)
        asked = depth == 1 and text == _TYPE and key is not None
    return len(head) >= HEAD_BYTES and b'"resourceType"' in head


@dataclass(frozen=True, slots=True)
class Files:
    """The files of one job.

    Args:
        source: the folder, or one file. folder: names where the files come from, for identifiers.
        partial: folder, open, where files are written. names: what each is called there. words: hashes what is searched for of a patient.
    """

    source: Path
    folder: str
    whom: Whom
    partial: int
    names: Mapping[Item, str]
    words: Callable[[Known], Mapping[bytes, str]]
    unlearned: dict[str, OathwardError] = field(default_factory=dict)
    """Name of a file of patients -> why what it says of them is not known."""

    def learn(self, worker: Worker, item: Item) -> None:
        """Read what a file of patients says of them, before any text is cleaned; where that fails it is held later.

        Raises:
            OathwardError, OSError: it is not the file that is wrong; the job cannot go on.
        """
        if item.size <= 0:
            return
        try:
            source = walk.opened(self.source, item)
            try:
                if not of_patients(os.pread(source, HEAD_BYTES, 0)):
                    return
                for first in range(0, item.size, TOLD_MAX):
                    asked = {"op": "told", "name": self._shown(item), "first": first}
                    answer = worker.ask(asked, (source,))
                    _, who = self._whose(source, item, answer)
                    self.whom.learn(who, told_of(answer, len(who)))
                    if len(who) < TOLD_MAX:
                        break
            finally:
                os.close(source)
        except OF_A_FILE as error:
            self.unlearned[self.names[item]] = error

    def _whose(
        self, source: int, item: Item, answer: Mapping[str, Any]
    ) -> tuple[Format, list[list[list[Any]]]]:
        """Read what a file is and whom it names, as far as its bytes bear that out.

        Raises:
            DeidentificationError: ``NOT_IN_FILE``; ``WORKER_LOST``: it is of another format than its worker says.
        """
        kind, who = format_named(answer)
        if len(who) > os.fstat(source).st_size:  # of each unit at least a byte stands there
            raise DeidentificationError("worker", "units of its file", reason=Reason.WORKER_LOST)
        if format_of(os.pread(source, HEAD_BYTES, 0), self._shown(item)) is not kind:
            raise DeidentificationError("worker", "the format of its file", reason=Reason.WORKER_LOST)
        named.check(source, os.fstat(source).st_size, kind, who)
        return kind, who

    def _numbers(self, who: Sequence[Sequence[Sequence[Any]]]) -> dict[str, str]:
        """Hash the numbers by which a file got its seeds: these are searched for, whatever its worker says."""
        told = [(_NUMBER, "", str(one[0])) for unit in who for one in unit if one[2] != LOGICAL]
        return {word.hex(): cls for word, cls in self.words(Known(tuple(told))).items()}

    def _shown(self, item: Item) -> str:
        """Give of a name the last part alone: the rest names patients, and may be no text at all."""
        suffix = Path(item.path or self.source.name).suffix.lower()
        return suffix.encode("ascii", "replace").decode()

    def _suffix(self, item: Item, kind: Format) -> str:
        own = self._shown(item)
        return own if own in kind.keeps else kind.suffix

    def _looked(self, source: int, item: Item, held: list[list[Any]]) -> list[list[Any]]:
        """Say of a file of no format what it looks like, in words of ours: no worker's."""
        if [code for _, code, _ in held] != [Reason.DEID_FORMAT.code]:
            return held
        return [[-1, Reason.DEID_FORMAT.code, looks_like(os.pread(source, HEAD_BYTES, 0), self._shown(item))]]

    def work(self, worker: Worker, item: Item) -> Entry:
        """Take one file through a worker; whatever is wrong with it, it is held.

        Raises:
            OathwardError, OSError: it is not the file that is wrong; the job cannot go on.
        """
        entry = Entry(self.names[item], bytes_in=max(item.size, 0))
        if item.size == walk.TOO_DEEP:
            return replace(entry, held=[[-1, Reason.LIMIT_EXCEEDED.code, "folder"]])
        if item.size < 0:
            return replace(entry, held=[[-1, Reason.DEID_FORMAT.code, "no plain file"]])
        nothing = entry
        try:
            entry = self._asked(worker, item, entry)
            if entry.written and (error := self.unlearned.get(entry.name)) is not None:
                raise error
        except OF_A_FILE as error:
            if error.reason is Reason.WORKER_LOST:
                self._check_room(entry.name, item.size)
            entry = replace(nothing, held=[[-1, error.reason.code, error.where]])
        if not entry.written and not entry.held:
            entry = replace(entry, held=[[-1, Reason.NOTHING_LEFT.code, ""]])
        if not entry.written:
            with suppress(FileNotFoundError):
                os.unlink(entry.name, dir_fd=self.partial)
        return entry

    def _check_room(self, name: str, size: int) -> None:
        """See whether a worker was lost because the disk is full: ask for as much room as its file came with. It could say so itself, and lie.

        Raises:
            OSError: there is none.
        """
        with suppress(FileNotFoundError):
            out = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.partial)
            try:
                os.posix_fallocate(out, 0, max(size, 1))
            except OSError as error:
                if error.errno in _NO_ROOM:
                    raise
            finally:
                os.close(out)

    def _asked(self, worker: Worker, item: Item, entry: Entry) -> Entry:
        source = walk.opened(self.source, item)
        before = os.fstat(source)
        try:
            out = os.open(entry.name, _NEW, 0o640, dir_fd=self.partial)
            try:
                told = {"op": "file", "name": self._shown(item), "outgoing_id": entry.name.lower()}
                first = worker.ask(told, (source, out))
                if "who" not in first:
                    return replace(entry, held=self._looked(source, item, held_of(first)))
                kind, who = self._whose(source, item, first)
                units = self.whom.secrets(who, entry.name, self.folder)
                answer = worker.ask(_each_once(units))
                _unchanged(source, before)
                os.fdatasync(out)
                size = os.fstat(out).st_size
                subjects = sorted({one.subject for one in units if one and one.subject})
                places = {subject: place for place, subject in enumerate(subjects)}
                return replace(
                    entry,
                    format=kind.name,
                    suffix=self._suffix(item, kind) if size and answer.get("bytes") == size else "",
                    bytes_out=size,
                    units=len(units),
                    held=held_of(answer, len(units)),
                    removed=counts_of(answer, "removed"),
                    changed=counts_of(answer, "changed"),
                    words=words_of(answer) | self._numbers(who),
                    subjects=subjects,
                    whose=[places.get(one.subject, -1) if one else -1 for one in units],
                )
            finally:
                os.close(out)
        finally:
            os.close(source)


def _unchanged(source: int, before: os.stat_result) -> None:
    """Raise ``FILE_CHANGED`` where a file is not what it was when it was opened."""
    now = os.fstat(source)
    if (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise DeidentificationError("file", "as it was when it was opened", reason=Reason.FILE_CHANGED)


def _each_once(units: Sequence[Secrets | None]) -> dict[str, Any]:
    """Say what each unit is shaped with, each patient once: a file may have a hundred thousand lines of one."""
    seeds: list[Mapping[str, Any]] = []
    places: dict[int, int] = {}
    of: list[int | None] = []
    for one in units:
        if one is None:
            of.append(None)
            continue
        if id(one) not in places:
            places[id(one)] = len(seeds)
            seeds.append(one.told)
        of.append(places[id(one)])
    return {"seeds": seeds, "of": of}
