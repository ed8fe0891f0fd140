"""Wrapped data keys on their way to the keeper: the table ``intake_key``.

Rules:
- The gateway inserts a row in the transaction of the first body sealed under its key; inserting it again
  does nothing (after an unknown commit outcome).
- The keeper moves the key into its own store and then deletes the row. What it cannot open stays, marked.
- A row is useless without the private intake key, which only the keeper has and soon destroys.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from sqlalchemy import BigInteger, Column, Connection, LargeBinary, Table, Text, delete, func, select, update

from oathward.core.db import METADATA
from oathward.vault.seal import IntakeKey

intake_key = Table(
    "intake_key",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("site", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("intake", Text, nullable=False),
    Column("epoch", Text, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("refused_us", BigInteger, nullable=False),
)

_ROWS_MAX = 64


def insert_keys(db: Connection, keys: Sequence[IntakeKey]) -> None:
    """Store wrapped keys; those already stored are left alone."""
    for start in range(0, len(keys), _ROWS_MAX):
        rows = keys[start : start + _ROWS_MAX]
        values = [
            v for k in rows for v in (k.id, k.site, k.subject, k.intake, k.epoch, k.wrapped, k.at_us, 0)
        ]
        db.exec_driver_sql(_insert(len(rows), db.dialect.name), tuple(values))


def waiting(db: Connection, site: str, limit: int, *, subject: str | None = None) -> list[IntakeKey]:
    """Read keys the keeper has not taken, oldest first."""
    query = select(intake_key).where(intake_key.c.site == site, intake_key.c.refused_us == 0)
    if subject is not None:
        query = query.where(intake_key.c.subject == subject)
    rows = db.execute(query.order_by(intake_key.c.id).limit(limit))
    return [IntakeKey(r.id, r.site, r.subject, r.intake, r.epoch, bytes(r.wrapped), r.at_us) for r in rows]


def remove(db: Connection, ids: Sequence[str]) -> None:
    """Delete rows whose keys the keeper holds or has refused to hold."""
    if ids:
        db.execute(delete(intake_key).where(intake_key.c.id.in_(ids)))


def mark_refused(db: Connection, ids: Sequence[str], at_us: int) -> None:
    """Set rows aside that do not open."""
    if ids:
        db.execute(update(intake_key).where(intake_key.c.id.in_(ids)).values(refused_us=at_us))


def intake_in_use(db: Connection, site: str) -> set[str]:
    """Give the intake keys that rows still wait under."""
    query = select(intake_key.c.intake).where(intake_key.c.site == site, intake_key.c.refused_us == 0)
    return set(db.execute(query.distinct()).scalars())


def counts(db: Connection, site: str) -> tuple[int, int]:
    """Count rows waiting and rows set aside."""
    refused = intake_key.c.refused_us > 0
    query = select(func.count().filter(~refused), func.count().filter(refused))
    row = db.execute(query.where(intake_key.c.site == site)).one()
    return row[0], row[1]


@lru_cache(maxsize=2 * _ROWS_MAX)
def _insert(rows: int, dialect: str) -> str:
    names = [column.name for column in intake_key.columns]
    mark = "?" if dialect == "sqlite" else "%s"
    values = f"({', '.join([mark] * len(names))})"
    return (
        f"INSERT INTO intake_key ({', '.join(names)}) VALUES {', '.join([values] * rows)}"  # noqa: S608  our own names
        " ON CONFLICT DO NOTHING"
    )
