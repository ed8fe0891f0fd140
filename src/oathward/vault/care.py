"""Who cares for whom now, as patients' stays and people's shifts say it: ``relation``.

Rules:
- A relation is one of: attending of an open stay; works at the unit of one, always or in a shift of now; assigned to
  the patient for now. Nothing else is: who cared yesterday does not.
- What was said of one of two tied subjects counts for both; ties of the person (merged, joined), never those of kin.
- A stay that nobody said a word of for ``people.care_silence_days`` gives no relation: its discharge was lost.
- A unit is ``facility|point of care``, or the point of care alone where no facility is named; compared as written.
- Whoever opens anything checks stamps; a page that only lists does without.

Deliberately absent: reading of messages (``gateway/care``), what a relation permits (``policy/access``), any name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection

from oathward.core.settings import People
from oathward.policy.people import Person
from oathward.vault import care_rows as rows
from oathward.vault.care_rows import Assignment, Stamps, Stay

Basis = Literal["attending", "unit", "shift", "assignment", "emergency"]
"""``emergency`` is none of the rows below: it is a patient who was reached by breaking the glass, while it lasts (``keeper/reaching``)."""

TIED_MAX = 256
"""Subjects of one patient; more are a mistake, and then only the one asked for counts."""

_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Relation:
    """Why somebody is held to care for a patient now; ``until_us``: None while nothing ends it."""

    basis: Basis
    unit: str
    since_us: int
    until_us: int | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """How relations are looked for.

    Args:
        stamps: checks rows; None believes them all: for pages, where nothing is opened.
        silence_us: how long a stay may go without a word.
    """

    stamps: Stamps | None
    silence_us: int

    @classmethod
    def by(cls, people: People, stamps: Stamps | None = None) -> Asked:
        """As the settings say."""
        return cls(stamps, int(people.care_silence_days * _DAY_US))


def relation(
    db: Connection, site: str, person: Person, subject: str, now_us: int, asked: Asked
) -> Relation | None:
    """Say why a person cares for a patient now; None where nothing says so."""
    subjects = tied(db, site, subject, asked.stamps)
    direct, shifts = _current(db, site, person, now_us, asked)
    found = [
        why
        for stay in rows.open_stays(db, site, subjects, now_us - asked.silence_us, asked.stamps)
        if (why := _of_stay(person, stay, shifts)) is not None
    ]
    found += [
        Relation("assignment", "", one.from_us, one.until_us) for one in direct if one.subject in subjects
    ]
    return min(found, key=lambda one: _RANK[one.basis], default=None)


def mine(
    db: Connection, site: str, person: Person, now_us: int, asked: Asked, *, limit: int = 500
) -> list[tuple[str, Relation]]:
    """List the subjects a person cares for now, those of direct assignments first, then by unit; for a page."""
    direct, shifts = _current(db, site, person, now_us, asked)
    found = {one.subject: Relation("assignment", "", one.from_us, one.until_us) for one in direct}
    units = {*person.units, *shifts} - {""}
    heard_after_us = now_us - asked.silence_us
    for stay in rows.open_at(db, site, units, person.staff_ids, heard_after_us, limit, asked.stamps):
        why = _of_stay(person, stay, shifts)
        if why is not None:
            found.setdefault(stay.subject, why)
    return list(found.items())[:limit]


def tied(db: Connection, site: str, subject: str, stamps: Stamps | None) -> frozenset[str]:
    """Give the subjects that standing ties make one patient, the one asked for included."""
    found, new = {subject}, {subject}
    while new:
        ties = [tie for one in sorted(new) for tie in rows.ties_of(db, site, one, stamps)]
        new = {end for one in ties for end in (one.child, one.parent)} - found
        found |= new
        if len(found) > TIED_MAX:
            return frozenset((subject,))
    return frozenset(found)


_RANK: dict[Basis, int] = {"attending": 0, "unit": 1, "assignment": 2, "shift": 3}


def _of_stay(person: Person, stay: Stay, shifts: dict[str, Assignment]) -> Relation | None:
    if not person.staff_ids.isdisjoint(stay.attending):
        return Relation("attending", stay.unit, stay.place_at_us or stay.begun_us)
    if not stay.unit:
        return None
    if stay.unit in person.units:
        return Relation("unit", stay.unit, stay.place_at_us or stay.begun_us)
    shift = shifts.get(stay.unit)
    return Relation("shift", stay.unit, shift.from_us, shift.until_us) if shift is not None else None


def _current(
    db: Connection, site: str, person: Person, now_us: int, asked: Asked
) -> tuple[list[Assignment], dict[str, Assignment]]:
    """Give what is assigned to a person now: single patients; and units, each with the shift that ends last."""
    found = rows.current(db, site, person.id, now_us, asked.stamps)
    return [one for one in found if one.subject], {one.unit: one for one in found if not one.subject}
