"""Read findings for people: lists by filters, how many there are of each, one with its history.

Deliberately absent: names of owners (``people``); findings of the register and of the policy's review, which stand elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from oathward.core.errors import InputError
from oathward.core.finding import State
from oathward.core.finding_kinds import Severity
from oathward.core.ids import is_id
from oathward.core.reasons import Reason
from oathward.findings import sql
from oathward.findings.model import NOBODY, Filters, Finding, HistoryRow

HISTORY_MAX = 200
_DIGITS_MAX = 18
_SEVERITIES = tuple(Severity)


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of a list. ``after``: what the next page begins behind; empty at the end."""

    rows: Sequence[Finding]
    after: str = ""


@dataclass(frozen=True, slots=True)
class Facets:
    """How many findings there would be of each, with all other filters as they are. ``total``: of this list."""

    total: int = 0
    overdue: int = 0
    states: Mapping[str, int] = field(default_factory=dict)
    severities: Mapping[str, int] = field(default_factory=dict)
    kinds: Mapping[str, int] = field(default_factory=dict)
    sources: Mapping[str, int] = field(default_factory=dict)
    owners: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many findings are open, and of those: overdue, urgent, and somebody's own."""

    open: int
    overdue: int
    urgent: int
    own: int


def listed(
    db: Connection, site: str, wanted: Filters, now_us: int, *, after: str = "", limit: int = 50
) -> Listed:
    """List findings: the gravest first, of those the first due; cleared ones the newest first.

    Args:
        after: ``Listed.after`` of the page before.

    Raises:
        InputError: ``after`` is none.
    """
    rows = sql.listed(db, site, wanted, now_us, _place(after, wanted), limit + 1)
    more = len(rows) > limit
    rows = [replace(row, standing=row.standing.at(now_us)) for row in rows[:limit]]
    return Listed(rows, ".".join(map(str, sql.place(rows[-1], wanted))) if more else "")


def facets(db: Connection, site: str, wanted: Filters, now_us: int) -> Facets:
    """Count what each filter would leave, the others being as they are."""
    counts: dict[str, Counter[str]] = {
        name: Counter() for name in ("state", "severity", "kind", "source", "owner")
    }
    total = overdue = 0
    asked = {name: getattr(wanted, name) for name in counts}
    for row in sql.cube(db, site, now_us, about=wanted.about):
        has = {
            "state": row.state,
            "severity": _SEVERITIES[row.rank].value,
            "kind": row.kind,
            "source": row.source,
            "owner": row.owner or NOBODY,
        }
        misses = [name for name, value in asked.items() if value and has[name] != value]
        number = row.late if wanted.overdue else row.number
        if not misses:
            total += number
            overdue += row.late
        for name, value in has.items():
            if number and (not misses or misses == [name]):
                counts[name][value] += number
    return Facets(
        *(total, overdue, counts["state"], counts["severity"]),
        *(counts["kind"], counts["source"], counts["owner"]),
    )


def by_source(db: Connection, site: str, now_us: int) -> dict[str, dict[str, int]]:
    """Count open findings: source -> kind -> how many."""
    found: dict[str, dict[str, int]] = {}
    for row in sql.cube(db, site, now_us, living=True):
        if row.state == State.OPEN and row.number:
            kinds = found.setdefault(row.source, {})
            kinds[row.kind] = kinds.get(row.kind, 0) + row.number
    return found


def counts(db: Connection, site: str, now_us: int, owner: str = "") -> Counts:
    """Count what is open, for cards."""
    found = Counter[str]()
    for row in sql.cube(db, site, now_us, living=True):
        if row.state == State.OPEN:
            found["open"] += row.number
            found["overdue"] += row.late
            found["urgent"] += row.number * (row.rank == Severity.URGENT.rank)
            found["own"] += row.number * (bool(owner) and row.owner == owner)
    return Counts(found["open"], found["overdue"], found["urgent"], found["own"])


def one(db: Connection, site: str, id_: str, now_us: int) -> Finding:
    """Give one finding.

    Raises:
        InputError: ``not-found``.
    """
    rows = sql.some(db, site, [id_])
    if not rows:
        raise InputError("finding", "there is no such finding", reason=Reason.NOT_FOUND)
    return replace(rows[0], standing=rows[0].standing.at(now_us))


def steps(db: Connection, site: str, id_: str) -> list[HistoryRow]:
    """List what happened to a finding, the newest first; ``HISTORY_MAX`` at most."""
    return sql.steps(db, site, id_, HISTORY_MAX)


def _place(after: str, wanted: Filters) -> tuple[int | str, ...]:
    """Read where a page begins.

    Raises:
        InputError: it is not what an answer before gave.
    """
    if not after:
        return ()
    *numbers, id_ = after.split(".")
    count = 1 if wanted.state == State.CLEARED else 2
    fits = all(one.isascii() and one.isdigit() and len(one) <= _DIGITS_MAX for one in numbers)
    if len(numbers) != count or not fits or not is_id(id_):
        raise InputError("after", "is not `next` of an answer", reason=Reason.INPUT_INVALID)
    return *(int(one) for one in numbers), id_
