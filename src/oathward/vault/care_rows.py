"""The rows that relations of care are found in, each with its stamp; see ``care`` for what they mean.

| table | says | written by |
|---|---|---|
| ``care_stay`` | a patient is at a unit, under these attendings | the gateway, from ADT (``stays``) |
| ``care_assignment`` | a person works at a unit, or cares for one patient, from when until when | ``oathward care`` |
| ``care_tie`` | two subjects are one patient, or no longer are | the gateway, with the edge itself |
| ``care_name`` | a patient in care is called by this keyed identifier | the gateway, with the stay |

Rules:
- A row counts only with its stamp, keyed by what the gateway and the keeper share: who can write the database and has
  no such key makes no relation. What takes away (an end, an undone tie) needs none.

Deliberately absent: who cares for whom (``care``), and in which order statements count (``stays``).
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    LargeBinary,
    Row,
    Table,
    Text,
    delete,
    or_,
    select,
    text,
)

from oathward.core.db import METADATA, direct
from oathward.vault.primitives import bind

_ENDED = text("ended_us IS NOT NULL")

care_stay = Table(
    "care_stay",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("encounter", LargeBinary, primary_key=True),
    Column("unit", Text, nullable=False),
    Column("attending", Text, nullable=False),
    Column("begun_us", BigInteger, nullable=False),
    Column("ended_us", BigInteger),
    Column("being_said_us", BigInteger, nullable=False),
    Column("being_at_us", BigInteger, nullable=False),
    Column("place_said_us", BigInteger, nullable=False),
    Column("place_at_us", BigInteger, nullable=False),
    Column("heard_us", BigInteger, nullable=False),
    Column("message", Text, nullable=False),
    Column("account", LargeBinary, nullable=False),
    Column("stamp", LargeBinary, nullable=False),
    Index("care_stay_unit", "site", "unit"),
    Index("care_stay_heard", "site", "heard_us"),
    Index("care_stay_encounter", "site", "encounter"),
    Index("care_stay_account", "site", "account"),
    Index("care_stay_ended", "site", "heard_us", sqlite_where=_ENDED, postgresql_where=_ENDED),
)
"""``being``: whether the patient is in care; ``place``: where, under whom. Each with when it was said and since when it is so; ``place_at_us`` is 0 where an update said it."""

care_assignment = Table(
    "care_assignment",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("from_us", BigInteger, nullable=False),
    Column("until_us", BigInteger, nullable=False),
    Column("source", Text, nullable=False),
    Column("stamp", LargeBinary, nullable=False),
    Index("care_assignment_person", "site", "person"),
    Index("care_assignment_subject", "site", "subject"),
)

care_tie = Table(
    "care_tie",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("edge", Text, primary_key=True),
    Column("child", Text, nullable=False),
    Column("parent", Text, nullable=False),
    Column("undoes", Text, nullable=False),
    Column("stamp", LargeBinary, nullable=False),
    Index("care_tie_child", "site", "child"),
    Index("care_tie_parent", "site", "parent"),
    Index("care_tie_undoes", "site", "undoes"),
)

care_name = Table(
    "care_name",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("hash", LargeBinary, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("stamp", LargeBinary, nullable=False),
    Index("care_name_subject", "site", "subject"),
)

STAMP_BYTES = 16
Word = str | bytes | int | None

_SEPARATOR = "\n"


class Stamps:
    """Stamp rows, and check stamps.

    Args:
        index_key: what the gateway and the keeper share and no other process has.
    """

    __slots__ = ("_key",)

    def __init__(self, index_key: bytes, site: str) -> None:
        self._key = blake2b(bind("oathward care 1", site), digest_size=32, key=index_key).digest()

    def of(self, *parts: Word) -> bytes:
        """Stamp what a row says; the first word is its kind."""
        words = [
            part.hex() if isinstance(part, bytes) else "" if part is None else str(part) for part in parts
        ]
        return blake2b(bind("care", *words), digest_size=STAMP_BYTES, key=self._key).digest()

    def good(self, stamp: object, *parts: Word) -> bool:
        """Say whether a stamp is ours."""
        return isinstance(stamp, bytes | memoryview) and hmac.compare_digest(bytes(stamp), self.of(*parts))


@dataclass(frozen=True, slots=True)
class Stay:
    """One row of ``care_stay``. ``ended_us`` None: the patient is there. ``attending``: ``authority|number`` of each.

    ``account``: keyed hash of the account it is of; empty where none was named.
    """

    subject: str
    encounter: bytes
    unit: str
    attending: tuple[str, ...]
    begun_us: int
    ended_us: int | None
    being_said_us: int
    being_at_us: int
    place_said_us: int
    place_at_us: int
    heard_us: int
    message: str
    account: bytes = b""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One row of ``care_assignment``: a shift at a unit, or one patient; ``until_us`` is its first moment no longer."""

    id: str
    person: str
    unit: str
    subject: str
    from_us: int
    until_us: int
    source: str


