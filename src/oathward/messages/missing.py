"""Deliveries that were permitted and are nowhere: the table of those found, and who stands in the outbox.

Rules:
- A row is made with its finding, in one transaction; it goes when the delivery turns up or a person gives it up.
- The ledger is the truth: a row deleted here is found again by ``doctor --deep``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import BigInteger, Column, Connection, Table, Text, delete, func, select

from oathward.core.db import METADATA, where_in
from oathward.messages.tables import outbox

delivery_missing = Table(
    "delivery_missing",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("message", Text, nullable=False),
    Column("link", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("record", BigInteger, nullable=False),
    Column("at_us", BigInteger, nullable=False),
)


class MissingRow(NamedTuple):
    """One delivery that is not where it should be.

    Args:
        id: outgoing id. what: ``missing``, or what of its outbox row was changed: ``message``, ``link``, ``state``.
        record: index of the record that permitted it. at_us: when it was permitted.
    """

    id: str
    message: str
    link: str
    what: str
    record: int
    at_us: int


class Standing(NamedTuple):
    """What of a waiting delivery's row can be compared with the ledger."""

    message: str
    link: str
    state: str


def standing(db: Connection, site: str, messages: Collection[str]) -> dict[str, Standing]:
    """Find the outbox rows of some messages, by outgoing id."""
    sql = "SELECT id, site, message, link, state FROM outbox WHERE message IN ({})"
    rows = where_in(db, sql, list(dict.fromkeys(messages)))
    return {id_: Standing(message, link, state) for id_, of, message, link, state in rows if of == site}


def standing_by_id(db: Connection, site: str, ids: Sequence[str]) -> dict[str, Standing]:
    """Find outbox rows by outgoing id alone: those whose message was changed."""
    query = select(outbox.c.id, outbox.c.message, outbox.c.link, outbox.c.state)
    rows = db.execute(query.where(outbox.c.site == site, outbox.c.id.in_(ids)))
    return {id_: Standing(message, link, state) for id_, message, link, state in rows}


def insert(db: Connection, site: str, rows: Iterable[MissingRow]) -> None:
    """Note deliveries that are missing; one that is noted already is replaced."""
    for row in rows:
        remove(db, site, [row.id])
        db.execute(delivery_missing.insert().values(site=site, **row._asdict()))


def remove(db: Connection, site: str, ids: Sequence[str]) -> None:
    """Take deliveries off the list."""
    db.execute(
        delete(delivery_missing).where(delivery_missing.c.site == site, delivery_missing.c.id.in_(ids))
    )


def rows(db: Connection, site: str, *, limit: int) -> list[MissingRow]:
    """List what is missing, oldest first."""
    columns = [delivery_missing.c[name] for name in MissingRow._fields]
    query = (
        select(*columns)
        .where(delivery_missing.c.site == site)
        .order_by(delivery_missing.c.record, delivery_missing.c.id)
    )
    return [MissingRow(*row) for row in db.execute(query.limit(limit))]


def row(db: Connection, site: str, id_: str) -> MissingRow | None:
    """Find one by its outgoing id."""
    columns = [delivery_missing.c[name] for name in MissingRow._fields]
    found = db.execute(
        select(*columns).where(delivery_missing.c.site == site, delivery_missing.c.id == id_)
    ).first()
    return MissingRow(*found) if found else None


def counts(db: Connection, site: str) -> dict[str, int]:
    """Count what is missing by link."""
    query = (
        select(delivery_missing.c.link, func.count())
        .where(delivery_missing.c.site == site)
        .group_by(delivery_missing.c.link)
    )
    return {link: count for link, count in db.execute(query)}  # noqa: C416  a Row is no pair to the type checker
