"""Leave of an address the first three digits of a US ZIP code, the state and the country.

Rules:
- Prefixes of areas with 20,000 people or fewer become ``000``; the list is the union of the 17 by the census of 2000, which HHS
  published, and those by the census of 2010 (which adds 205, 369, 753 and 772). HHS has published none for
  2020: whoever has those figures must compare them.
- A postcode of another form, and a state or country that is not a short code, is removed.

Source: 45 CFR 164.514(b)(2)(i)(B); HHS guidance on de-identification (2012), question on ZIP codes.
"""

from __future__ import annotations

import re

from oathward.deid.action import Action, Parameters, Seeds
from oathward.protocols.shaping import REMOVE, Ruling

RESTRICTED = frozenset(
    (
        *("036", "059", "063", "102", "203", "205", "369", "556", "692", "753", "772", "790", "821"),
        *("823", "830", "831", "878", "879", "884", "890", "893"),
    )
)
_ZIP = re.compile(r"([0-9]{3})[0-9]{2}(?:-?[0-9]{4})?")
_CODE = re.compile(r"[A-Z]{2,3}")


def _postcode(value: str, _seeds: Seeds) -> str:
    found = _ZIP.fullmatch(value.strip())
    if not found:
        return ""
    return "000" if found[1] in RESTRICTED else found[1]


def _code(value: str, _seeds: Seeds) -> str:
    return value if _CODE.fullmatch(value) else ""


def _rule(_cls: str, part: str, _parameters: Parameters) -> Ruling:
    if part == "postcode":
        return _postcode
    return _code if part in ("state", "country") else REMOVE


ACTION = Action(_rule)
