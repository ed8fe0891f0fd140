"""Leave the value only if it stands on the profile's closed list (parameter ``values``)."""

from __future__ import annotations

from oathward.deid.action import Action, Parameters, Seeds
from oathward.protocols.shaping import REMOVE, Ruling


def _rule(_cls: str, part: str, parameters: Parameters) -> Ruling:
    values = frozenset(parameters.get("values", ()))

    def listed(value: str, _seeds: Seeds) -> str:
        return value if value in values else ""

    return REMOVE if part else listed


ACTION = Action(_rule, parameters=frozenset(("values",)))
