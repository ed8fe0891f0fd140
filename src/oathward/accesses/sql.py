"""The tables of access reviews and the only SQL on them: ``access_review``, ``access_taken``.

No subject stands here: whom an opening was about is read from its record, so an erasure leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Row,
    Table,
    Text,
    func,
    insert,
    select,
    update,
)

from oathward.accesses.model import ReviewRow
from oathward.core.db import METADATA

access_review = Table(
    "access_review",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("opening", BigInteger, primary_key=True, autoincrement=False),
    Column("person", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("due_us", BigInteger, nullable=False),
    Column("told", Boolean, nullable=False),
    Column("by", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("words", Text, nullable=False),
    Column("reviewed_us", BigInteger, nullable=False),
    Index("access_review_waiting", "site", "by", "due_us"),
)
access_taken = Table(
    "access_taken",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("upto", BigInteger, nullable=False),
)
"""Up to which record openings were looked at."""

_NAMES = tuple(one.name for one in fields(ReviewRow))


def put(db: Connection, site: str, rows: Sequence[ReviewRow]) -> None:
    """Write down openings that wait for a review."""
    if rows:
        db.execute(insert(access_review), [{"site": site, **_values(row)} for row in rows])


def change(db: Connection, site: str, row: ReviewRow) -> None:
    """Write a review as it stands now."""
    one = (access_review.c.site == site) & (access_review.c.opening == row.opening)
    db.execute(update(access_review).where(one).values(**_values(row)))


def one(db: Connection, site: str, opening: int) -> ReviewRow | None:
    """Read one review."""
    row = db.execute(
        select(access_review).where(access_review.c.site == site, access_review.c.opening == opening)
    ).first()
    return None if row is None else _row(row)


def rows(
    db: Connection,
    site: str,
    *,
    waiting: bool,
    person: str = "",
    due_before_us: int = 0,
    untold: bool = False,
    limit: int = 1_000,
) -> list[ReviewRow]:
    """List reviews, those due first: that wait, or that were made."""
    query = select(access_review).where(access_review.c.site == site, (access_review.c.by == "") == waiting)
    if person:
        query = query.where(access_review.c.person == person)
    if due_before_us:
        query = query.where(access_review.c.due_us < due_before_us)
    if untold:
        query = query.where(access_review.c.told.is_(False))
    return [
        _row(row)
        for row in db.execute(query.order_by(access_review.c.due_us, access_review.c.opening).limit(limit))
    ]


def by_person(db: Connection, site: str, since_us: int) -> dict[str, int]:
    """Count the unexplained openings of each person since a moment."""
    query = select(access_review.c.person, func.count()).where(
        access_review.c.site == site, access_review.c.at_us >= since_us
    )
    return {row[0]: row[1] for row in db.execute(query.group_by(access_review.c.person))}


def counts(db: Connection, site: str, now_us: int) -> tuple[int, int]:
    """Count what waits, and what of it is overdue."""
    waits = (access_review.c.site == site) & (access_review.c.by == "")
    waiting = db.execute(select(func.count()).select_from(access_review).where(waits)).scalar_one()
    late = select(func.count()).select_from(access_review).where(waits, access_review.c.due_us < now_us)
    return int(waiting), int(db.execute(late).scalar_one())


def upto(db: Connection, site: str) -> int | None:
    """Say up to which record openings were looked at; None before the first time."""
    found: int | None = db.execute(select(access_taken.c.upto).where(access_taken.c.site == site)).scalar()
    return found


def set_upto(db: Connection, site: str, index: int) -> None:
    """Note up to which record openings were looked at."""
    if db.execute(update(access_taken).where(access_taken.c.site == site).values(upto=index)).rowcount == 0:
        db.execute(insert(access_taken).values(site=site, upto=index))


def _values(row: ReviewRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _NAMES}


def _row(row: Row[Any]) -> ReviewRow:
    return ReviewRow(**{name: getattr(row, name) for name in _NAMES})
