"""A worker: reads foreign files that the parent opened, says whose they are, and writes what may leave.

``python -m oathward.deidentifying.worker FD``. One file at a time:

| parent | worker |
|---|---|
| a file to read, and nothing to write | its format, identifiers and what it says of each unit's patient |
| a file to read and one to write, the name that it gets | its format, the identifiers of each unit; or why it is held |
| the secrets of each patient, and which unit has which; None where nothing may be said of them | counts, what is held and why; the file is written |

Rules:
- It is confined (``sandbox``) before the first file, and says so; a worker that cannot be ends.
- Nothing is kept from file to file but compiled plans: what was parsed is gone with the frame.
- No value goes into an error: reasons and places do.
- An error that nobody foresaw ends the worker. The parent holds the file, and starts another.

Deliberately absent: time limits (the parent's), and everything of the site.
"""

from __future__ import annotations

import base64
import gc
import mmap
import os
import socket
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from oathward.core import frames
from oathward.core.authorities import Authorities
from oathward.core.errors import DecodeError, OathwardError
from oathward.core.reasons import Reason
from oathward.core.sandbox import confine
from oathward.core.words import WordHasher
from oathward.deid.action import Seeds
from oathward.deid.pixels.model import Read
from oathward.deid.pixels.models import rows_of
from oathward.deid.profile import parse
from oathward.deid.text.model import Ask, Context, Known
from oathward.deidentifying import reading, residue
from oathward.deidentifying.format import (
    HEAD_BYTES,
    TOLD_MAX,
    Content,
    Folder,
    Format,
    Piece,
    Shaped,
    Terms,
    Unit,
    format_of,
    formats,
)
from oathward.deidentifying.local_model import Command, LocalModel
from oathward.deidentifying.provenance import origin_of
from oathward.patients.identifiers import Identifier
from oathward.protocols.shaping import REMOVE

COPY_BYTES = 1 << 20
WRITTEN_BYTES_MAX = max(one.bytes_max for one in formats().values()) + (1 << 30)
"""Of one file: as much as may come, and pixels that leave decoded (``deid.pixels.frames``)."""
_GC_THRESHOLD = 50_000
Asked = tuple[dict[str, Any], list[int]]
"""A question and the files beside it, as ``frames.receive`` gives them."""
_PATIENT = "patient."
_TOGETHER_MAX = 16
"""Units of a file that learn from each other; more are lines of an export, each with its own."""


def main(arguments: list[str]) -> int:
    """Serve the parent until it goes."""
    parent = socket.socket(fileno=int(arguments[0]))
    begun = frames.receive(parent)
    if begun is None:
        return 1
    # Whoever reads print is another program: it is started while that may be, and sees pictures alone.
    reader = reading.beside()
    model = LocalModel(Command(*begun[0]["text_model"])) if begun[0].get("text_model") else None
    worker = Worker(begun[0], reader.read if reader else None, model.find if model else None)
    confine(begun[0]["memory_bytes_max"], file_bytes_max=WRITTEN_BYTES_MAX)
    collect_rarely()
    frames.send(parent, {"ready": True})
    asked = frames.receive(parent, 2)
    while asked is not None:
        asked = _answer(worker, parent, *asked) or frames.receive(parent, 2)
    return 0


def _answer(
    worker: Worker, parent: socket.socket, head: Mapping[str, Any], files: Sequence[int]
) -> Asked | None:
    """Answer one question; gives the next where it came already."""
    try:
        if head["op"] == "known":
            frames.send(parent, worker.know(head["words"]))
        elif head["op"] == "search":
            frames.send(parent, worker.search(head["format"], head["own"], *files))
        elif head["op"] == "told":
            frames.send(parent, worker.told(head["name"], head["first"], *files))
        else:
            return worker.work(parent, head, *files)
    except OathwardError as error:
        frames.send(parent, {"held": [[-1, error.reason.code, error.where]]})
    except MemoryError:
        frames.send(parent, {"held": [[-1, Reason.LIMIT_EXCEEDED.code, "memory"]]})
    finally:
        for fd in files:
            os.close(fd)
    return None


