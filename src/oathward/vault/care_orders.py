"""Who ordered something for a patient, or was asked to do it, as order messages and ServiceRequests say: the table ``care_order``.

Rules:
- A row is one person of an order of one patient on one day: who has ordered, or is to do it, explains why they look, and
  orders nothing here.
- No stamp: an order gives no relation of care and opens nothing.
- Forgotten after ``KEPT_DAYS``, and with the patient.

Deliberately absent: what was ordered, order numbers, and reading of messages (``gateway/care_orders``).

Source: HL7 v2.8.2 §4.5.1.12 (ORC-12), §4.5.3.16 (OBR-16); FHIR R4 ServiceRequest.requester, .performer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Connection, Index, Table, Text, delete, select

from oathward.core.db import METADATA, direct

care_order = Table(
    "care_order",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("orderer", Text, primary_key=True),
    Column("day", BigInteger, primary_key=True, autoincrement=False),
    Column("at_us", BigInteger, nullable=False),
    Column("message", Text, nullable=False),
    Index("care_order_day", "site", "day"),
)

KEPT_DAYS = 90
"""Rows older than that explain nothing any more."""

DAY_US = 86_400_000_000
_PUT = (
    "INSERT INTO care_order (site, subject, orderer, day, at_us, message) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (site, subject, orderer, day) DO NOTHING"
)


@dataclass(frozen=True, slots=True)
class Order:
    """Somebody's first order of a day. ``orderer``: who ordered it or is to do it, ``authority|number``, as ``Person.staff_ids`` has it."""

    subject: str
    orderer: str
    at_us: int
    message: str


def take(db: Connection, site: str, orders: Iterable[Order]) -> None:
    """Keep orders that one message says, inside its transaction."""
    for one in orders:
        direct(db, _PUT, (site, one.subject, one.orderer, one.at_us // DAY_US, one.at_us, one.message))


def of(db: Connection, site: str, subjects: Collection[str]) -> list[Order]:
    """List the orders for some subjects."""
    query = select(care_order).where(care_order.c.site == site, care_order.c.subject.in_(sorted(subjects)))
    rows = db.execute(query.order_by(care_order.c.at_us, care_order.c.orderer))
    return [Order(row.subject, row.orderer, row.at_us, row.message) for row in rows]


def forget(db: Connection, site: str, subjects: Collection[str]) -> None:
    """Delete what is kept of subjects that were erased."""
    db.execute(
        delete(care_order).where(care_order.c.site == site, care_order.c.subject.in_(sorted(subjects)))
    )


def forget_before(db: Connection, site: str, now_us: int) -> int:
    """Forget orders of long ago."""
    old = now_us // DAY_US - KEPT_DAYS
    return db.execute(delete(care_order).where(care_order.c.site == site, care_order.c.day < old)).rowcount
