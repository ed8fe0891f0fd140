"""What happens to uploads: seen, seen again, compared with the patient's word, over.

Rules:
- Each is a record: ``upload.seen`` where something about it is new, ``upload.compared`` where its answer changed,
  ``upload.ended``. They have the patient's random id, parties and classes; the evidence is a code.
- One that goes on without a yes is a finding, once an answer: ``upload.denied``, ``upload.never-asked``.

Deliberately absent: who may (``uploads.change``), the comparison itself (``uploading``), stopping anything: it does not pass
through here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from oathward.core.errors import InputError
from oathward.core.ids import uuid7
from oathward.core.labels import CLASSES, Purpose
from oathward.core.reasons import Reason
from oathward.ledger import Leaf, Record, append, prepare
from oathward.uploads import sql
from oathward.uploads.model import CLASSES_MAX, EVIDENCE, NAME_LENGTH_MAX, Answer, Sighting, UploadRow

SEEN_MAX = 1_000
"""Sightings taken in one transaction."""

AHEAD_US = 300_000_000
"""So far ahead of this machine's clock a tool's may be."""


def fault(said: Sighting, now_us: int) -> tuple[str, str]:
    """Say which field of a sighting is wrong, and why; empty where none is. Never what stands there."""
    checks = (
        ("party", bool(said.party) == bool(said.maker), "a recipient or a maker, and not both"),
        ("maker", not _name(said.maker), f"a name of at most {NAME_LENGTH_MAX} letters, digits, spaces and .,&+'-"),
        ("classes", not said.classes or len(said.classes) > CLASSES_MAX, f"1 to {CLASSES_MAX} classes of data"),
        ("classes", not said.classes <= CLASSES, "a class there is not"),
        ("purpose", bool(said.purpose) and said.purpose not in set(Purpose), "a purpose there is not"),
        ("first", not 0 < said.since_us <= said.seen_us, "is not before the last time it was seen"),
        ("last", said.seen_us > now_us + AHEAD_US, "is in the future"),
        ("evidence", bool(said.evidence) and not EVIDENCE.fullmatch(said.evidence), "a code of 64 small letters, digits and ._:- at most"),
    )  # fmt: skip
    return next(((field, why) for field, wrong, why in checks if wrong), ("", ""))


def see(db: Connection, site: str, sightings: Sequence[Sighting], *, by: str, now_us: int) -> list[UploadRow]:
    """Keep what was seen. The last call before commit.

    Raises:
        InputError: names the field of the first that is wrong; nothing is kept then.
    """
    if len(sightings) > SEEN_MAX:
        raise InputError("uploads", f"at most {SEEN_MAX} at once", reason=Reason.LIMIT_EXCEEDED)
    for said in sightings:
        field, why = fault(said, now_us)
        if field:
            raise InputError(field, why, reason=Reason.INPUT_INVALID)
    found, leaves = [], list[Leaf]()
    for said in sightings:
        row, is_new = _kept(db, site, said, by, now_us)
        found.append(row)
        if is_new:
            leaves.append(_record("upload.seen", row, now_us, by=by, source=said.source.value))
    if leaves:
        append(db, site, leaves)
    return found


def end(db: Connection, site: str, id_: str, *, by: str, now_us: int) -> UploadRow:
    """Note that an upload is over. The last call before commit.

    Raises:
        InputError: ``not-found``; ``conflict``: it was over.
    """
    row = sql.one(db, site, id_)
    if row is None:
        raise InputError("upload", "there is none of this id", reason=Reason.NOT_FOUND)
    if row.ended_us:
        raise InputError("upload", "is over already", reason=Reason.CONFLICT)
    done = replace(row, ended_us=now_us)
    sql.change(db, site, done)
    append(db, site, [_record("upload.ended", done, now_us, by=by)])
    return done


def compared(db: Connection, site: str, answers: Mapping[str, Answer], *, now_us: int) -> int:
    """Keep what comparing came to; gives how many records that made. The last call before commit."""
    leaves = list[Leaf]()
    for id_, answer in answers.items():
        row = sql.one(db, site, id_)
        if row is None or row.ended_us or row.answer is answer:
            continue
        now = replace(row, answer=answer, compared_us=now_us)
        sql.change(db, site, now)
        leaves.append(_record("upload.compared", now, now_us, answer=answer.value))
        if now.wrong:
            body = {"finding": f"upload.{answer.value}", "upload": id_}
            leaves.append(prepare(Record("finding.raised", body, now_us, row.sighting.subject)))
    if leaves:
        append(db, site, leaves)
    return len(leaves)


def forget(db: Connection, site: str, subjects: Collection[str]) -> None:
    """Delete what is kept of subjects that were erased."""
    sql.forget(db, site, subjects)


def _kept(db: Connection, site: str, said: Sighting, by: str, now_us: int) -> tuple[UploadRow, bool]:
    """Keep one sighting; says whether anything about its upload is new but when it was last seen."""
    known = sql.going_on(db, site, said)
    if known is None:
        row = UploadRow(uuid7(now_us // 1_000), said, by)
        sql.put(db, site, row)
        return row, True
    was = known.sighting
    now = replace(
        was,
        classes=was.classes | said.classes,
        since_us=min(was.since_us, said.since_us),
        seen_us=max(was.seen_us, said.seen_us),
        evidence=said.evidence or was.evidence,
    )
    row = replace(known, sighting=now)
    if now != was:
        sql.change(db, site, row)
    return row, replace(now, seen_us=was.seen_us) != was


def _record(kind: str, row: UploadRow, now_us: int, **more: str) -> Leaf:
    said = row.sighting
    body: dict[str, Any] = {
        "classes": sorted(said.classes),
        "device": said.device,
        "id": row.id,
        "maker": said.maker,
        "party": said.party,
        "purpose": said.purpose,
    }
    if kind == "upload.seen":
        body |= {"evidence": said.evidence, "last": said.seen_us, "since": said.since_us}
    return prepare(Record(kind, body | more, now_us, said.subject))


def _name(text: str) -> bool:
    if not text:
        return True
    fine = all(one.isalnum() or one in " .,&+'-" for one in text)
    return fine and len(text) <= NAME_LENGTH_MAX and text == " ".join(text.split()) and text[0].isalnum()