def collect_rarely() -> None:
    """Look for cycles now and then: files make few, and looking often was a quarter of what FHIR takes (profiled)."""
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD, 20, 20)


class Worker:
    """What is kept from file to file.

    Args:
        begun: the first frame: profile, folder, language, key of the words that are searched for, what Provenance says of the job.
        read: reads print in pictures; None where nothing here does.
        ask: the site's own model of language; None where it has none.
    """

    def __init__(self, begun: Mapping[str, Any], read: Read | None, ask: Ask | None = None) -> None:
        authorities = Authorities(begun["authorities"])
        folder = Folder(begun["folder"], begun["authority"])
        self._terms = Terms(
            parse(begun["profile"], begun["profile_text"]),
            folder,
            authorities,
            begun["language"],
            read,
            models=rows_of(begun["pixel_boxes"], "pixel_boxes"),
            ask=ask,
        )
        self._origin = origin_of(begun, self._terms.profile)
        self._words = WordHasher(base64.b64decode(begun["word_key"]))
        self._plans: dict[str, Any] = {}
        self._known: dict[bytes, str] = {}

    def told(self, name: str, first: int, source: int) -> dict[str, Any]:
        """Give what a file says of its patients, for the texts of other files: of ``TOLD_MAX`` units from ``first`` on."""
        kind, content = self._read(name, source)
        units = content.units[first : first + TOLD_MAX]
        known = [
            [list(one) for one in unit.known().values if one[0].startswith(_PATIENT) and one[2]]
            for unit in units
        ]
        return {"format": kind.name, "who": _who(units), "known": known}

    def work(self, parent: socket.socket, head: Mapping[str, Any], source: int, target: int) -> Asked | None:
        """Take one file through its two questions; where the parent turned away from it, gives what it asks instead."""
        kind, content = self._read(head["name"], source, head["outgoing_id"].upper())
        frames.send(parent, {"format": kind.name, "who": _who(content.units)})
        told = frames.receive(parent, 2)
        if told is None:
            sys.exit(0)
        if "seeds" not in told[0]:  # whom it names does not stand in it, or was erased
            return told
        seeds = [None if one is None else told[0]["seeds"][one] for one in told[0]["of"]]
        done = self._shaped(kind, content, seeds, head["outgoing_id"])
        frames.send(
            parent, done | {"bytes": _write(source, target, done.pop("pieces")), "suffix": kind.suffix}
        )
        return None

    def _read(self, name: str, source: int, file: str = "") -> tuple[Format, Content]:
        size = os.fstat(source).st_size
        kind = self._kind(source, size, name)
        mapped = _mapped(source, size)  # never closed by hand: what was read of it may still point into it
        origin = self._origin._replace(file=file) if file else None
        terms = replace(self._terms, origin=origin, suffix=name)
        return kind, kind.read(mapped[:] if kind.whole else memoryview(mapped), terms)

    def _kind(self, source: int, size: int, name: str) -> Format:
        if not size:
            raise DecodeError("file", "something in it", reason=Reason.MESSAGE_EMPTY)
        kind = format_of(os.pread(source, HEAD_BYTES, 0), name)
        if kind is None:
            raise DecodeError("file", "a format that is de-identified here", reason=Reason.DEID_FORMAT)
        if size > kind.bytes_max:
            raise DecodeError("file", f"at most {kind.bytes_max} bytes", reason=Reason.LIMIT_EXCEEDED)
        return kind

    def _shaped(
        self, kind: Format, content: Content, seeds: Sequence[Mapping[str, Any] | None], outgoing_id: str
    ) -> dict[str, Any]:
        plan = self._plans.get(kind.name)
        if plan is None:
            plan = self._plans[kind.name] = kind.compile(self._terms)
        removed: Counter[str] = Counter()
        changed: Counter[str] = Counter()
        held: list[list[object]] = []
        parts: list[Shaped | None] = []
        words: dict[bytes, str] = {}
        known = [unit.known() for unit in content.units]
        others = _others(known)
        for number, (unit, secrets) in enumerate(zip(content.units, seeds, strict=True)):
            part = None
            try:
                if secrets is None:
                    raise OathwardError("patient", reason=Reason.PATIENT_AMBIGUOUS)
                own = _seeds(secrets, f"{outgoing_id}{number or ''}", self._terms, others)
                part = unit.shape(plan, own)
                removed.update(part.removed)
                changed.update(part.changed)
            except OathwardError as error:
                held.append([number, error.reason.code, error.where])
            parts.append(part)
            words |= residue.words_of(known[number], self._terms.profile, self._words)
        pieces = content.put_together(parts) if any(part is not None for part in parts) else ()
        return {
            "pieces": pieces,
            "held": held,
            "units": len(parts),
            "removed": dict(removed),
            "changed": dict(changed),
            "words": {word.hex(): cls for word, cls in words.items()},
        }

    def know(self, words: Mapping[str, str]) -> dict[str, Any]:
        """Take in more of what is searched for: hashes in hexadecimal and the class of each."""
        self._known |= {bytes.fromhex(word): cls for word, cls in words.items()}
        return {"known": len(self._known)}

    def search(self, kind: str, own: Mapping[str, str], target: int) -> dict[str, Any]:
        """Search one file that was written for what is known; gives counts by class, and what it is to be named by beside the output.

        Args:
            kind: its format; empty for what is of none.
            own: what is searched for in this file, as ``know`` takes it, besides.
        """
        here = {bytes.fromhex(word): cls for word, cls in own.items()}
        with _mapped(target, os.fstat(target).st_size) as mapped:
            data = mapped[:]
        of = formats()[kind] if kind else None
        texts = of.texts(data) if of and of.texts else None
        found = dict(residue.found_in(data, self._words, self._known, texts, here))
        return {"found": found, "named": of.named(data) if of and not found else ""}


