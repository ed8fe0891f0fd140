"""Put the band of a number in its place: ages, weights, counts; whatever is over 89 becomes 90 or older.

Rules:
- Parameters: ``width``, of a band (5 where it is not said); ``over``, the last number that is shown (89; a site's weights may have
  a higher one), above it everything is one band; ``show``: ``range`` writes ``40-44`` and ``90+``, ``least`` writes ``40`` and ``90``,
  for receivers that take numbers only.
- Ages as DICOM writes them (``044Y``, ``011M``) are banded in years and written so; of a child under one year that is ``000Y``.
- What is no number of nought or more is removed.

Source: 45 CFR 164.514(b)(2)(i)(C): ages over 89 may be aggregated into one category; DICOM PS3.5 §6.2 (AS).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from oathward.deid.action import Action, Parameters, Seeds
from oathward.protocols.shaping import REMOVE, Ruling

DEFAULTS: Parameters = {"width": ("5",), "over": ("89",), "show": ("range",)}
SHOWN = ("range", "least")
_number = re.compile(r"([0-9]{1,6})(?:\.[0-9]{1,6})?").fullmatch
_age = re.compile("([0-9]{3})([DWMY])").fullmatch
_WHOLE = re.compile("[1-9][0-9]{0,5}")
_PER_YEAR = {"D": 366, "W": 53, "M": 12, "Y": 1}
"""At most so many are one year: an age is never made older than it is."""


def banded(value: str, *, width: int, over: int, least: bool) -> str:
    """Give the band of a number; empty where it is none.

    Args:
        value: decimal, or DICOM AS.
        width: of a band, from 0 on.
        over: the last number that is shown.
        least: write only where the band begins.
    """
    text = value.strip()
    if age := _age(text):
        years = int(age[1]) // _PER_YEAR[age[2]]
        return f"{_start(years, width, over):03}Y"
    found = _number(text)
    if not found:
        return ""
    number = int(found[1])
    start = _start(number, width, over)
    if least:
        return str(start)
    return f"{start}+" if number > over else f"{start}-{min(start + width - 1, over)}"


def _start(number: int, width: int, over: int) -> int:
    return over + 1 if number > over else number // width * width


def _rule(_cls: str, part: str, parameters: Parameters) -> Ruling:
    width, over, show = ("".join(parameters.get(key, DEFAULTS[key])) for key in ("width", "over", "show"))
    wide, last, least = int(width), int(over), show == "least"

    def bands(value: str, _seeds: Seeds) -> str:
        return banded(value, width=wide, over=last, least=least)

    return REMOVE if part else bands


def _wrong(parameters: Parameters) -> Mapping[str, str]:
    found = {
        key: f'write one whole number: ["{DEFAULTS[key][0]}"]'
        for key in ("width", "over")
        if key in parameters and not (len(parameters[key]) == 1 and _WHOLE.fullmatch(parameters[key][0]))
    }
    if "show" in parameters and parameters["show"] not in [(word,) for word in SHOWN]:
        found["show"] = 'write ["range"] or ["least"]'
    return found


ACTION = Action(_rule, parameters=frozenset(DEFAULTS), wrong=_wrong)
