"""The tables of disclosures and the only SQL on them: ``disclosure``, ``disclosure_taken``."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
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
    delete,
    insert,
    select,
    update,
)

from oathward.core.db import METADATA
from oathward.disclosures.model import DisclosureRow, Settled, Told

disclosure = Table(
    "disclosure",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("device", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("other", Text, nullable=False),
    Column("from_us", BigInteger, nullable=False),
    Column("until_us", BigInteger, nullable=False),
    Column("told", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("due_us", BigInteger, nullable=False),
    Column("settled", Text, nullable=False),
    Column("settled_by", Text, nullable=False),
    Column("settled_us", BigInteger, nullable=False),
    Column("overdue_told", Boolean, nullable=False),
    Index("disclosure_open", "site", "settled", "due_us"),
    Index("disclosure_subject", "site", "subject"),
)
disclosure_taken = Table(
    "disclosure_taken",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("upto", BigInteger, nullable=False),
)
"""Up to which record corrections were looked for."""


def put(db: Connection, site: str, row: DisclosureRow) -> None:
    """Write a new one."""
    db.execute(insert(disclosure).values(site=site, **_values(row)))


def change(db: Connection, site: str, row: DisclosureRow) -> None:
    """Write one as it stands now."""
    mine = (disclosure.c.site == site) & (disclosure.c.id == row.id)
    db.execute(update(disclosure).where(mine).values(**_values(row)))


def one(db: Connection, site: str, id_: str) -> DisclosureRow | None:
    """Read one."""
    row = db.execute(select(disclosure).where(disclosure.c.site == site, disclosure.c.id == id_)).first()
    return None if row is None else _row(row)


def rows(db: Connection, site: str, *, settled: bool, limit: int = 500) -> list[DisclosureRow]:
    """List those that wait, first due first, or those that were settled, newest first."""
    table = disclosure.c
    query = select(disclosure).where(table.site == site, (table.settled != "") == settled)
    order = table.settled_us.desc() if settled else table.due_us
    return [_row(row) for row in db.execute(query.order_by(order, table.id).limit(limit))]


def open_of(db: Connection, site: str, device: str, subject: str) -> list[DisclosureRow]:
    """List those of a device and a patient that wait and are no mere suspicion."""
    found = of_pair(db, site, device, subject)
    return [one for one in found if one.settled is None and one.told is not Told.SUSPECTED]


def of_pair(db: Connection, site: str, device: str, subject: str) -> list[DisclosureRow]:
    """List those of a device and a patient."""
    table = disclosure.c
    where = (table.site == site) & (table.device == device) & (table.subject == subject)
    return [_row(row) for row in db.execute(select(disclosure).where(where))]


def forget(db: Connection, site: str, subjects: Collection[str]) -> None:
    """Delete what is kept of subjects that were erased, also as those whose the data really are."""
    gone = sorted(subjects)
    db.execute(delete(disclosure).where(disclosure.c.site == site, disclosure.c.subject.in_(gone)))
    mine = (disclosure.c.site == site) & disclosure.c.other.in_(gone)
    db.execute(update(disclosure).where(mine).values(other=""))


def upto(db: Connection, site: str) -> int | None:
    """Say up to which record corrections were looked for; None before the first time."""
    query = select(disclosure_taken.c.upto).where(disclosure_taken.c.site == site)
    found: int | None = db.execute(query).scalar()
    return found


def set_upto(db: Connection, site: str, index: int) -> None:
    """Note up to which record corrections were looked for."""
    mine = disclosure_taken.c.site == site
    if db.execute(update(disclosure_taken).where(mine).values(upto=index)).rowcount == 0:
        db.execute(insert(disclosure_taken).values(site=site, upto=index))


def _values(row: DisclosureRow) -> dict[str, Any]:
    return asdict(row) | {"settled": row.settled or "", "told": row.told.value}


def _row(row: Row[Any]) -> DisclosureRow:
    values = {name: getattr(row, name) for name in DisclosureRow.__dataclass_fields__}
    return DisclosureRow(
        **values | {"told": Told(row.told), "settled": Settled(row.settled) if row.settled else None}
    )
