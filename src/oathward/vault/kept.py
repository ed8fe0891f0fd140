"""Where sealed originals lie: the table ``kept_body``, by which the keeper finds what it opens.

Rules:
- One row a message and sealed purpose; inserted in the group commit, after the body was flushed.
- The row is not trusted: site, subject, message and purpose are bound into the seal, so a row that was
  changed opens nothing.
- ``state``: ``kept``, or ``erased`` once the subject's keys are destroyed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    LargeBinary,
    Row,
    Table,
    Text,
    delete,
    func,
    select,
    update,
)

from oathward.core.db import METADATA, insert_many
from oathward.core.ids import uuid7
from oathward.vault.bodies import BodyRef
from oathward.vault.seal import SealedBody

kept_body = Table(
    "kept_body",
    METADATA,
    Column("message", Text, primary_key=True),
    Column("purpose", Text, primary_key=True),
    Column("site", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("store", Text, nullable=False),
    Column("segment", BigInteger, nullable=False),
    Column("offset_bytes", BigInteger, nullable=False),
    Column("length_bytes", BigInteger, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Index("kept_body_subject", "subject", "message"),
    Index("kept_body_segment", "store", "segment"),
    sqlite_with_rowid=False,
)

_IN_MAX = 500

QUARANTINE, ARRIVED = "quarantine", "consent:arrived"
APART = frozenset((QUARANTINE, ARRIVED))
"""Purposes of originals that were not kept for a recipient: what is held, and consents that wait for a person."""

PAPERS = frozenset(("consent", "breakglass"))
"""Purposes of originals that no device sent: papers, and words of staff."""

NOBODYS = "unattributed-"
"""What the subjects of a day begin with under which lies what was held before anybody knew whose it is (ADR 0010)."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One sealed original. ``purpose`` is what it was sealed for, e.g. ``keep`` or ``quarantine``."""

    message: str
    purpose: str
    site: str
    subject: str
    key_id: str
    body: BodyRef
    state: str
    at_us: int


def row(
    site: str, message: str, subject: str, purpose: str, sealed: SealedBody, ref: BodyRef, at_us: int
) -> tuple[Any, ...]:
    """Build one row for ``insert_rows``: message, purpose, site, subject, key, body reference, state, time."""
    return (
        *(message, purpose, site, subject, sealed.key_id),
        *(ref.store, ref.id, ref.offset, ref.length, ref.sha256, "kept", at_us),
    )


