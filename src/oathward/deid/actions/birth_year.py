"""Leave the year of a birth (or death) only where it cannot show an age over 89.

Rules:
- A year 90 or more before the current one is removed; so is every year while the current one is not known.

Source: 45 CFR 164.514(b)(2)(i)(C): no element, the year included, indicative of an age over 89.
"""

from __future__ import annotations

from oathward.deid.action import Action, Parameters, Seeds
from oathward.deid.actions.year import year_of
from oathward.protocols.shaping import REMOVE, Ruling

AGE_YEARS_MAX = 89


def _birth_year(value: str, seeds: Seeds) -> str:
    year = year_of(value)
    return year if year and seeds.year - int(year) <= AGE_YEARS_MAX and int(year) <= seeds.year else ""


def _rule(_cls: str, part: str, _parameters: Parameters) -> Ruling:
    return REMOVE if part else _birth_year


ACTION = Action(_rule)
