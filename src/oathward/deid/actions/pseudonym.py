"""Put a keyed name in the value's place: stable in one project, unlinkable between projects.

Rules:
- ``patient.identifier`` becomes one name for the person, whatever the identifier was: the value does not enter,
  so the name says nothing of it, and every wire of a project gives the patient the same.
- Other classes become a name for their value, within this person and project.
- What only qualifies an identifier (authority, type, check digit) is removed: it would vouch for a false one.

Source: ISO 25237 (irreversible pseudonymisation); 45 CFR 164.514(c) (code not derived from the individual).
"""

from __future__ import annotations

from oathward.deid.action import Action, Parameters, Seeds, token
from oathward.protocols.shaping import REMOVE, Ruling

PERSON = "patient.identifier"


def _of_the_person(_value: str, seeds: Seeds) -> str:
    return token(seeds.subject_seed, PERSON, "")


def _rule(cls: str, part: str, _parameters: Parameters) -> Ruling:
    if part:
        return REMOVE
    if cls == PERSON:
        return _of_the_person

    def of_the_value(value: str, seeds: Seeds) -> str:
        return token(seeds.subject_seed, cls, value)

    return of_the_value


ACTION = Action(_rule, keyed=True)
