"""Leave the value only if it stands on the profile's closed list, or is a whole number up to a bound.

Parameters: ``values``, the list; ``up_to``, one number: ages up to 89 may be shown, older ones may not; ``above``, what stands
for those (``90+``), up to 130, which nobody is; they are removed where it is not said.

Source: 45 CFR 164.514(b)(2)(i)(C).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from oathward.deid.action import Action, Parameters, Seeds
from oathward.protocols.shaping import REMOVE, Ruling

AGE_MAX = 130
_number = re.compile("[0-9]{1,3}").fullmatch


def _rule(_cls: str, part: str, parameters: Parameters) -> Ruling:
    values = frozenset(parameters.get("values", ()))
    most = int("".join(parameters.get("up_to", ("-1",))))
    above = "".join(parameters.get("above", ()))

    def listed(value: str, _seeds: Seeds) -> str:
        if value in values:
            return value
        if not _number(value) or most < 0:
            return ""
        number = int(value)
        if number > most:
            return above if number <= AGE_MAX else ""
        return value if len(value) <= len(str(most)) else ""

    return REMOVE if part else listed


def _wrong(parameters: Parameters) -> Mapping[str, str]:
    given = parameters.get("up_to")
    if given is None:
        return {"above": "needs `up_to`, the last number that is shown"} if "above" in parameters else {}
    return {} if len(given) == 1 and _number(given[0]) else {"up_to": 'write one whole number: ["89"]'}


ACTION = Action(_rule, parameters=frozenset(("values", "up_to", "above")), wrong=_wrong)
