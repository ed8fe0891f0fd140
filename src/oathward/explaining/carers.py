"""Which of the staff have a care relationship with one patient now: counts by basis, and for who may see people, who.

Rules:
- The bases are those of ``vault.care``: attending, unit, shift, assignment. Rows are believed as a page believes them;
  nothing is opened by it.
- Who may not see people learns how many, never who; an attending is known by a number of the hospital's.

Deliberately absent: whether one viewer may open the patient (``vault.care.relation``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from oathward.core.clock import from_micros, micros
from oathward.core.db import read
from oathward.people import views as people
from oathward.people.views import Reader, Wanted
from oathward.vault import care, care_rows
from oathward.vault.opened import Opened

NAMED_MAX = 200
"""Of one unit; its count is of all."""


@dataclass(frozen=True, slots=True)
class Carer:
    """One of them. ``person``: an id, or for an attending ``authority|number``; ``until``: None while nothing ends it."""

    person: str
    basis: str
    unit: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Carers:
    """How many by basis, and who; ``named`` is empty for who may not see people."""

    counts: dict[str, int]
    named: list[Carer]


def carers(site: Opened, subject: str, *, names: bool) -> Carers:
    """List who cares for a patient now.

    Args:
        names: the viewer may see people.
    """
    now_us, asked = micros(site.clock.now()), care.Asked.by(site.settings.people)
    with read(site.engine) as db:
        tied = care.tied(db, site.site, subject, None)
        stays = care_rows.open_stays(db, site.site, tied, now_us - asked.silence_us, None)
        units = {stay.unit for stay in stays} - {""}
        assigned = [
            one
            for one in care_rows.assignments(db, site.site, since_us=now_us)
            if one.from_us <= now_us and (one.subject in tied if one.subject else one.unit in units)
        ]
        wanted = [Wanted(now_us, state="active", unit=unit) for unit in sorted(units)]
        members = sum(people.count(db, site.site, one) for one in wanted)
        by = Reader(site.authority, site.seen, now_us)
        always = [
            Carer(view.person.id, "unit", one.unit, None)
            for one in (wanted if names else ())
            for view in people.page(db, site.site, by, one, limit=NAMED_MAX)
        ]
    attending = {(number, stay.unit) for stay in stays for number in stay.attending}
    found = [Carer(number, "attending", unit, None) for number, unit in sorted(attending)]
    found += always
    found += [
        Carer(one.person, "assignment" if one.subject else "shift", one.unit, from_micros(one.until_us))
        for one in assigned
    ]
    counts = {
        basis: sum(one.basis == basis for one in found) for basis in ("attending", "shift", "assignment")
    }
    return Carers(counts | {"unit": members}, found if names else [])