def insert_rows(db: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows made by ``row``: the hot way in."""
    insert_many(db, kept_body, rows)


def find(db: Connection, site: str, messages: Sequence[str]) -> list[Kept]:
    """Look up originals of messages, in order of message id."""
    found: list[Kept] = []
    for start in range(0, len(messages), _IN_MAX):
        some = list(messages[start : start + _IN_MAX])
        query = select(kept_body).where(kept_body.c.message.in_(some), kept_body.c.site == site)
        found += [_kept(r) for r in db.execute(query)]
    return sorted(found, key=lambda k: (k.message, k.purpose))


def of_subject(db: Connection, site: str, subject: str, *, after: str = "", limit: int = 500) -> list[Kept]:
    """List a subject's originals by time (message ids sort by it), from behind a message id."""
    query = select(kept_body).where(
        kept_body.c.subject == subject, kept_body.c.message > after, kept_body.c.site == site
    )
    return [_kept(r) for r in db.execute(query.order_by(kept_body.c.message).limit(limit))]


def newest(
    db: Connection, site: str, subjects: Sequence[str], *, after: str = "", limit: int = 500
) -> list[Kept]:
    """List what was kept of one patient's subjects for a recipient, newest first, one original a message."""
    where = (kept_body.c.subject.in_(subjects)) & (kept_body.c.site == site) & (kept_body.c.state == "kept")
    where &= (kept_body.c.message > after) & kept_body.c.purpose.not_in(sorted(APART))
    query = select(kept_body).where(where).order_by(kept_body.c.message.desc(), kept_body.c.purpose)
    found: dict[str, Kept] = {}
    for row in db.execute(query.limit(limit * 2)):  # a message may be kept on several links
        found.setdefault(row.message, _kept(row))
    return list(found.values())[:limit]


def newest_ids(db: Connection, site: str, subject: str, *, after: str = "", limit: int) -> list[str]:
    """List the messages of which something was kept of a subject for a recipient, newest first; no body's place is read.

    Args:
        after: only those behind this id.
    """
    where = (kept_body.c.subject == subject) & (kept_body.c.site == site) & (kept_body.c.state == "kept")
    where &= (kept_body.c.message > after) & kept_body.c.purpose.not_in(sorted(APART | PAPERS))
    query = select(kept_body.c.message).where(where).distinct().order_by(kept_body.c.message.desc())
    return list(db.execute(query.limit(limit)).scalars())


def between(db: Connection, site: str, subject: str, *, after: str, until: str, limit: int) -> list[Kept]:
    """List what was kept of a subject for a recipient, oldest first, one original a message, behind one id up to another."""
    where = (kept_body.c.subject == subject) & (kept_body.c.site == site) & (kept_body.c.state == "kept")
    where &= (kept_body.c.message > after) & (kept_body.c.message <= until)
    where &= kept_body.c.purpose.not_in(sorted(APART | PAPERS))
    query = select(kept_body).where(where).order_by(kept_body.c.message, kept_body.c.purpose)
    found: dict[str, Kept] = {}
    for row in db.execute(query.limit(limit * 2)):  # a message may be kept on several links
        found.setdefault(row.message, _kept(row))
    return list(found.values())[:limit]


def among(db: Connection, site: str, subject: str, messages: Sequence[str]) -> list[Kept]:
    """Find those of some messages that were kept of a subject for a recipient, in their order, one original a message."""
    fine = [
        row
        for row in find(db, site, messages)
        if row.subject == subject and row.state == "kept" and row.purpose not in APART | PAPERS
    ]
    found = {row.message: row for row in reversed(fine)}
    return [found[one] for one in dict.fromkeys(messages) if one in found]


def of_nobody(db: Connection, site: str) -> dict[str, int]:
    """Count the originals that can still be opened and belong to nobody: subject of the day -> how many."""
    where = (
        kept_body.c.subject.startswith(NOBODYS) & (kept_body.c.site == site) & (kept_body.c.state == "kept")
    )
    query = select(kept_body.c.subject, func.count().label("originals")).where(where)
    rows = db.execute(query.group_by(kept_body.c.subject).order_by(kept_body.c.subject))
    return {row.subject: row.originals for row in rows}


def mark_erased(db: Connection, site: str, subject: str) -> int:
    """Note that a subject's originals can never be opened again; gives how many, those noted before too."""
    where = (kept_body.c.subject == subject) & (kept_body.c.site == site) & (kept_body.c.state == "kept")
    db.execute(update(kept_body).where(where).values(state="erased"))
    gone = (kept_body.c.subject == subject) & (kept_body.c.site == site) & (kept_body.c.state == "erased")
    return db.execute(select(func.count()).select_from(kept_body).where(gone)).scalar_one()


def delete_before(db: Connection, site: str, purpose: str, before_us: int, limit: int) -> int:
    """Forget rows past the retention of their purpose, a bounded number at a time."""
    bound = uuid7(before_us // 1_000)[:13]  # the part that is time: less than any id of that millisecond
    old = select(kept_body.c.message).where(
        kept_body.c.message < bound, kept_body.c.site == site, kept_body.c.purpose == purpose
    )
    some = old.order_by(kept_body.c.message).limit(limit)
    gone = delete(kept_body).where(kept_body.c.message.in_(some), kept_body.c.purpose == purpose)
    return db.execute(gone).rowcount


def drop(db: Connection, message: str, purpose: str) -> None:
    """Let go of one sealed original; its segment goes when nothing in it is named any more."""
    db.execute(delete(kept_body).where(kept_body.c.message == message, kept_body.c.purpose == purpose))


def last_ref(db: Connection, store: str) -> BodyRef | None:
    """Find the last body of a store that a row names: for ``SegmentStore.discard_tail``."""
    query = select(kept_body).where(kept_body.c.store == store)
    last = query.order_by(kept_body.c.segment.desc(), kept_body.c.offset_bytes.desc()).limit(1)
    found = db.execute(last).first()
    return _kept(found).body if found else None


def segments_in_use(db: Connection, store: str) -> set[int]:
    """Give the segments that rows still name; the others may be dropped."""
    query = select(kept_body.c.segment).where(kept_body.c.store == store).distinct()
    return set(db.execute(query).scalars())


def _kept(r: Row[Any]) -> Kept:
    ref = BodyRef(r.store, r.segment, r.offset_bytes, r.length_bytes, bytes(r.sha256))
    return Kept(r.message, r.purpose, r.site, r.subject, r.key_id, ref, r.state, r.at_us)
