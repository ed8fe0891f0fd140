"""What is on record around one opening, as facts a reviewer reads: stays, orders, shifts, rosters, glasses. Pure.

Rules:
- A fact is a code with times, a unit and a person id; the page has the words. Nothing of it is a judgement.
- What held then is marked; what is only near (``NEAR_US``) stands beside it.

Deliberately absent: content, names, and reasons (``explaining``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oathward.accesses.model import Evidence, Opening

NEAR_US = 48 * 3_600_000_000
FACTS_MAX = 50


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing on record around an opening.

    Args:
        kind: ``stay``, ``assignment``, ``shift``, ``on-call``, ``order``, ``glass``, ``device``, ``release``.
        unit: of care. what: a device id or an order's number of staff. until_us: None while it lasts.
        held: it held at the moment of the opening. mine: it is of the person who opened.
    """

    kind: str
    from_us: int
    until_us: int | None
    held: bool
    mine: bool = True
    unit: str = ""
    what: str = ""


def facts(opening: Opening, evidence: Evidence) -> list[Fact]:
    """List what is on record, what held then first."""
    found = [*_stays(opening, evidence), *_work(opening, evidence), *_other(opening, evidence)]
    return sorted(found, key=lambda one: (not one.held, one.kind, -one.from_us))[:FACTS_MAX]


def _stays(opening: Opening, evidence: Evidence) -> Iterable[Fact]:
    stood = set(evidence.stood(opening.subject, opening.at_us))
    mine = evidence.staff.get(opening.person, frozenset())
    for one in evidence.of(opening.subject):
        for stay in evidence.stays.get(one, ()):
            yield Fact(
                "stay",
                stay.begun_us,
                stay.ended_us,
                stay in stood,
                not mine.isdisjoint(stay.attending),
                stay.unit,
            )


def _work(opening: Opening, evidence: Evidence) -> Iterable[Fact]:
    at_us, together = opening.at_us, evidence.of(opening.subject)
    for one in evidence.assignments.get(opening.person, ()):
        about = not one.subject or one.subject in together
        if about and one.from_us - NEAR_US <= at_us < one.until_us + NEAR_US:
            kind = "assignment" if one.subject else "shift"
            held = one.from_us <= at_us < one.until_us
            yield Fact(kind, one.from_us, one.until_us, held, unit=one.unit)
    for name in evidence.aliases.get(opening.person, ()):
        for duty in evidence.duties.get(name, ()):
            held = duty.from_us <= at_us < duty.until_us
            yield Fact("on-call", duty.from_us, duty.until_us, held, unit=duty.unit, what=duty.source)


def _other(opening: Opening, evidence: Evidence) -> Iterable[Fact]:
    at_us, together = opening.at_us, evidence.of(opening.subject)
    mine = evidence.staff.get(opening.person, frozenset())
    for one in together:
        for order in evidence.orders.get(one, ()):
            if order.orderer in mine:
                yield Fact("order", order.at_us, order.at_us, order.at_us <= at_us)
    for glass in evidence.glasses.get(opening.person, ()):
        if glass.subject in together:
            held = glass.from_us <= at_us < glass.until_us
            yield Fact("glass", glass.from_us, glass.until_us, held)
    for message in opening.messages:
        device = evidence.sent_by.get(message, "")
        if device and evidence.owners.get(device, "") in evidence.aliases.get(opening.person, frozenset()):
            yield Fact("device", at_us, at_us, held=True, what=device)
        released = evidence.released.get((opening.person, message))
        if released is not None:
            yield Fact("release", released, released, held=released <= at_us)
