"""One job: a folder in, what may leave of it out.

Steps:
1. list the folder; a job like this one that did not end goes on where its journal stops;
2. chunk by chunk: workers read, say whose, shape and write into ``.partial``; the chunk's files are flushed and moved into their places,
   then the journal's line is written;
3. search every file that was written for everything that is known of every patient of the job; what holds some is taken back;
4. the report.

Rules:
- The output folder is empty at first, or this job's. Nothing in it was not written by this job.
- Names in it are keyed by the project: the same file has the same name again, and whoever has the folder can tell which is which.
- What is held is counted by reason; at no point is a file copied because nobody knew what to do with it.

Deliberately absent: permission, words on a screen (``cli.deid``).
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from oathward.core.errors import InputError, OathwardError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.deid.action import token
from oathward.deid.profile import Profile
from oathward.deidentifying import walk
from oathward.deidentifying.journal import NAME, Entry, Journal
from oathward.deidentifying.pool import Worker
from oathward.deidentifying.walk import Item
from oathward.deidentifying.whom import Whom

CHUNK_FILES_MAX = 256
CHUNK_BYTES_MAX = 256 << 20
PARTIAL = ".partial"
_NAME_PURPOSE = "file"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done.

    Args:
        source: a folder or a file. target: a folder.
        profile_text: TOML of the profile.
        authority: assigning authority of identifiers that name none; empty: they mean something in ``folder`` alone.
        folder: names where the files come from, for identifiers and logical ids that mean something there alone.
        language: of texts; empty where it is told by each.
        time_s, memory_bytes: most for one file.
    """

    source: Path
    target: Path
    profile: Profile
    profile_text: str
    project: str
    authority: str = ""
    folder: str = "files"
    language: str = ""
    processes: int = 1
    time_s: float = 60.0
    memory_bytes: int = 2 << 30
    authorities: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Tell jobs apart: the same source, target and terms are the same job."""
        terms = (self.source.resolve(), self.target.resolve(), self.profile_text, self.project)
        told = [*map(str, terms), self.authority, self.folder, self.language]
        return hashlib.sha256(orjson.dumps(told)).hexdigest()


@dataclass(frozen=True, slots=True)
class Done:
    """What a job came to. ``resumed``: files that an earlier run of it had done."""

    id: str
    entries: Sequence[Entry]
    patients: int
    resumed: int
    residue: Mapping[str, int]


Say = Callable[[str, int, int], None]
"""(step, how many are done, of how many)."""


def run(order: Order, whom: Whom, jobs: Path, now_us: int, say: Say = lambda *_: None) -> Done:
    """Carry out a job, or what is left of it.

    Args:
        jobs: the site's folder of jobs.

    Raises:
        InputError: there is nothing to read, or the output folder is not this job's.
        DeidentificationError: workers cannot be confined here.
        OSError: the output cannot be written.
    """
    found = walk.items(order.source)
    id_, journal = _journal(order, jobs, now_us)
    partial = order.target / PARTIAL
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    names = {item: token(whom.device_key, _NAME_PURPOSE, item.path or order.source.name) for item in found}
    resumed = sum(name in journal.entries for name in names.values())
    waiting = [item for item in found if names[item] not in journal.entries]
    begun = _begun(order, journal)
    done = resumed
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(order.processes))
        workers = _Workers(begun, order.time_s)
        stack.callback(workers.end)
        for chunk in _chunks(waiting):
            one = _Chunk(order, whom, partial, names)
            entries = list(pool.map(lambda item, one=one: one.work(workers.mine(), item), chunk))
            _settle(order.target, partial, entries)
            journal.done(entries)
            done += len(entries)
            say("files", done, len(found))
        residue = _search(order, journal, workers, pool, say)
    shutil.rmtree(partial, ignore_errors=True)
    entries = [journal.entries[names[item]] for item in found]
    return Done(id_, entries, whom.patients, resumed, residue)


def folder_of(jobs: Path, id_: str) -> Path:
    """Give the folder of one job."""
    return jobs / id_


def _journal(order: Order, jobs: Path, now_us: int) -> tuple[str, Journal]:
    """Find the journal of this job, or begin one in an empty output folder."""
    for folder in sorted(jobs.iterdir(), reverse=True) if jobs.is_dir() else ():
        if (folder / NAME).is_file():
            with suppress(InputError):
                journal = Journal.read(folder)
                if journal.head.get("digest") == order.digest and journal.ended is None:
                    return folder.name, journal
    if order.target.exists() and (not order.target.is_dir() or any(order.target.iterdir())):
        raise InputError(
            "--out", "name an empty folder, or the one of a job that did not end", reason=Reason.CONFLICT
        )
    order.target.mkdir(parents=True, exist_ok=True)
    id_ = uuid7(now_us // 1_000)
    head = {
        "digest": order.digest,
        "word_key": base64.b64encode(secrets.token_bytes(32)).decode(),
        "profile": order.profile.name,
        "project": order.project,
        "begun_us": now_us,
    }
    return id_, Journal.begin(jobs / id_, head)


def _begun(order: Order, journal: Journal) -> dict[str, Any]:
    return {
        "profile": order.profile.name,
        "profile_text": order.profile_text,
        "folder": order.folder,
        "authority": order.authority,
        "authorities": dict(order.authorities),
        "language": order.language,
        "word_key": journal.head["word_key"],
        "memory_bytes_max": order.memory_bytes,
    }


def _chunks(waiting: Sequence[Item]) -> Iterator[list[Item]]:
    chunk: list[Item] = []
    size = 0
    for item in waiting:
        if chunk and (len(chunk) == CHUNK_FILES_MAX or size + item.size > CHUNK_BYTES_MAX):
            yield chunk
            chunk, size = [], 0
        chunk.append(item)
        size += max(item.size, 0)
    if chunk:
        yield chunk


class _Workers:
    """A worker a thread."""

    def __init__(self, begun: Mapping[str, Any], time_s: float) -> None:
        self._begun, self._time_s = begun, time_s
        self._mine = threading.local()
        self._all: list[Worker] = []

    def mine(self) -> Worker:
        """Give this thread's worker."""
        found: Worker | None = getattr(self._mine, "worker", None)
        if found is None:
            found = self._mine.worker = Worker(self._begun, self._time_s)
            self._all.append(found)
        return found

    def end(self) -> None:
        """End them all."""
        for worker in self._all:
            worker.end()


