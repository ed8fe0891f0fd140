"""The tables of findings and the only SQL on them: ``finding``, ``finding_history``.

Rules:
- A suppression whose end has come counts as open in every query, whether or not house-keeping has noticed.
- Lists go by key: the gravest first, of those the first due; cleared ones the newest first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Row,
    Select,
    Table,
    Text,
    and_,
    case,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
    update,
)

from oathward.core.db import METADATA, hold_alone
from oathward.core.finding import Standing, State, Step
from oathward.core.finding_kinds import Severity
from oathward.findings.model import NOBODY, Filters, Finding, HistoryRow

finding = Table(
    "finding",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("details", LargeBinary, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("tellings", BigInteger, nullable=False),
    Column("first_us", BigInteger, nullable=False),
    Column("last_us", BigInteger, nullable=False),
    Column("since_us", BigInteger, nullable=False),
    Column("due_us", BigInteger, nullable=False),
    Column("cleared_us", BigInteger, nullable=False),
    Column("until_us", BigInteger, nullable=False),
    Column("held", Integer),
    Column("owner", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("why", Text, nullable=False),
    Index("finding_key", "site", "kind", "key", unique=True),
    Index("finding_order", "site", "rank", "due_us", "id", "state", "until_us", "owner", "kind", "source"),
    Index("finding_seen", "site", "source", "state", "last_us"),
    Index("finding_cleared", "site", "state", "cleared_us", "id"),
    Index("finding_counts", "site", "state", "rank", "kind", "source", "owner", "due_us", "until_us"),
    Index("finding_until", "site", "state", "until_us"),
)
"""``rank``, ``held``: of a severity, 0 for the gravest."""

history = Table(
    "finding_history",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("finding", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("by", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("until_us", BigInteger, nullable=False),
    Column("why", Text, nullable=False),
)

_SEVERITIES = tuple(Severity)
_OPEN, _SUPPRESSED, _CLEARED = (str(one) for one in State)
IDS = 256
"""Ids or keys that one statement names."""


class Counted(NamedTuple):
    """How many findings have all of this in common; ``late``: so many of them are overdue."""

    state: str
    rank: int
    kind: str
    source: str
    owner: str
    number: int
    late: int


def put(db: Connection, site: str, rows: Sequence[Finding]) -> None:
    """Write new findings."""
    if rows:
        db.execute(insert(finding), [{"site": site, "id": row.id, **_values(row)} for row in rows])


def change(db: Connection, site: str, row: Finding) -> None:
    """Write a finding as it is now."""
    mine = (finding.c.site == site) & (finding.c.id == row.id)
    db.execute(update(finding).where(mine).values(**_values(row)))


def touch(db: Connection, site: str, ids: Collection[str], now_us: int) -> None:
    """Note that some findings were seen again, as they were."""
    mine = (finding.c.site == site) & finding.c.id.in_(list(ids))
    db.execute(update(finding).where(mine).values(last_us=now_us, tellings=finding.c.tellings + 1))


def clear(db: Connection, site: str, ids: Collection[str], now_us: int) -> None:
    """Note that some findings are seen no longer."""
    mine = (finding.c.site == site) & finding.c.id.in_(list(ids))
    db.execute(update(finding).where(mine).values(state=_CLEARED, cleared_us=now_us))


def note(db: Connection, site: str, rows: Sequence[HistoryRow]) -> None:
    """Write what happened."""
    if rows:
        db.execute(insert(history), [{"site": site, **_step_values(row)} for row in rows])


def hold(db: Connection, site: str) -> None:
    """Let nobody else change a site's findings until this transaction ends; on SQLite the writer is alone anyway."""
    hold_alone(db, f"finding rows|{site}")


def by_keys(db: Connection, site: str, keys: Iterable[tuple[str, str]]) -> list[Finding]:
    """Read those of some findings, by kind and key, that are known."""
    by_kind: dict[str, list[str]] = {}
    for kind, key in keys:
        by_kind.setdefault(kind, []).append(key)
    found: list[Finding] = []
    for kind, some_ in by_kind.items():
        mine = (finding.c.site == site) & (finding.c.kind == kind) & finding.c.key.in_(some_)
        found += [_row(row) for row in db.execute(select(finding).where(mine))]
    return found


