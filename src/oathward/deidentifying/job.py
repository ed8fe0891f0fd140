"""One job: a folder in, what may leave of it out.

Steps:
1. list the folder; a job like this one that did not end goes on where its journal stops;
2. files of patients alone are read for what they say of them, for the texts of all other files; nothing of it is kept;
3. chunk by chunk: workers read, say whose, shape and write into ``.partial``; the chunk's files are flushed and moved into their places,
   then the journal's line is written;
4. workers that read nothing else search every file that was written for everything that is known of every patient of the job; what
   holds some is taken back;
5. the report.

Rules:
- The output folder is empty at first, or this job's. Nothing in it was not written by this job, and noted: what is not in the journal of
  a run that was killed goes first.
- Names in it are keyed by the project: the same file has the same name again, and whoever has the folder can tell which is which.
- What is held is counted by reason; at no point is a file copied because nobody knew what to do with it.

Deliberately absent: permission, words on a screen (``cli.deid``).
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import secrets
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson

from oathward import __version__
from oathward.core.clock import from_micros, iso
from oathward.core.errors import InputError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.core.words import WordHasher
from oathward.deid.profile import Profile
from oathward.deidentifying import provenance, residue, walk
from oathward.deidentifying.answers import found_of, reference_of
from oathward.deidentifying.files import OF_A_FILE, Files
from oathward.deidentifying.journal import WORD_KEY, Entry, Journal
from oathward.deidentifying.local_model import Command
from oathward.deidentifying.pool import Worker
from oathward.deidentifying.provenance import origin_of
from oathward.deidentifying.residue import BIRTHS, leaves_dates
from oathward.deidentifying.walk import Item
from oathward.deidentifying.whom import Whom
from oathward.protocols.fhir.provenance import Origin

CHUNK_FILES_MAX = 256
CHUNK_BYTES_MAX = 256 << 20
PARTIAL = ".partial"
_NAME_BYTES = 10
_WORDS_MAX = 100_000
"""Told to a worker at once."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done.

    Args:
        source: a folder or a file. target: a folder.
        profile_text: TOML of the profile.
        authority: assigning authority of identifiers that name none; empty: they mean something in ``folder`` alone.
        folder: names where the files come from, for identifiers and logical ids that mean something there alone.
        language: of texts; empty where it is told by each. text_model: the site's own model of language; None: none is asked.
        pixel_boxes: where devices of the site draw text, as ``deid.pixels.models.rows_of`` reads it.
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
    pixel_boxes: str = ""
    text_model: Command | None = None
    processes: int = 1
    time_s: float = 60.0
    memory_bytes: int = 2 << 30
    authorities: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Tell jobs apart: the same source, target and terms are the same job."""
        terms = (self.source.resolve(), self.target.resolve(), self.profile_text, self.project)
        told = (*map(str, terms), self.authority, self.folder, self.language, self.pixel_boxes)
        return hashlib.sha256(orjson.dumps([*told, *(self.text_model or ())])).hexdigest()


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


@dataclass(frozen=True, slots=True)
class Heard:
    """Who is told how a job goes; each is called in the thread that called ``run``, and what it raises stops the job.

    Args:
        begun: id, how many files there are, what an earlier run did of them. Nothing is written before it returns.
        done: what became of files, once it is in the journal; again of a file that was taken back.
        say: how far it is, at each file.
    """

    begun: Callable[[str, int, Sequence[Entry]], None] = lambda *_: None
    done: Callable[[Sequence[Entry]], None] = lambda _: None
    say: Say = lambda *_: None


def run(order: Order, whom: Whom, jobs: Path, now_us: int, heard: Heard = Heard()) -> Done:
    """Carry out a job, or what is left of it.

    Args:
        jobs: the site's folder of jobs.

    Raises:
        InputError: there is no file to read, the output folder is not this job's or stands in what is read (or the other way
            round), or the same job is running.
        SandboxError: workers cannot be confined here.
        OSError: the output cannot be written.
    """
    source, target = order.source.resolve(), order.target.resolve()
    if source == target or source in target.parents or target in source.parents:
        raise InputError("--out", "must not stand in what is read, nor hold it", reason=Reason.CONFLICT)
    found = walk.items(order.source)
    id_, journal = _journal(order, jobs, now_us, files=len(found))
    with _alone(folder_of(jobs, id_)):
        return _run(order, whom, journal, found, id_, heard)


def _run(order: Order, whom: Whom, journal: Journal, found: Sequence[Item], id_: str, heard: Heard) -> Done:
    names = {item: name_of(whom.device_key, item.path or order.source.name) for item in found}
    earlier = [journal.entries[name] for name in names.values() if name in journal.entries]
    heard.begun(id_, len(found), earlier)
    _sweep(order.target, journal)
    partial = order.target / PARTIAL
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    waiting = [item for item in found if names[item] not in journal.entries]
    begun = _begun(order, journal)
    done = len(earlier)
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(order.processes))
        workers = _Workers(begun, order.time_s)
        stack.callback(workers.end)
        hasher = WordHasher(base64.b64decode(journal.head[WORD_KEY]))
        files = Files(
            order.source,
            order.folder,
            whom,
            partial,
            names,
            lambda known: residue.words_of(known, order.profile, hasher),
        )
        if waiting:
            learned = pool.map(lambda item: files.learn(workers.mine(), item), found)
            for number, _ in enumerate(learned, 1):
                heard.say("learn", number, len(found))
        for chunk in _chunks(waiting):
            entries = []
            for entry in pool.map(lambda item: files.work(workers.mine(), item), chunk):
                entries.append(entry)
                heard.say("files", done + len(entries), len(found))
            _settle(order.target, partial, entries)
            journal.done(entries)
            heard.done(entries)
            done += len(entries)
        # Whoever read strangers' files may be in a stranger's hands by now: others search what was written.
        searching = _Workers(begun | {"text_model": None}, order.time_s)
        stack.callback(searching.end)
        workers.end()
        found_again = _search(order, journal, searching, pool, origin_of(begun, order.profile), heard)
    shutil.rmtree(partial, ignore_errors=True)
    entries = [journal.entries[names[item]] for item in found]
    patients = len({subject for entry in entries for subject in entry.subjects})
    return Done(id_, entries, patients, len(earlier), found_again)


def name_of(device_key: bytes, path: str) -> str:
    """Give what a file is called in the output: keyed, and another one for every other path, byte for byte."""
    told = blake2b(os.fsencode(path), key=device_key, digest_size=_NAME_BYTES, person=b"file").digest()
    return base64.b32encode(told).decode()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Be the only one that runs this job.

    Raises:
        InputError: another one does.
    """
    fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise InputError("--out", "this job is running already", reason=Reason.CONFLICT) from error
    finally:
        os.close(fd)