@dataclass(frozen=True, slots=True)
class _Chunk:
    order: Order
    whom: Whom
    partial: Path
    names: Mapping[Item, str]

    def work(self, worker: Worker, item: Item) -> Entry:
        """Take one file through a worker; whatever is wrong with it, it is held."""
        entry = Entry(self.names[item], bytes_in=max(item.size, 0))
        if item.size < 0:
            return replace(entry, held=[[-1, Reason.DEID_FORMAT.code, "no plain file"]])
        target = self.partial / entry.name
        try:
            answer = self._asked(worker, item, entry.name, target)
        except OathwardError as error:
            answer = {"held": [[-1, error.reason.code, error.where]]}
        if not answer.get("bytes"):
            target.unlink(missing_ok=True)
        return replace(
            entry,
            format=answer.get("format", ""),
            suffix=answer["suffix"] if answer.get("bytes") else "",
            bytes_out=answer.get("bytes", 0),
            units=answer.get("units", 0),
            held=answer["held"],
            removed=answer.get("removed", {}),
            changed=answer.get("changed", {}),
            words=answer.get("words", {}),
        )

    def _asked(self, worker: Worker, item: Item, name: str, target: Path) -> dict[str, Any]:
        source = walk.opened(self.order.source, item)
        try:
            out = os.open(target, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
            try:
                told = {"op": "file", "name": item.path.lower(), "outgoing_id": name.lower()}
                first = worker.ask(told, (source, out))
                if "who" not in first:
                    return first
                seeds = self.whom.secrets(first["who"], name, self.order.folder)
                return worker.ask({"seeds": seeds}) | {"format": first["format"]}
            finally:
                os.close(out)
        finally:
            os.close(source)


def _settle(target: Path, partial: Path, entries: Sequence[Entry]) -> None:
    """Flush a chunk's files and move them into their places."""
    os.sync()
    for entry in entries:
        if entry.written:
            place = target / entry.file
            place.parent.mkdir(exist_ok=True)
            (partial / entry.name).replace(place)
    os.sync()


def _search(
    order: Order, journal: Journal, workers: _Workers, pool: ThreadPoolExecutor, say: Say
) -> dict[str, int]:
    """Search what was written, and take back what holds something that is known; gives counts by class."""
    words = {word: cls for entry in journal.entries.values() for word, cls in entry.words.items()}
    written = [entry for entry in journal.entries.values() if entry.written]
    knowing: set[int] = set()
    residue: dict[str, int] = {}

    def searched(entry: Entry) -> Mapping[str, int]:
        worker = workers.mine()
        if id(worker) not in knowing:
            worker.ask({"op": "known", "words": words})
            knowing.add(id(worker))
        fd = os.open(order.target / entry.file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            found: Mapping[str, int] = worker.ask({"op": "search"}, (fd,))["found"]
        except OathwardError:  # its successor knows nothing yet; what was not searched does not stay
            knowing.discard(id(worker))
            return {Reason.WORKER_LOST.code: 1}
        else:
            return found
        finally:
            os.close(fd)

    back: list[Entry] = []
    for number, (entry, found) in enumerate(zip(written, pool.map(searched, written), strict=True), 1):
        if found:
            (order.target / entry.file).unlink()
            held = [*entry.held, *([-1, Reason.DEID_RESIDUE.code, cls] for cls in sorted(found))]
            back.append(replace(entry, suffix="", bytes_out=0, held=held))
            for cls, count in found.items():
                residue[cls] = residue.get(cls, 0) + count
        say("search", number, len(written))
    if back:
        journal.done(back)
    return residue
