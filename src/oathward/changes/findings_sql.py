"""The table of a policy review's findings and the only SQL on it: ``review_finding``."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    LargeBinary,
    Row,
    Table,
    Text,
    func,
    insert,
    select,
    update,
)

from oathward.changes.findings_model import FindingRow, FindingState
from oathward.core.db import METADATA

finding = Table(
    "review_finding",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("first_us", BigInteger, nullable=False),
    Column("last_us", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("bundle", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("until_us", BigInteger, nullable=False),
)
Index("review_finding_state", finding.c.site, finding.c.state, finding.c.rule, finding.c.about)

_NAMES = tuple(f.name for f in fields(FindingRow))


def put(db: Connection, site: str, row: FindingRow) -> None:
    """Write a new finding down."""
    db.execute(insert(finding).values(site=site, **_values(row)))


def change(db: Connection, site: str, row: FindingRow) -> None:
    """Write a finding as it stands now."""
    one = (finding.c.site == site) & (finding.c.id == row.id)
    db.execute(update(finding).where(one).values(**_values(row)))


def rows(
    db: Connection, site: str, states: Collection[FindingState] = (), *, before_us: int = 0, limit: int = 0
) -> list[FindingRow]:
    """Read findings by rule and what they are about.

    Args:
        states: only these. before_us: only those last found before.
    """
    query = select(finding).where(finding.c.site == site)
    if states:
        query = query.where(finding.c.state.in_([str(one) for one in states]))
    if before_us:
        query = query.where(finding.c.last_us < before_us)
    query = query.order_by(finding.c.rule, finding.c.about)
    return [_row(r) for r in db.execute(query.limit(limit) if limit else query)]


def some(db: Connection, site: str, ids: Collection[str]) -> list[FindingRow]:
    """Read those of some findings that are known."""
    query = select(finding).where(finding.c.site == site, finding.c.id.in_(list(ids)))
    return [_row(r) for r in db.execute(query)]


def one(db: Connection, site: str, id_: str) -> FindingRow | None:
    """Read one finding."""
    row = db.execute(select(finding).where(finding.c.site == site, finding.c.id == id_)).first()
    return _row(row) if row else None


def counts(db: Connection, site: str) -> dict[str, int]:
    """Count findings by state."""
    query = select(finding.c.state, func.count()).where(finding.c.site == site).group_by(finding.c.state)
    return {row[0]: row[1] for row in db.execute(query)}


def open_counts(db: Connection, site: str, now_us: int) -> dict[str, int]:
    """Count by rule what somebody must answer for: what is open, and what was signed off until a date that has passed."""
    overdue = (finding.c.state == str(FindingState.SIGNED_OFF)) & (finding.c.until_us <= now_us)
    waits = (finding.c.state == str(FindingState.OPEN)) | overdue
    query = select(finding.c.rule, func.count()).where(finding.c.site == site, waits).group_by(finding.c.rule)
    return {row[0]: row[1] for row in db.execute(query)}


def _values(row: FindingRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _NAMES} | {"state": str(row.state)}


def _row(r: Row[Any]) -> FindingRow:
    values = {name: getattr(r, name) for name in _NAMES}
    return FindingRow(**values | {"state": FindingState(r.state), "body": bytes(r.body)})
