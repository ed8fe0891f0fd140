"""Sealed cards: what an authoritative source said a patient is called, as the gateway sealed it; the keeper alone opens it.

Rules:
- One a subject, the newest; sealed for ``card``, of the message that gave it: a row that was moved does not open.
- Written inside that message's transaction, forgotten with its subject.

Deliberately absent: what stands on a card (``patients.card``), who may open it (``keeper.patient_opening``).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import astuple, dataclass

from sqlalchemy import BigInteger, Column, Connection, LargeBinary, Table, Text, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from oathward.core.db import METADATA

PURPOSE = "card"

_table = Table(
    "subject_card",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("message", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("source", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Card:
    """One sealed card. ``source``: the device whose message gave it."""

    subject: str
    message: str
    key_id: str
    sealed: bytes
    source: str
    at_us: int


def put(db: Connection, site: str, card: Card) -> None:
    """Keep the newest sealed card of a subject."""
    columns = [column.name for column in _table.columns][1:]
    values = dict(zip(columns, astuple(card), strict=True))
    insert = (sqlite if db.dialect.name == "sqlite" else postgresql).insert(_table)
    statement = insert.values(site=site, **values)
    new = {name: value for name, value in values.items() if name != "subject"}
    db.execute(statement.on_conflict_do_update(index_elements=["site", "subject"], set_=new))


def newest(db: Connection, site: str, subjects: Collection[str]) -> Card | None:
    """Find the newest card of one patient's subjects."""
    where = (_table.c.site == site) & _table.c.subject.in_(sorted(subjects))
    order = (_table.c.at_us.desc(), _table.c.subject)
    row = db.execute(select(_table).where(where).order_by(*order).limit(1)).first()
    return Card(row[1], row[2], row[3], bytes(row[4]), row[5], row[6]) if row else None


def forget(db: Connection, site: str, subjects: Collection[str]) -> None:
    """Delete the cards of subjects."""
    db.execute(delete(_table).where(_table.c.site == site, _table.c.subject.in_(sorted(subjects))))
