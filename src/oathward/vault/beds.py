"""Who lies in which bed, as authoritative sources say it: the table ``care_bed``.

Rules:
- A bed is a keyed hash of facility, point of care, room and bed: what stood there is not kept.
- What was said before what is known moves nobody; a discharge and a move without a bed leave the bed, an update without one does not.
- No stamp: a bed opens nothing. Rows that ended are forgotten after ``KEPT_US``, and with the patient.

Deliberately absent: which device stands where, reading of messages (``gateway/care_beds``).

Source: HL7 v2.8.2 §3.4.3.3 (PV1-3), §2A.3.60 (PL).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    LargeBinary,
    Table,
    Text,
    delete,
    select,
)

from oathward.core.db import METADATA, direct

care_bed = Table(
    "care_bed",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("bed", LargeBinary, primary_key=True),
    Column("since_us", BigInteger, nullable=False),
    Column("said_us", BigInteger, nullable=False),
    Column("until_us", BigInteger),
    Index("care_bed_bed", "site", "bed"),
    Index("care_bed_until", "site", "until_us"),
)

KEPT_US = 7 * 86_400_000_000
"""How long is known who lay in a bed before."""

_PUT = (
    "INSERT INTO care_bed (site, subject, bed, since_us, said_us, until_us) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (site, subject, bed) DO UPDATE SET"
    " since_us = excluded.since_us, said_us = excluded.said_us, until_us = excluded.until_us"
)


@dataclass(frozen=True, slots=True)
class Lying:
    """One patient in one bed. ``until_us``: None while they lie there. ``said_us``: when that was said."""

    subject: str
    bed: bytes
    since_us: int
    said_us: int
    until_us: int | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """Where a patient lies now. ``bed``: empty for none that was named. Times as of ``stays.Said``."""

    subject: str
    bed: bytes
    said_us: int
    at_us: int


def take(db: Connection, site: str, moves: Iterable[Moved]) -> None:
    """Keep where patients lie, as one message says, inside its transaction."""
    for one in moves:
        known = of(db, site, one.subject)
        if any(row.said_us > one.said_us for row in known):
            continue
        here = [row for row in known if row.until_us is None]
        for row in here:
            if row.bed != one.bed:
                direct(db, _PUT, (site, row.subject, row.bed, row.since_us, one.said_us, one.at_us))
        if one.bed:
            since_us = next((row.since_us for row in here if row.bed == one.bed), one.at_us)
            direct(db, _PUT, (site, one.subject, one.bed, since_us, one.said_us, None))


def of(db: Connection, site: str, subject: str) -> list[Lying]:
    """List where a patient lies and lay."""
    return _found(db, (care_bed.c.site == site) & (care_bed.c.subject == subject))


def in_bed(db: Connection, site: str, bed: bytes) -> list[Lying]:
    """List who lies in a bed, and who lay there."""
    return _found(db, (care_bed.c.site == site) & (care_bed.c.bed == bed))


def forget(db: Connection, site: str, subjects: Collection[str]) -> None:
    """Delete what is kept of subjects that were erased."""
    db.execute(delete(care_bed).where(care_bed.c.site == site, care_bed.c.subject.in_(sorted(subjects))))


def forget_before(db: Connection, site: str, now_us: int) -> int:
    """Forget who lay somewhere long ago."""
    old = care_bed.c.until_us < now_us - KEPT_US
    return db.execute(delete(care_bed).where(care_bed.c.site == site, old)).rowcount


def _found(db: Connection, where: ColumnElement[bool]) -> list[Lying]:
    rows = db.execute(select(care_bed).where(where).order_by(care_bed.c.since_us, care_bed.c.subject))
    return [Lying(row.subject, bytes(row.bed), row.since_us, row.said_us, row.until_us) for row in rows]