@dataclass(frozen=True, slots=True)
class Tie:
    """One edge between two subjects of one patient, or (``undoes``) the end of one."""

    edge: str
    child: str
    parent: str
    undoes: str = ""


# --- ties


def ties_of(db: Connection, site: str, subject: str, stamps: Stamps | None) -> list[Tie]:
    """List the standing ties that a subject has part in."""
    found = []
    rows: Sequence[Any] = direct(db, _TIES, (site, subject, subject)).fetchall()
    for edge, child, parent, stamp in rows:
        one = Tie(edge, child, parent)
        ours = stamps is None or stamps.good(stamp, *_tied(site, one))
        if ours and direct(db, _UNDONE, (site, edge)).fetchone() is None:
            found.append(one)
    return found


def tie(db: Connection, site: str, ties: Iterable[Tie], stamps: Stamps | None) -> None:
    """Keep ties with the edges they stand for; an undone one needs no stamp."""
    _put(db, care_tie, 2, [(site, *astuple(one), _tie_stamp(site, one, stamps)) for one in ties])


def _tie_stamp(site: str, one: Tie, stamps: Stamps | None) -> bytes:
    return b"" if one.undoes or stamps is None else stamps.of(*_tied(site, one))


def _tied(site: str, one: Tie) -> tuple[str, ...]:
    return ("tie", site, one.edge, one.child, one.parent)


# --- what a patient in care is called


def name(db: Connection, site: str, subject: str, hashes: Iterable[bytes], stamps: Stamps) -> None:
    """Let keyed identifiers lead to a patient in care; most do already."""
    for one in hashes:
        kept = direct(db, _NAMED, (site, one)).fetchone()
        if kept is None or kept[0] != subject:
            _put(db, care_name, 2, [(site, one, subject, stamps.of("name", site, one, subject))])


def named(db: Connection, site: str, hashes: Sequence[bytes], stamps: Stamps) -> str:
    """Find the subject that the first known of some keyed identifiers leads to; empty for nobody."""
    query = select(care_name).where(care_name.c.site == site, care_name.c.hash.in_(hashes))
    rows = {bytes(row.hash): row for row in db.execute(query)}
    for one in hashes:
        row = rows.get(one)
        if row is not None and stamps.good(row.stamp, "name", site, one, row.subject):
            return str(row.subject)
    return ""


# --- assignments


def assign(db: Connection, site: str, rows: Iterable[tuple[Assignment, bytes]]) -> None:
    """Keep assignments with the stamps the keeper gave them; one whose id is there is replaced."""
    _put(db, care_assignment, 2, [(site, *astuple(one), stamp) for one, stamp in rows])


def assignment_stamp(stamps: Stamps, site: str, one: Assignment) -> bytes:
    """Stamp an assignment."""
    return stamps.of(*_assigned(site, one))


def assignments(
    db: Connection, site: str, *, person: str = "", since_us: int = 0, limit: int = 10_000
) -> list[Assignment]:
    """List assignments that end after a moment, by person and time."""
    where = (care_assignment.c.site == site) & (care_assignment.c.until_us > since_us)
    if person:
        where &= care_assignment.c.person == person
    order = (care_assignment.c.person, care_assignment.c.from_us, care_assignment.c.id)
    rows = db.execute(select(care_assignment).where(where).order_by(*order).limit(limit))
    return [assignment_of(row) for row in rows]


def current(db: Connection, site: str, person: str, now_us: int, stamps: Stamps | None) -> list[Assignment]:
    """List what is assigned to a person now, what ends last at the end."""
    where = (care_assignment.c.site == site) & (care_assignment.c.person == person)
    where &= (care_assignment.c.from_us <= now_us) & (care_assignment.c.until_us > now_us)
    rows = db.execute(select(care_assignment).where(where).order_by(care_assignment.c.until_us))
    found = [(assignment_of(row), row.stamp) for row in rows]
    return [one for one, stamp in found if stamps is None or stamps.good(stamp, *_assigned(site, one))]


def _assigned(site: str, one: Assignment) -> tuple[Word, ...]:
    return ("assignment", site, *astuple(one))


def assignment_of(row: Row[Any]) -> Assignment:
    """Read one row."""
    return Assignment(row.id, row.person, row.unit, row.subject, row.from_us, row.until_us, row.source)


# --- stays


def stays_of(db: Connection, site: str, subjects: Collection[str]) -> list[Stay]:
    """List all stays of some subjects, ended ones too."""
    found = [row for one in sorted(subjects) for row in direct(db, _STAYS, (site, one)).fetchall()]
    return sorted(map(stay_of, found), key=lambda stay: (stay.begun_us, stay.encounter))


