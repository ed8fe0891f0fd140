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
- The output folder is empty at first, or this job's, and one job at a time writes into it. Nothing in it was not written by this job, and
  noted: what is not in the journal of a run that was killed goes first.
- Names in it are keyed by the project: the same file has the same name again, and whoever has the folder can tell which is which.
- What is held is counted by reason; at no point is a file copied because nobody knew what to do with it.

Deliberately absent: permission, words on a screen (``cli.deid``).
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
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
from oathward.deidentifying import residue, walk
from oathward.deidentifying.files import Files
from oathward.deidentifying.journal import WORD_KEY, Entry, Journal
from oathward.deidentifying.local_model import Command
from oathward.deidentifying.output import Output, alone
from oathward.deidentifying.pool import Worker, Workers, worth
from oathward.deidentifying.provenance import origin_of
from oathward.deidentifying.searching import search
from oathward.deidentifying.walk import Item
from oathward.deidentifying.whom import Whom

CHUNK_FILES_MAX = 256
CHUNK_BYTES_MAX = 256 << 20
_NAME_BYTES = 10
LOCKS = "deid-outputs"
"""Beside the folder of jobs: locks of output folders."""


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
        authorities: what the site calls its assigning authorities. apart: a merge leaves each number its pseudonym.
        by: who runs it; told to whoever would write into the same folder meanwhile. zone: whose offset times that move have.
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
    apart: bool = True
    by: str = ""
    zone: str = ""

    @property
    def digest(self) -> str:
        """Tell jobs apart: the same source, target and terms are the same job."""
        paths = (os.fsencode(one.resolve()).hex() for one in (self.source, self.target))  # not all are text
        told = (
            *paths,
            self.profile_text,
            self.project,
            self.authority,
            self.folder,
            self.language,
            self.pixel_boxes,
            self.zone,
            __version__,
        )
        whose = [sorted((name, sorted(same)) for name, same in self.authorities.items()), self.apart]
        return hashlib.sha256(orjson.dumps([*told, *(self.text_model or ()), whose])).hexdigest()


@dataclass(frozen=True, slots=True)
class Done:
    """What a job came to. ``resumed``: files that an earlier run of it had done; ``authorities``: as ``Whom.counts_apart`` gives it."""

    id: str
    entries: Sequence[Entry]
    patients: int
    resumed: int
    residue: Mapping[str, int]
    authorities: Mapping[str, int] = field(default_factory=dict)


Say = Callable[[str, int, int], None]
"""(step, how many are done, of how many)."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Who is told how a job goes; each is called in the thread that called ``run``, and what it raises stops the job.

    Args:
        begun: id, how many files there are, what an earlier run did of them. Nothing is written before it returns.
        done: what became of files, once it is in the journal; again of a file that was taken back.
        say: how far it is, at each file.
        beat: that it runs, every few seconds while it waits for a file.
        ended: what it came to, and where something may be put beside it; nobody else writes there before it returns.
    """

    begun: Callable[[str, int, Sequence[Entry]], None] = lambda *_: None
    done: Callable[[Sequence[Entry]], None] = lambda _: None
    say: Say = lambda *_: None
    beat: Callable[[], None] = lambda: None
    ended: Callable[[Done, Output], None] = lambda *_: None


def run(order: Order, whom: Whom, jobs: Path, now_us: int, heard: Heard = Heard()) -> Done:
    """Carry out a job, or what is left of it.

    Args:
        jobs: the site's folder of jobs.

    Raises:
        InputError: there is no file to read; the output folder is not this job's, was replaced, or stands in what is read (or the other
            way round); another job writes into it.
        SandboxError: workers cannot be confined here.
        KeeperError, StorageError, LedgerError: it cannot go on, and nothing was held for that; run again it goes on.
        OSError: the output cannot be written.
    """
    source, target = order.source.resolve(), order.target.resolve()
    if source == target or source in target.parents or target in source.parents:
        raise InputError("--out", "must not stand in what is read, nor hold it", reason=Reason.CONFLICT)
    found = walk.items(order.source)
    with alone(jobs.with_name(LOCKS), target, order.by, now_us):
        id_, journal = _journal(order, target, jobs, now_us, files=len(found))
        with Output(target, journal.head["begun_us"]) as output:
            done = _run(order, whom, journal, output, found, id_, heard)
            heard.ended(done, output)
            return done