def some(db: Connection, site: str, ids: Sequence[str]) -> list[Finding]:
    """Read those of some findings that are known."""
    found: list[Finding] = []
    for start in range(0, len(ids), IDS):
        mine = (finding.c.site == site) & finding.c.id.in_(list(ids[start : start + IDS]))
        found += [_row(row) for row in db.execute(select(finding).where(mine))]
    return found


def unseen(db: Connection, site: str, source: str, before_us: int, limit: int) -> list[tuple[str, str]]:
    """List id and kind of findings of a source that it has not seen since, of those that are not cleared."""
    c = finding.c
    mine = (
        (c.site == site) & (c.source == source) & c.state.in_((_OPEN, _SUPPRESSED)) & (c.last_us < before_us)
    )
    return [(row[0], row[1]) for row in db.execute(select(c.id, c.kind).where(mine).limit(limit))]


def ended(db: Connection, site: str, now_us: int, limit: int) -> list[Finding]:
    """List findings whose suppression's end has come and of which nobody noticed it yet."""
    c = finding.c
    mine = (c.site == site) & (c.state == _SUPPRESSED) & (c.until_us <= now_us)
    return [_row(row) for row in db.execute(select(finding).where(mine).order_by(c.until_us).limit(limit))]


def listed(
    db: Connection, site: str, wanted: Filters, now_us: int, after: Sequence[int | str], limit: int
) -> list[Finding]:
    """List findings in order, from behind one on.

    Args:
        after: ``place`` of the last one of the page before; empty for the first page.
    """
    order = _order(wanted)
    query = select(finding).where(*_where(site, wanted, now_us))
    if after:
        behind = tuple_(*order), tuple_(*(literal(one) for one in after))
        query = query.where(behind[0] < behind[1] if wanted.state == _CLEARED else behind[0] > behind[1])
    down = wanted.state == _CLEARED
    query = query.order_by(*(one.desc() if down else one for one in order)).limit(limit)
    return [_row(row) for row in db.execute(query)]


def place(row: Finding, wanted: Filters) -> tuple[int | str, ...]:
    """Say where in its list a finding stands."""
    standing = row.standing
    if wanted.state == _CLEARED:
        return standing.cleared_us, row.id
    return standing.severity.rank, standing.due_us, row.id


def cube(
    db: Connection, site: str, now_us: int, *, about: str = "", living: bool = False
) -> Iterator[Counted]:
    """Count findings by all that lists filter by, in one pass over an index.

    Args:
        about: only what is about this, as in ``Filters``. living: not those that are cleared.
    """
    c = finding.c
    groups = (c.state, c.rank, c.kind, c.source, c.owner)
    late, over = c.due_us <= now_us, and_(c.state == _SUPPRESSED, c.until_us <= now_us)
    sums = (_count(late), _count(over), _count(and_(late, over)))
    mine = _where(site, Filters(state="", about=about), now_us)
    mine += [c.state.in_((_OPEN, _SUPPRESSED))] if living else []
    query: Select[Any] = select(*groups, func.count(), *sums).where(*mine).group_by(*groups)
    for state, rank, kind, source, owner, number, due, over_, due_over in db.execute(query):
        if over_:
            yield Counted(_OPEN, rank, kind, source, owner, over_, due_over)
        if number > over_:
            due_now = due if state == _OPEN else 0
            yield Counted(state, rank, kind, source, owner, number - over_, due_now)


def steps(db: Connection, site: str, id_: str, limit: int) -> list[HistoryRow]:
    """List what happened to a finding, the newest first."""
    mine = (history.c.site == site) & (history.c.finding == id_)
    query = select(history).where(mine).order_by(history.c.at_us.desc(), history.c.id.desc()).limit(limit)
    return [
        HistoryRow(r.id, r.finding, r.at_us, r.by, Step(r.step), r.about, r.until_us, r.why)
        for r in db.execute(query)
    ]