def open_stays(
    db: Connection, site: str, subjects: Collection[str], heard_after_us: int, stamps: Stamps | None
) -> list[Stay]:
    """List the stays of some subjects that have not ended and of which something was heard."""
    where = (care_stay.c.site == site) & care_stay.c.subject.in_(sorted(subjects))
    where &= care_stay.c.ended_us.is_(None) & (care_stay.c.heard_us > heard_after_us)
    return _believed(db, site, select(care_stay).where(where), stamps)


def open_at(
    db: Connection,
    site: str,
    units: Collection[str],
    staff: Collection[str],
    heard_after_us: int,
    limit: int,
    stamps: Stamps | None,
) -> list[Stay]:
    """List the stays at some units or under some attendings, by unit."""
    ways: list[ColumnElement[bool]] = [care_stay.c.unit.in_(sorted(units))] if units else []
    ways += [care_stay.c.attending.contains(_marked(one), autoescape=True) for one in sorted(staff)]
    if not ways:
        return []
    where = (care_stay.c.site == site) & care_stay.c.ended_us.is_(None) & or_(*ways)
    query = select(care_stay).where(where, care_stay.c.heard_us > heard_after_us)
    return _believed(
        db, site, query.order_by(care_stay.c.unit, care_stay.c.begun_us.desc()).limit(limit), stamps
    )


def _believed(db: Connection, site: str, query: Any, stamps: Stamps | None) -> list[Stay]:
    stays = [(stay_of(row), row[14]) for row in db.execute(query)]
    return [one for one, stamp in stays if stamps is None or stamps.good(stamp, *_stayed(site, one))]


def put_stay(db: Connection, site: str, stay: Stay, stamps: Stamps) -> None:
    """Keep a stay; one of the same subject and encounter is replaced."""
    _put(db, care_stay, 3, [(site, *_plain(stay), stamps.of(*_stayed(site, stay)))])


def stay_of(row: Any) -> Stay:
    """Read one row, in the order of the table's columns."""
    begun, ended, being_said, being_at, place_said, place_at, heard, message, account = row[5:14]
    return Stay(
        *(row[1], bytes(row[2]), row[3], tuple(_read(row[4])), begun, ended),
        *(being_said, being_at, place_said, place_at),
        *(heard, message, bytes(account)),
    )


def units(db: Connection, site: str) -> dict[str, int]:
    """Count the patients at each unit now: what can be written of a person's units."""
    query = select(care_stay.c.unit).where(care_stay.c.site == site, care_stay.c.ended_us.is_(None))
    found: dict[str, int] = {}
    for unit in db.execute(query).scalars():
        found[unit] = found.get(unit, 0) + 1
    return {unit: found[unit] for unit in sorted(found) if unit}


def forget(db: Connection, site: str, subjects: Sequence[str]) -> None:
    """Delete what is kept of subjects that were erased."""
    for table in (care_stay, care_assignment, care_name):
        db.execute(delete(table).where(table.c.site == site, table.c.subject.in_(subjects)))


def _stayed(site: str, stay: Stay) -> tuple[Word, ...]:
    return ("stay", site, *_plain(stay))


def _plain(stay: Stay) -> tuple[Word, ...]:
    return (
        *(stay.subject, stay.encounter, stay.unit, _written(stay.attending), stay.begun_us, stay.ended_us),
        *(stay.being_said_us, stay.being_at_us, stay.place_said_us, stay.place_at_us),
        *(stay.heard_us, stay.message, stay.account),
    )


def _written(attending: Iterable[str]) -> str:
    return "".join(map(_marked, attending))


def _marked(one: str) -> str:
    return f"{_SEPARATOR}{one}{_SEPARATOR}"


def _read(written: str) -> Iterator[str]:
    return (one for one in written.split(_SEPARATOR) if one)


def _put(db: Connection, table: Table, keys: int, values: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows, or replace those whose first ``keys`` columns are there."""
    for row in values:
        direct(db, _put_sql(table, keys), row)


@lru_cache
def _put_sql(table: Table, keys: int) -> str:
    names = [column.name for column in table.columns]
    changed = ", ".join(f"{name} = excluded.{name}" for name in names[keys:])
    places = f"{', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
    return (
        f"INSERT INTO {table.name} ({places} ON CONFLICT ({', '.join(names[:keys])}) DO UPDATE SET {changed}"
    )


_TIES = "SELECT edge, child, parent, stamp FROM care_tie WHERE site = ? AND undoes = '' AND (child = ? OR parent = ?)"
_NAMED = "SELECT subject FROM care_name WHERE site = ? AND hash = ?"
_UNDONE = "SELECT 1 FROM care_tie WHERE site = ? AND undoes = ?"
_STAYS = (
    f"SELECT {', '.join(c.name for c in care_stay.columns)} FROM care_stay WHERE site = ? AND subject = ?"  # noqa: S608  names from our own metadata
)
