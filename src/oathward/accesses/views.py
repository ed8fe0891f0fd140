"""Read openings with their reasons, reviews, and what is worth a look: for pages, the API and the command line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from oathward.accesses import sql
from oathward.accesses.evidence import gather
from oathward.accesses.explaining import explain, opening_of
from oathward.accesses.facts import Fact, facts
from oathward.accesses.model import KINDS, Explained, Filters, Opening, Outcome, ReviewRow, StepRow
from oathward.ledger import Query, entry, search
from oathward.vault.authority import Seen
from oathward.vault.sign import Verifier

SCAN_MAX = 10_000
"""Openings looked at for one list."""

MANY = 5
"""Unexplained openings of one person in a week from which they are worth a look together."""

SOUGHT_MANY = 10
"""Searches of one person in a week that found nobody they may know of, likewise."""

_WEEK_US = 7 * 86_400_000_000


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many openings wait for a reviewer, and how many of them too long."""

    waiting: int
    overdue: int


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One review with the opening it is of, explained as of now."""

    row: ReviewRow
    found: Explained

    def overdue(self, now_us: int) -> bool:
        """Whether it waits too long."""
        return not self.row.by and self.row.due_us < now_us


@dataclass(frozen=True, slots=True)
class Pair:
    """Openings of one patient by one person that wait, or were reviewed."""

    person: str
    subject: str
    reviews: tuple[Reviewed, ...]

    @property
    def due_us(self) -> int:
        """When the first of them is due."""
        return min(one.row.due_us for one in self.reviews)


@dataclass(frozen=True, slots=True)
class Told:
    """One review with everything around it. ``sealed``: the reviewer's words; empty before there are any."""

    review: Reviewed
    facts: tuple[Fact, ...]
    steps: tuple[StepRow, ...]
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Pattern:
    """Something about several openings of one person that is worth a look: ``unexplained`` or ``sought``."""

    kind: str
    person: str
    count: int


def openings(
    db: Connection,
    site: str,
    *,
    subject: str = "",
    person: str = "",
    since_us: int | None = None,
    until_us: int | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[Opening]:
    """List openings and attempts, newest first.

    Args:
        before: only records with a smaller index.
    """
    scan = SCAN_MAX if person else limit
    found = [
        opening_of(one)
        for kind in KINDS
        for one in search(
            db,
            site,
            Query(subject=subject, kind=kind, since_us=since_us, until_us=until_us),
            before=before,
            limit=scan,
        )
    ]
    chosen = [one for one in found if person in ("", one.person)]
    return sorted(chosen, key=lambda one: -one.index)[:limit]


def explained(
    db: Connection, site: str, some: Iterable[Opening], authority: Verifier, seen: Seen
) -> list[Explained]:
    """Explain openings, in their order.

    Raises:
        AuthorityError: a device or a person does not verify.
    """
    listed = list(some)
    return explain(listed, gather(db, site, listed, authority, seen))


def reviews(
    db: Connection,
    site: str,
    authority: Verifier,
    seen: Seen,
    wanted: Filters = Filters(),  # noqa: B008  frozen
    *,
    limit: int = 500,
) -> list[Reviewed]:
    """List openings that wait for a reviewer, those due first, or those that were reviewed, newest first."""
    rows = sql.rows(db, site, wanted, limit=limit)
    some = [opening_of(entry(db, site, row.opening)) for row in rows]
    found = explained(db, site, some, authority, seen)
    return [Reviewed(row, one) for row, one in zip(rows, found, strict=True)]


def pairs(found: Iterable[Reviewed]) -> list[Pair]:
    """Put reviews of one person and one patient together, in the order of the first of each."""
    together: dict[tuple[str, str], list[Reviewed]] = {}
    for one in found:
        together.setdefault((one.row.person, one.found.opening.subject), []).append(one)
    return [Pair(person, subject, tuple(some)) for (person, subject), some in together.items()]


def one(db: Connection, site: str, opening: int, authority: Verifier, seen: Seen) -> Told | None:
    """Read one review with what is on record around the opening; None where there is no review of it.

    Raises:
        AuthorityError: a device or a person does not verify.
    """
    row = sql.one(db, site, opening)
    if row is None:
        return None
    about = opening_of(entry(db, site, opening))
    evidence = gather(db, site, [about], authority, seen)
    [found] = explain([about], evidence)
    first = sql.one(db, site, row.said_of) if row.by else None
    return Told(
        Reviewed(row, found),
        tuple(facts(about, evidence)),
        tuple(sql.steps(db, site, opening)),
        first.sealed if first is not None else b"",
    )


def waiting(db: Connection, site: str, now_us: int) -> Waiting:
    """Count what waits."""
    return Waiting(*sql.counts(db, site, now_us))


def patterns(db: Connection, site: str, now_us: int) -> list[Pattern]:
    """List what is worth a look of the last week. Names of patients are not read, and neither is whose relative one is."""
    since_us = now_us - _WEEK_US
    found = [
        Pattern("unexplained", person, count)
        for person, count in sql.by_person(db, site, since_us).items()
        if count >= MANY
    ]
    sought: dict[str, int] = {}
    for one in search(db, site, Query(kind="patient.sought", since_us=since_us), limit=SCAN_MAX):
        if not one.body.get("told"):
            who = str(one.body.get("person", ""))
            sought[who] = sought.get(who, 0) + 1
    found += [Pattern("sought", who, count) for who, count in sought.items() if count >= SOUGHT_MANY]
    return sorted(found, key=lambda one: -one.count)


def outcomes(db: Connection, site: str, indexes: Iterable[int]) -> dict[int, Outcome]:
    """Give what reviews of some openings came to, by opening; those that were made."""
    return {row.opening: Outcome(row.outcome) for row in sql.some(db, site, list(indexes)) if row.by}