def forget(db: Connection, site: str, before_us: int, limit: int) -> int:
    """Delete findings that were cleared before a time, with their history; gives how many."""
    c = finding.c
    old = (c.site == site) & (c.state == _CLEARED) & (c.cleared_us < before_us)
    ids = list(db.scalars(select(c.id).where(old).order_by(c.cleared_us).limit(limit)))
    for start in range(0, len(ids), IDS):
        some_ = ids[start : start + IDS]
        db.execute(delete(history).where(history.c.site == site, history.c.finding.in_(some_)))
        db.execute(delete(finding).where(c.site == site, c.id.in_(some_)))
    return len(ids)


def _order(wanted: Filters) -> tuple[Any, ...]:
    c = finding.c
    return (c.cleared_us, c.id) if wanted.state == _CLEARED else (c.rank, c.due_us, c.id)


def _open(now_us: int) -> ColumnElement[bool]:
    c = finding.c
    return or_(c.state == _OPEN, and_(c.state == _SUPPRESSED, c.until_us <= now_us))


def _count(what: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((what, 1), else_=0))


def _where(site: str, wanted: Filters, now_us: int) -> list[ColumnElement[bool]]:
    c = finding.c
    states = {
        _OPEN: _open(now_us),
        _SUPPRESSED: and_(c.state == _SUPPRESSED, c.until_us > now_us),
        _CLEARED: c.state == _CLEARED,
    }
    found = [c.site == site]
    found += [states[wanted.state]] if wanted.state else []
    found += [c.rank == Severity(wanted.severity).rank] if wanted.severity else []
    found += [c.kind == wanted.kind] if wanted.kind else []
    found += [c.source == wanted.source] if wanted.source else []
    found += [c.owner == ("" if wanted.owner == NOBODY else wanted.owner)] if wanted.owner else []
    found += [_open(now_us), c.due_us <= now_us] if wanted.overdue else []
    found += [_about(wanted.about)] if wanted.about else []
    return found


def _about(wanted: str) -> ColumnElement[bool]:
    """What is about this: ``rules:fw1`` whole, or ``fw1`` behind its kind; ``*`` stands for any part."""
    about = finding.c.about
    text = wanted.replace("/", "//").replace("%", "/%").replace("_", "/_").replace("*", "%")
    whole, behind = about.ilike(text, escape="/"), about.ilike(f"%:{text}", escape="/")
    # The kind ends at the first colon: ``1`` is not ``address:fe80::1``.
    return or_(whole, and_(behind, ~about.ilike(f"%:%:{text}", escape="/")) if "*" not in wanted else behind)


def _values(row: Finding) -> dict[str, Any]:
    now = row.standing
    return {
        "kind": row.kind,
        "key": row.key,
        "source": row.source,
        "about": row.about,
        "details": orjson.dumps(row.details, option=orjson.OPT_SORT_KEYS),
        "rank": now.severity.rank,
        "state": str(now.state),
        "tellings": row.tellings,
        "first_us": now.first_us,
        "last_us": now.last_us,
        "since_us": now.since_us,
        "due_us": now.due_us,
        "cleared_us": now.cleared_us,
        "until_us": now.until_us,
        "held": None if now.held is None else now.held.rank,
        "owner": row.owner,
        "by": row.by,
        "why": row.why,
    }


def _step_values(row: HistoryRow) -> dict[str, Any]:
    return {
        "finding": row.finding,
        "id": row.id,
        "at_us": row.at_us,
        "by": row.by,
        "step": str(row.step),
        "about": row.about,
        "until_us": row.until_us,
        "why": row.why,
    }


def _row(r: Row[Any]) -> Finding:
    standing = Standing(
        state=State(r.state),
        severity=_SEVERITIES[r.rank],
        first_us=r.first_us,
        last_us=r.last_us,
        since_us=r.since_us,
        due_us=r.due_us,
        cleared_us=r.cleared_us,
        until_us=r.until_us,
        held=None if r.held is None else _SEVERITIES[r.held],
    )
    return Finding(
        id=r.id,
        kind=r.kind,
        key=r.key,
        source=r.source,
        about=r.about,
        standing=standing,
        details=orjson.loads(r.details),
        tellings=r.tellings,
        owner=r.owner,
        by=r.by,
        why=r.why,
    )
