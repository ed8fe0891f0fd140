"""Put an asterisk in the place of every character; of a long value the last ones may stay (parameter ``last``).

Rules:
- ``last``: how many at the end stay, at most four, and never more than a third of the value: of a short one nothing stays.
- The length stays, up to 16 characters: a longer value is not told by how long it is.

Deliberately absent: use for dates, codes and numbers, which are no valid ones then. What stays is of the value: this is no
pseudonym, and two persons may have the same.
"""

from __future__ import annotations

from collections.abc import Mapping

from oathward.deid.action import Action, Parameters, Seeds
from oathward.protocols.shaping import REMOVE, Ruling

LAST_MAX = 4
LENGTH_MAX = 16
_LAST = ("0",)
_SHARE = 3


def _rule(_cls: str, part: str, parameters: Parameters) -> Ruling:
    last = int("".join(parameters.get("last", _LAST)))

    def mask(value: str, _seeds: Seeds) -> str:
        text = value.strip()
        stay = last if _SHARE * last <= len(text) else 0
        return "*" * (min(len(text), LENGTH_MAX) - stay) + text[len(text) - stay :]

    return REMOVE if part else mask


def _wrong(parameters: Parameters) -> Mapping[str, str]:
    allowed = [(str(n),) for n in range(LAST_MAX + 1)]
    if parameters.get("last", _LAST) in allowed:
        return {}
    return {"last": f'write how many characters at the end stay, 0 to {LAST_MAX}: ["4"]'}


ACTION = Action(_rule, parameters=frozenset(("last",)), wrong=_wrong)