def folder_of(jobs: Path, id_: str) -> Path:
    """Give the folder of one job."""
    return jobs / id_


def _journal(order: Order, jobs: Path, now_us: int, files: int) -> tuple[str, Journal]:
    """Find the journal of this job, or begin one in an empty output folder."""
    for folder in sorted(jobs.iterdir(), reverse=True) if jobs.is_dir() else ():
        if Journal.digest_of(folder) == order.digest:
            with suppress(InputError):
                journal = Journal.read(folder)
                if journal.ended is None and WORD_KEY in journal.head:
                    return folder.name, journal
    if not files:  # of a job that goes on they may have gone meanwhile
        raise InputError("PATH", "holds no file", reason=Reason.NOT_FOUND)
    if order.target.exists() and (not order.target.is_dir() or any(order.target.iterdir())):
        raise InputError(
            "--out", "name an empty folder, or the one of a job that did not end", reason=Reason.CONFLICT
        )
    order.target.mkdir(parents=True, exist_ok=True)
    id_ = uuid7(now_us // 1_000)
    head = {
        "digest": order.digest,
        WORD_KEY: base64.b64encode(secrets.token_bytes(32)).decode(),
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
        "pixel_boxes": order.pixel_boxes,
        "text_model": order.text_model and tuple(order.text_model),
        "program": f"Oathward {__version__}",
        "project": order.project,
        "recorded": iso(from_micros(journal.head["begun_us"])),
        "word_key": journal.head[WORD_KEY],
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


def _settle(target: Path, partial: Path, entries: Sequence[Entry]) -> None:
    """Move a chunk's files, which are flushed, into their places, and flush these."""
    folders = {target}
    for entry in entries:
        if entry.written:
            place = target / entry.file
            place.parent.mkdir(exist_ok=True)
            (partial / entry.name).replace(place)
            folders.add(place.parent)
    for folder in folders:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _sweep(target: Path, journal: Journal) -> None:
    """Take away what a run that was killed had moved and not noted: the file may be held now, or gone, and nobody would search it."""
    noted = {entry.file for entry in journal.entries.values() if entry.written}
    for path in target.glob("[A-Z2-7][A-Z2-7]/*"):
        if str(path.relative_to(target)) not in noted:
            path.unlink()


def _of_all(order: Order, journal: Journal) -> dict[str, str]:
    """Give what is searched for in every file."""
    apart = leaves_dates(order.profile)
    told = (one for entry in journal.entries.values() for one in entry.words.items())
    return {word: cls for word, cls in told if not (apart and cls.endswith(BIRTHS))}


def _births(entry: Entry) -> dict[str, str]:
    return {word: cls for word, cls in entry.words.items() if cls.endswith(BIRTHS)}


def _search(
    order: Order, journal: Journal, workers: _Workers, pool: ThreadPoolExecutor, origin: Origin, heard: Heard
) -> dict[str, int]:
    """Search what was written, and take back what holds something that is known; gives counts by class.

    What cannot say itself how it was made is named beside it, and that is searched too.
    """
    words = _of_all(order, journal)
    written = [entry for entry in journal.entries.values() if entry.written]
    knowing: set[int] = set()
    remains: Counter[str] = Counter()
    named: dict[str, str] = {}

    listed = sorted(words.items())
    batched = [dict(listed[i : i + _WORDS_MAX]) for i in range(0, len(listed), _WORDS_MAX)] or [{}]

    def searched(path: Path, kind: str, own: dict[str, str]) -> tuple[Mapping[str, int] | None, Reason, str]:
        worker = workers.mine()
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:  # taken back just before the job was stopped
            return {}, Reason.DEID_RESIDUE, ""
        try:
            if id(worker) not in knowing:
                for part in batched:
                    worker.ask({"op": "known", "words": part})
                knowing.add(id(worker))
            answer = worker.ask({"op": "search", "format": kind, "own": own}, (fd,))
            return found_of(answer), Reason.DEID_RESIDUE, reference_of(answer)
        except OF_A_FILE as error:  # its successor knows nothing yet; what was not searched does not stay
            knowing.discard(id(worker))
            return None, error.reason, ""
        finally:
            os.close(fd)

    answers = pool.map(lambda one: searched(order.target / one.file, one.format, _births(one)), written)
    for number, (entry, (found, why, reference)) in enumerate(zip(written, answers, strict=True), 1):
        path = order.target / entry.file
        if found or found is None or not path.exists():
            path.unlink(missing_ok=True)  # before it is noted: what is noted as taken back is not there
            held = [*entry.held, *([-1, why.code, cls] for cls in sorted(found or ("file",)))]
            back = replace(entry, suffix="", bytes_out=0, held=held)
            journal.done([back])
            heard.done([back])
            remains.update(found or {})
        elif reference:
            named[entry.name] = reference
        heard.say("search", number, len(written))
    beside = provenance.write(order.target, origin, named)
    if beside and (found := pool.submit(searched, beside, "", {}).result()[0]) != {}:
        beside.unlink()
        remains.update(found or {})
    return dict(remains)
