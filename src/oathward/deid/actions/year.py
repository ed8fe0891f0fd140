"""Leave the year of a date, nothing finer.

Source: 45 CFR 164.514(b)(2)(i)(C): all elements of dates except year.
"""

from __future__ import annotations

import re

from oathward.deid.action import Action, Parameters, Seeds
from oathward.protocols.shaping import REMOVE, Quick, Ruling

_YEAR = re.compile(r"(?:18|19|20|21)[0-9]{2}(?=$|-?(?:0[1-9]|1[0-2]))")
_MONTHS = frozenset(b"%d%02d" % (year, month) for year in range(1900, 2100) for month in range(1, 13))
"""The usual beginnings, looked up: much of what is shaped is a time."""


def year_of(value: str) -> str:
    """Give the year a date begins with; empty where it does not begin with one."""
    found = _YEAR.match(value)
    return found[0] if found else ""


def _year(value: str, _seeds: Seeds) -> str:
    return year_of(value)


def _short(value: bytes) -> bytes | None:
    return value[:4] if value[:6] in _MONTHS else None


_RULING = Quick(_year, _short)


def _rule(_cls: str, part: str, _parameters: Parameters) -> Ruling:
    return REMOVE if part else _RULING


ACTION = Action(_rule)
