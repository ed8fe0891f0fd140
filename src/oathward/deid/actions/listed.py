"""Leave the value only if it stands on the profile's closed list, or is a whole number up to a bound.

Parameters: ``values``, the list; ``up_to``, one number: ages up to 89 may be shown, older ones may not
(45 CFR 164.514(b)(2)(i)(C)).
"""

from __future__ import annotations

from oathward.deid.action import Action, Parameters, Seeds
from oathward.protocols.shaping import REMOVE, Ruling


def _rule(_cls: str, part: str, parameters: Parameters) -> Ruling:
    values = frozenset(parameters.get("values", ()))
    most = int("".join(parameters.get("up_to", ("-1",))))

    def listed(value: str, _seeds: Seeds) -> str:
        small = len(value) <= len(str(most)) and value.isascii() and value.isdecimal() and int(value) <= most
        return value if small or value in values else ""

    return REMOVE if part else listed


ACTION = Action(_rule, parameters=frozenset(("values", "up_to")))
