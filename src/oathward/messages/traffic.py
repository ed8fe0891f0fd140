"""How what came was: late, of nobody known, twice; one row for each kind of device, link and hour, added to by the gateway.

Rules:
- A row counts messages that were stored; where ``link`` is empty all of its kind, else those that left on the link.
- By kind and not by device: an estate of a hundred thousand adds a few hundred rows a day, not millions.
- Malformed messages and those of unknown devices lie in quarantine too, one by one; here they are numbers, so that who
  shows them reads a few rows and not the estate.
- Rows go with the journal's own.

Deliberately absent: anything of a single message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import BigInteger, Column, Connection, Table, Text, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from oathward.core.db import METADATA
from oathward.core.reasons import Reason

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US


class Counts(NamedTuple):
    """What is counted of some messages.

    Args:
        late: older than the limit when they came, ``late_hour`` by more than an hour of these, ``late_day`` by more than a day.
        ahead: their own time was later than ours by more than the limit. untimed: they say no time that can be read.
        unidentified: the patient was not known. duplicates: came again, and were not stored again.
        malformed: held whole, for they could not be read as their protocol. unknown_device: held whole, for nobody knows of whom.
    """

    messages: int = 0
    late: int = 0
    late_hour: int = 0
    late_day: int = 0
    ahead: int = 0
    untimed: int = 0
    unidentified: int = 0
    duplicates: int = 0
    malformed: int = 0
    unknown_device: int = 0

    def plus(self, other: Counts) -> Counts:
        """Add other counts."""
        return Counts(*map(sum, zip(self, other, strict=True)))


_UNKNOWN = frozenset({Reason.DEVICE_UNKNOWN.code, Reason.DEVICE_MISMATCH.code})
_MALFORMED = ("message.", "frame.", "fhir.", "http.")

Key = tuple[int, str, str]
"""Hour in microseconds, kind of device (empty where it is not known), link."""


class OfDay(NamedTuple):
    """Counts of a day, a kind of device and a link."""

    day_us: int
    kind: str
    link: str
    counts: Counts


message_traffic = Table(
    "message_traffic",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("hour_us", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),
    Column("link", Text, primary_key=True),
    *(Column(name, BigInteger, nullable=False) for name in Counts._fields),
)


def add(db: Connection, site: str, counts: Mapping[Key, Counts]) -> None:
    """Add to the rows of some hours."""
    make = sqlite if db.dialect.name == "sqlite" else postgresql
    for (hour_us, kind, link), one in counts.items():
        keys = {"site": site, "hour_us": hour_us, "kind": kind, "link": link}
        row = make.insert(message_traffic).values(**keys, **one._asdict())
        more = {name: message_traffic.c[name] + row.excluded[name] for name in Counts._fields}
        db.execute(row.on_conflict_do_update(index_elements=list(keys), set_=more))


def by_day(db: Connection, site: str, since_us: int, until_us: int) -> list[OfDay]:
    """Sum up by day, kind and link; days are UTC, and begin at ``since_us``'s."""
    t = message_traffic.c
    day = t.hour_us - t.hour_us % DAY_US
    sums = [func.sum(t[name]) for name in Counts._fields]
    query = select(day.label("day"), t.kind, t.link, *sums).where(
        t.site == site, t.hour_us >= since_us - since_us % HOUR_US, t.hour_us < until_us
    )
    rows = db.execute(query.group_by(day, t.kind, t.link).order_by(day, t.kind, t.link))
    return [OfDay(int(at), kind, link, Counts(*map(int, more))) for at, kind, link, *more in rows]


def held_as(reason: str) -> str:
    """Say as what a message that was held whole is counted, a field of ``Counts``; empty where as none."""
    if reason.startswith(_MALFORMED):
        return "malformed"
    return "unknown_device" if reason in _UNKNOWN else ""


def delete_before(db: Connection, site: str, before_us: int) -> None:
    """Forget old rows."""
    t = message_traffic.c
    db.execute(delete(message_traffic).where(t.site == site, t.hour_us < before_us))


def total(rows: Iterable[Counts]) -> Counts:
    """Add counts up."""
    found = Counts()
    for row in rows:
        found = found.plus(row)
    return found
