"""What a Consent that came as a message may take away, until a person has looked at it.

Rules:
- Nothing that arrives permits anything: a permit is in force once it was imported and the keeper signed it.
- What it denies is *pending* at once. So is what stands under the same origins and it does not say again: it is a later
  version, or a withdrawal.
- What pends is wide: dates without a zone may be of any zone, and what cannot be read at all denies everything.
- A decision that hangs on it is not made (``policy.decide``): it is held, not denied.

Deliberately absent: signatures (this is no authority, it only holds back), and the Consent itself, which lies sealed.

Source: ADR 0024.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from oathward.consent.fhir.reader import read
from oathward.consent.model import Statement
from oathward.core.errors import OathwardError
from oathward.policy.consents import EVERY, Box, ConsentFact, words_of
from oathward.protocols.fhir.json import dumps

ZONES_US = 14 * 3_600_000_000
"""So far the clocks of the world are apart from UTC at most."""


_EVERYTHING = ConsentFact("", permit=False, purposes=EVERY, recipients=EVERY, classes=EVERY)


@dataclass(frozen=True, slots=True)
class Arrived:
    """What some Consents of one message may take away.

    ``denials``: what they deny. ``origins``: what they are known by. ``permits``: what they permit, and so leave.
    ``consents``: how many they are; it is not part of the body.
    """

    denials: tuple[ConsentFact, ...] = ()
    origins: frozenset[str] = frozenset()
    permits: tuple[Box, ...] = ()
    consents: int = 0

    def body(self) -> bytes:
        """Write it as it is stored."""
        row = {
            "denials": [one.row() for one in self.denials],
            "origins": sorted(self.origins),
            "permits": [box.row() for box in self.permits],
        }
        return orjson.dumps(row)

    @classmethod
    def from_body(cls, body: bytes) -> Arrived:
        """Invert ``body``.

        Raises:
            ValueError: it is something else.
        """
        try:
            row = orjson.loads(body)
            denials = tuple(ConsentFact.from_row(one) for one in row["denials"])
            permits = tuple(Box.from_row(one) for one in row["permits"])
            return cls(denials, words_of(row["origins"]), permits)
        except (KeyError, TypeError) as error:
            raise ValueError("not what a consent may take away") from error


def arrived(resources: Sequence[dict[str, Any]], name: str) -> Arrived:
    """Read what Consents of one message may take away.

    Args:
        name: of the message; what is pending is named after it.
    """
    denials: list[ConsentFact] = []
    origins: frozenset[str] = frozenset()
    permits: list[Box] = []
    for resource in resources:
        try:
            found = read(resource, dumps(resource))
        except OathwardError:
            denials.append(_pending(_EVERYTHING, f"{name}-{len(denials)}"))
            continue
        origins |= found.origins
        for one in found.statements:
            if one.fact.permit:
                permits.append(_wide(one.fact.box))
            else:
                denials.append(_pending(one.fact, f"{name}-{len(denials)}"))
    return Arrived(tuple(denials), origins, tuple(permits), len(resources))


def pending(arrivals: Sequence[Arrived], standing: Sequence[Statement]) -> tuple[ConsentFact, ...]:
    """Give what is pending of one subject: denials that hold back, beside what stands."""
    known = {_said(one.fact) for one in standing if not one.fact.permit}
    found: list[ConsentFact] = []
    for number, one in enumerate(arrivals):
        found += [denial for denial in one.denials if _said(denial) not in known]
        for statement in standing:
            taken = statement.fact.permit and statement.origins & one.origins
            if taken and _wide(statement.fact.box) not in one.permits:
                found.append(_pending(replace(statement.fact, permit=False), f"{statement.fact.id}-{number}"))
    return tuple(found)


def _pending(fact: ConsentFact, id_: str) -> ConsentFact:
    return replace(fact, id=f"arrived-{id_}", pending=True, **_dates(fact.start_us, fact.end_us))


def _said(fact: ConsentFact) -> ConsentFact:
    """Give a denial without its name, to see whether it stands already."""
    dates = {} if fact.pending else _dates(fact.start_us, fact.end_us)
    return replace(fact, id="", pending=False, **dates)


def _wide(box: Box) -> Box:
    return replace(box, **_dates(box.start_us, box.end_us))


def _dates(start_us: int | None, end_us: int | None) -> dict[str, Any]:
    return {
        "start_us": None if start_us is None else start_us - ZONES_US,
        "end_us": None if end_us is None else end_us + ZONES_US,
    }
