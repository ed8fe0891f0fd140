"""The tables of access reviews and the only SQL on them: ``access_review``, ``access_step``, ``access_duty``, ``access_taken``.

No subject stands here: whom an opening was about is read from its record, so an erasure leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    LargeBinary,
    Row,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)

from oathward.accesses.model import Duty, Filters, ReviewRow, Step, StepRow
from oathward.core.db import METADATA

access_review = Table(
    "access_review",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("opening", BigInteger, primary_key=True, autoincrement=False),
    Column("person", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("due_us", BigInteger, nullable=False),
    Column("watched", Text, nullable=False),
    Column("told", Boolean, nullable=False),
    Column("assigned", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("said_of", BigInteger, nullable=False),
    Column("reviewed_us", BigInteger, nullable=False),
    Index("access_review_waiting", "site", "by", "due_us"),
)
access_step = Table(
    "access_step",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("opening", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Text, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("by", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("about", Text, nullable=False),
)
access_duty = Table(
    "access_duty",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("number", Text, primary_key=True),
    Column("unit", Text, primary_key=True),
    Column("from_us", BigInteger, primary_key=True, autoincrement=False),
    Column("until_us", BigInteger, nullable=False),
    Column("source", Text, nullable=False),
    Index("access_duty_until", "site", "until_us"),
)
"""On-call rosters as they were imported: they explain openings and permit none."""

access_taken = Table(
    "access_taken",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("upto", BigInteger, nullable=False),
)
"""Up to which record openings were looked at."""

_IN_MAX = 500
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


def some(db: Connection, site: str, openings: Sequence[int]) -> list[ReviewRow]:
    """Read the reviews of some openings; those there are."""
    chosen = access_review.c.opening.in_(openings)
    return [
        _row(row) for row in db.execute(select(access_review).where(access_review.c.site == site, chosen))
    ]


def rows(
    db: Connection, site: str, wanted: Filters, *, untold: bool = False, limit: int = 1_000
) -> list[ReviewRow]:
    """List reviews: those that wait, first due first, or those that were made, newest first."""
    table = access_review.c
    query = select(access_review).where(table.site == site, (table.by == "") == wanted.waiting)
    if wanted.person:
        query = query.where(table.person == wanted.person)
    if wanted.assigned:
        query = query.where(table.assigned == wanted.assigned)
    if wanted.outcome:
        query = query.where(table.outcome == wanted.outcome)
    if wanted.due_before_us:
        query = query.where(table.due_us < wanted.due_before_us)
    if untold:
        query = query.where(table.told.is_(False))
    made = table.reviewed_us.desc(), table.opening.desc()
    order = (table.due_us, table.opening) if wanted.waiting else made
    return [_row(row) for row in db.execute(query.order_by(*order).limit(limit))]


def put_step(db: Connection, site: str, steps: Sequence[StepRow]) -> None:
    """Write down what happened to reviews."""
    if steps:
        db.execute(insert(access_step), [{"site": site, **asdict(one)} for one in steps])


def steps(db: Connection, site: str, opening: int) -> list[StepRow]:
    """List what happened to one review, in order."""
    query = select(access_step).where(access_step.c.site == site, access_step.c.opening == opening)
    return [
        StepRow(row.id, row.opening, row.at_us, row.by, Step(row.step), row.about)
        for row in db.execute(query.order_by(access_step.c.at_us, access_step.c.id))
    ]


def put_duties(db: Connection, site: str, source: str, duties: Sequence[Duty]) -> None:
    """Keep the lines of a roster in place of what the same roster said of the time it covers."""
    if not duties:
        return
    first, last = min(one.from_us for one in duties), max(one.until_us for one in duties)
    mine = (access_duty.c.site == site) & (access_duty.c.source == source)
    db.execute(delete(access_duty).where(mine, access_duty.c.from_us >= first, access_duty.c.from_us < last))
    for one in duties:
        key = (access_duty.c.number == one.number) & (access_duty.c.unit == one.unit)
        same = (access_duty.c.site == site) & key & (access_duty.c.from_us == one.from_us)
        db.execute(delete(access_duty).where(same))
    db.execute(insert(access_duty), [{"site": site, **asdict(one)} for one in duties])


def duties(db: Connection, site: str, numbers: Collection[str], from_us: int, until_us: int) -> list[Duty]:
    """List when some people were on call within a time."""
    table = access_duty.c
    where = (table.site == site) & (table.until_us > from_us) & (table.from_us <= until_us)
    listed, found = sorted(numbers), []
    for start in range(0, len(listed), _IN_MAX):
        query = select(access_duty).where(where, table.number.in_(listed[start : start + _IN_MAX]))
        rows = db.execute(query.order_by(table.from_us, table.number))
        found += [Duty(row.number, row.unit, row.from_us, row.until_us, row.source) for row in rows]
    return found


def forget_duties(db: Connection, site: str, before_us: int) -> int:
    """Forget lines of rosters that were over before a moment."""
    gone = delete(access_duty).where(access_duty.c.site == site, access_duty.c.until_us < before_us)
    return db.execute(gone).rowcount


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
    values = {name: getattr(row, name) for name in _NAMES}
    return ReviewRow(**values | {"sealed": bytes(row.sealed)})
