"""Leave of an address town, state, postcode and country.

Source: 45 CFR 164.514(e)(2)(ii): postal address information, other than town or city, State, and zip code.
"""

from __future__ import annotations

from oathward.deid.action import Action, Parameters
from oathward.protocols.shaping import KEEP, REMOVE, Ruling


def _rule(_cls: str, part: str, _parameters: Parameters) -> Ruling:
    return KEEP if part in ("city", "state", "postcode", "country") else REMOVE


ACTION = Action(_rule)