def _run(
    order: Order,
    whom: Whom,
    journal: Journal,
    output: Output,
    found: Sequence[Item],
    id_: str,
    heard: Heard,
) -> Done:
    names = {item: name_of(whom.device_key, item.path or order.source.name) for item in found}
    found = sorted(
        found, key=names.__getitem__
    )  # their own order would say, beside that of another project, which is which
    earlier = [journal.entries[names[item]] for item in found if names[item] in journal.entries]
    heard.begun(id_, len(found), earlier)
    output.sweep(journal.entries.values())
    waiting = [item for item in found if names[item] not in journal.entries]
    begun = _begun(order, journal)

    def workers(told: Mapping[str, Any], sizes: Sequence[int]) -> Workers:
        return Workers(worth(sizes, order.processes), lambda: Worker(told, order.time_s), heard.beat)

    hasher = WordHasher(base64.b64decode(journal.head[WORD_KEY]))
    files = Files(
        order.source,
        order.folder,
        whom,
        output.partial(),
        names,
        lambda known: residue.words_of(known, order.profile, hasher),
    )
    done = len(earlier)
    with workers(begun, [item.size for item in found]) as reading:
        if waiting:
            for number, _ in enumerate(reading.map(files.learn, found), 1):
                heard.say("learn", number, len(found))
        for chunk in _chunks(waiting):
            entries = []
            for entry in reading.map(files.work, chunk):
                entries.append(entry)
                heard.say("files", done + len(entries), len(found))
            output.settle(entries)
            journal.done(entries)
            heard.done(entries)
            done += len(entries)
    # Whoever read strangers' files may be in a stranger's hands by now: others search what was written.
    sizes = [entry.bytes_out for entry in journal.entries.values() if entry.written]
    with workers(begun | {"text_model": None}, sizes) as searching:
        remains = search(order.profile, journal, output, searching, origin_of(begun, order.profile), heard)
    entries = [journal.entries[names[item]] for item in found]
    patients = len({subject for entry in entries for subject in entry.subjects})
    return Done(id_, entries, patients, len(earlier), remains, whom.counts_apart())


def name_of(device_key: bytes, path: str) -> str:
    """Give what a file is called in the output: keyed, and another one for every other path, byte for byte."""
    told = blake2b(os.fsencode(path), key=device_key, digest_size=_NAME_BYTES, person=b"file").digest()
    return base64.b32encode(told).decode()


def folder_of(jobs: Path, id_: str) -> Path:
    """Give the folder of one job."""
    return jobs / id_


def _journal(order: Order, target: Path, jobs: Path, now_us: int, *, files: int) -> tuple[str, Journal]:
    """Find the journal of this job, or begin one in an empty output folder."""
    over, ended, where = False, "", _digest_of(target)
    for folder in sorted(jobs.iterdir(), reverse=True) if jobs.is_dir() else ():
        with suppress(InputError):
            head = Journal.head_of(folder)
            if head.get("target") != where:
                continue
            journal = Journal.read(folder)
            if head["digest"] == order.digest and journal.ended is None and WORD_KEY in head:
                return folder.name, journal
            over = head["digest"] == order.digest and journal.ended is None
            ended = str((journal.ended or {}).get("ended", ""))
            break  # the folder is the last one's that began there: an older one that went on would take its files for strangers'
    if not files:  # of a job that goes on they may have gone meanwhile
        raise InputError("PATH", "holds no file", reason=Reason.NOT_FOUND)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        why = "name an empty folder, or the one of a job that did not end"
        if target.exists() and not target.is_dir():
            why = "is a file: name an empty folder"
        elif ended:
            why = f"a job ended here on {ended[:10]}, and what it released stands there: name an empty folder"
        elif over:
            why = "its job stopped too long ago to go on ([deid] resume_days): name an empty folder"
        raise InputError("--out", why, reason=Reason.CONFLICT)
    target.mkdir(parents=True, exist_ok=True)
    id_ = uuid7(now_us // 1_000)
    head = {
        "digest": order.digest,
        "target": where,
        WORD_KEY: base64.b64encode(secrets.token_bytes(32)).decode(),
        "profile": order.profile.name,
        "project": order.project,
        "begun_us": now_us,
    }
    return id_, Journal.begin(jobs / id_, head)


def _digest_of(target: Path) -> str:
    return hashlib.sha256(os.fsencode(target)).hexdigest()


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
