"""Provisions within provisions, and the flat facts that say the same.

Rules:
- A provision speaks where its own conditions and those of all above it hold. What is nested is an exception to what it
  is nested in: of the opposite type, it lifts it there; of the same type, it is one more rule.
- Each provision has two readings: what it is at least (``narrow``) and at most (``wide``); the same unless something of
  it could not be read. A permit, and an exception to a denial, is what it is at least; a denial what it is at most.
- Deny wins: over every permit of the same and of other consents, but for its own exceptions.

================  =================  ====================================================
provision         nested in it       facts
================  =================  ====================================================
permit A          —                  permit A
permit A          deny B             permit A; deny A∩B
permit A          deny B (permit C)  permit A; deny A∩B unless A∩B∩C; permit A∩B∩C
deny A            —                  deny A
deny A            permit B           deny A unless A∩B; permit A∩B
deny A            permit B (deny C)  deny A unless A∩B; permit A∩B; deny A∩B∩C
deny A            deny B             deny A; deny A∩B
deny A            deny B (permit C)  deny A; deny A∩B unless A∩B∩C; permit A∩B∩C
permit A          permit B           permit A; permit A∩B
(no type) A       permit B, deny C   permit A∩B; deny A∩C
================  =================  ====================================================

Deliberately absent: FHIR's own words (``fhir/``).

Source: FHIR R4 §6.2.4 (Consent.provision, Consent.provision.provision).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from oathward.policy.consents import Box, meet

Boxes = tuple[Box, ...]
ANYTHING: Boxes = (Box(),)
FACTS_MAX = 100


@dataclass(frozen=True, slots=True)
class Provision:
    """One rule with what is nested in it. ``type``: ``None`` says nothing itself, and only narrows what is nested."""

    type: Literal["permit", "deny"] | None
    wide: Boxes
    narrow: Boxes
    place: str
    nested: tuple[Provision, ...] = ()


@dataclass(frozen=True, slots=True)
class Flat:
    """One fact without its id. ``place``: of the provision that says it."""

    permit: bool
    box: Box
    unless: Boxes
    place: str


def flatten(root: Provision, *, wide: Boxes = ANYTHING, narrow: Boxes = ANYTHING) -> Iterator[Flat]:
    """Give the facts that say the same as a provision with all that is nested in it.

    Args:
        wide, narrow: what holds above the root: whatever the consent as a whole is of.
    """
    wide, narrow = _meet(wide, root.wide, wide=True), _meet(narrow, root.narrow, wide=False)
    if root.type == "permit":
        for box in narrow:
            yield Flat(True, box, (), root.place)
    elif root.type == "deny":
        lifted = [_meet(narrow, one.narrow, wide=False) for one in root.nested if one.type == "permit"]
        unless = tuple(dict.fromkeys(box for boxes in lifted for box in boxes))
        for box in wide:
            yield Flat(False, box, unless, root.place)
    for one in root.nested:
        yield from flatten(one, wide=wide, narrow=narrow)


def _meet(above: Boxes, own: Sequence[Box], *, wide: bool) -> Boxes:
    pairs = ((a, b) for a in above for b in own)
    return tuple(dict.fromkeys(box for a, b in pairs if (box := meet(a, b, wide=wide)) is not None))
