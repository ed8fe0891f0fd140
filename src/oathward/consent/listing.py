"""The list of patients who said something: what stands, ends soon, ended, contradicts, was said under several subjects.

Rules:
- One row a patient: the subject that stands for all of them. It is written by a follower (``explaining.listing``) when something
  was said, merged or erased, and when a statement ends; reading the list verifies nothing.
- The list is a hint: whoever shows a patient reads what is signed. One of whom a signature does not verify is *unsure*,
  and counts nothing.

Deliberately absent: families (``patients``), who waits for a person (``views.arrivals``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from oathward.consent import sql
from oathward.consent.conflicts import contradictions
from oathward.consent.model import KIND, Statement
from oathward.consent.sql import NEVER
from oathward.consent.views import facts_of
from oathward.core.errors import AuthorityError
from oathward.vault.authority import Seen
from oathward.vault.sign import Verifier

STATES = {
    "": "All",
    "stands": "Something stands",
    "soon": "Ends within 30 days",
    "ended": "Ended or taken back",
    "contradictory": "Contradictory",
    "merged": "Said as several patients",
    "unsure": "Cannot be verified",
}
SOON_US = 30 * 86_400_000_000
COUNTED_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Person:
    """What the list says of one patient. ``until_us``, ``next_us``: None for never; ``said``: by so many subjects."""

    subject: str
    at_us: int
    said: int
    permits: int
    denials: int
    until_us: int | None
    next_us: int | None
    contradictions: int
    sure: bool

    def state(self, now_us: int) -> str:
        """Name the one state that a row of the list shows first."""
        if not self.sure:
            return "unsure"
        if self.contradictions:
            return "contradictory"
        if self.until_us is not None and self.until_us <= now_us:
            return "ended"
        if self.next_us is not None and now_us < self.next_us <= now_us + SOON_US:
            return "soon"
        return "stands"


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of the list. ``after``: of the next one; empty at the end."""

    rows: tuple[Person, ...]
    after: str


def page(db: Connection, site: str, state: str, *, now_us: int, after: str = "", limit: int = 50) -> Listed:
    """Read a page: the newest first, or those that end soonest.

    Args:
        state: of ``STATES``. after: as the page before gave it; one that is none begins anew.
    """
    cut = sql.cuts(now_us, now_us + SOON_US)[state]
    found = sql.persons(db, site, cut, after=_key(after), limit=limit + 1)
    shown = found[:limit]
    more = f"{getattr(shown[-1], cut.by.name)}.{shown[-1].subject}" if len(found) > limit else ""
    return Listed(tuple(_person(row, now_us) for row in shown), more)


def count(db: Connection, site: str, state: str, *, now_us: int) -> int:
    """Count patients of a state, up to ``COUNTED_MAX``."""
    return sql.persons_count(db, site, sql.cuts(now_us, now_us + SOON_US)[state], COUNTED_MAX)


def one(db: Connection, site: str, subject: str, *, now_us: int) -> Person | None:
    """Read what the list says of one patient."""
    row = sql.person_row(db, site, subject)
    return _person(row, now_us) if row else None


def due(db: Connection, site: str, *, now_us: int, limit: int) -> list[str]:
    """List patients whose row is out of date because something ended."""
    return sql.due(db, site, now_us, limit)


def take(
    db: Connection, site: str, family: Sequence[str], *, authority: Verifier, seen: Seen, now_us: int
) -> None:
    """Write what the list says of one patient, inside a transaction.

    Args:
        family: the subject that stands for the patient first, then everyone it stands for.
    """
    if len(family) > 1:
        sql.drop_persons(db, site, family[1:])
    row = _row(db, site, family, authority, seen, now_us)
    if row is None:
        sql.drop_persons(db, site, family[:1])
    else:
        sql.put_person(db, site, {"subject": family[0], **row})


def forget(db: Connection, site: str, subjects: Sequence[str]) -> None:
    """Take subjects off the list: they were erased."""
    sql.drop_persons(db, site, subjects)


def _row(
    db: Connection, site: str, family: Sequence[str], authority: Verifier, seen: Seen, now_us: int
) -> Mapping[str, Any] | None:
    said: list[tuple[str, Statement]] = []
    speakers, at_us, sure = 0, 0, True
    for subject in family:
        document = sql.newest(db, site, subject)
        if document is None and not seen.newest(KIND, subject):
            continue
        speakers, at_us = speakers + 1, max(at_us, document.at_us if document else 0)
        try:
            said += [(subject, one) for one in facts_of(db, site, subject, authority, seen)[1]]
        except AuthorityError:
            sure = False
    if not speakers:
        return None
    if not sure:
        said = []
    ends = [NEVER if one.fact.end_us is None else one.fact.end_us for _, one in said]
    found = contradictions(said, now_us)
    return {
        "at_us": at_us,
        "said": speakers,
        "permits": sum(one.fact.permit for _, one in said),
        "denials": sum(not one.fact.permit for _, one in said),
        "until_us": max(ends, default=0) if sure else NEVER,
        "next_us": min((end for end in ends if now_us < end < NEVER), default=0),
        "contradictions": len(found),
        "contradicts_us": max((NEVER if one.until_us is None else one.until_us for one in found), default=0),
        "sure": int(sure),
    }


def _person(row: Any, now_us: int) -> Person:
    return Person(
        row.subject,
        row.at_us,
        row.said,
        row.permits,
        row.denials,
        None if row.until_us == NEVER else row.until_us,
        row.next_us or None,
        row.contradictions if row.contradicts_us > now_us else 0,
        bool(row.sure),
    )


def _key(after: str) -> tuple[int, str] | None:
    number, _, subject = after.partition(".")
    return (int(number), subject) if number.isascii() and number.isdigit() and len(number) < 20 else None