def _who(units: Sequence[Unit]) -> list[list[list[object]]]:
    return [[_plain(one) for one in unit.identifiers] for unit in units]


def _plain(one: Identifier) -> list[object]:
    return [one.value.reveal(), one.authority, one.type, one.local]


def _others(known: Sequence[Known]) -> tuple[tuple[str, str, str], ...]:
    """Give what a file of few patients says of staff, places and organisations: texts of each may name those of another."""
    if not 1 < len(known) <= _TOGETHER_MAX:
        return ()
    return tuple({told: None for one in known for told in one.values if not told[0].startswith(_PATIENT)})


def _seeds(
    secrets: Mapping[str, Any], outgoing_id: str, terms: Terms, others: tuple[tuple[str, str, str], ...]
) -> Seeds:
    known = Known((*map(tuple, secrets["known"]), *others))
    return Seeds(
        base64.b64decode(secrets["seed"]),
        base64.b64decode(secrets["device_key"]),
        outgoing_id,
        secrets["year"],
        secrets["source"],
        identity=False,
        days=secrets["days"],
        offset_min=secrets["offset_min"],
        text=Context(known, lambda _cls, _part: REMOVE, terms.language, ask=terms.ask),
    )


def _mapped(fd: int, size: int) -> mmap.mmap:
    return mmap.mmap(fd, size, access=mmap.ACCESS_READ)


def _write(source: int, target: int, pieces: Sequence[Piece]) -> int:
    """Write a file from its pieces; what is only copied never enters this process. Gives its length."""
    written = 0
    for piece in pieces:
        if isinstance(piece, bytes):
            view = memoryview(piece)
            while view:
                view = view[os.write(target, view) :]
            written += len(piece)
            continue
        offset, left = piece
        written += left
        while left:
            done = os.copy_file_range(source, target, min(left, COPY_BYTES), offset)
            if not done:
                raise DecodeError("file", "as many bytes as it said", reason=Reason.MESSAGE_UNDECODABLE)
            offset, left = offset + done, left - done
    return written


def _ended(kind: type[BaseException], _error: BaseException, trace: TracebackType | None) -> None:
    """Tell where a bug is, and not what it was about: an error's words often hold what was read."""
    where = ""
    while trace is not None:
        where = f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    sys.stderr.write(f"oathward deid: a worker ended by {kind.__name__}{where}; its file is held\n")


if __name__ == "__main__":
    sys.excepthook = _ended
    sys.exit(main(sys.argv[1:]))
