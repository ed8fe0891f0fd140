"""A maker by the prefix of a card's number: a hint, since cards are bought in. Pure.

A small table of ours for makers that hospitals meet; the whole registry is IEEE's, and a site brings it as a file (``read_registry``).

Source: IEEE Registration Authority, MA-L assignments (facts); IEEE 802-2014 §8.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping

from oathward.core.errors import InputError
from oathward.core.reasons import Reason

CONFIDENCE = 0.3
SOURCE = "card-prefix"
ROWS_MAX = 200_000
NAME_LENGTH_MAX = 80

PREFIXES: Mapping[str, str] = {
    "00:03:b1": "Hospira",
    "00:09:fb": "Philips Patient Monitoring",
    "00:24:e4": "Withings",
    "00:60:19": "Roche Diagnostics",
    "00:a0:37": "Mindray",
    "08:00:06": "Siemens",
    "00:0e:8c": "Siemens",
    "00:80:a3": "Lantronix",
    "00:90:e8": "Moxa",
    "00:0b:ab": "Advantech",
    "00:d0:c9": "Advantech",
    "00:c0:b7": "American Power Conversion",
    "00:40:8c": "Axis",
    "ac:cc:8e": "Axis",
    "00:00:74": "Ricoh",
    "00:00:aa": "Xerox",
    "00:80:77": "Brother",
    "b8:27:eb": "Raspberry Pi",
}

_HEX_LINE = re.compile(r"\s*([0-9A-F]{2})-([0-9A-F]{2})-([0-9A-F]{2})\s+\(hex\)\s+(\S.*?)\s*$", re.IGNORECASE)


def maker_of(mac: str, registry: Mapping[str, str] = PREFIXES) -> str:
    """Give the maker that a card's prefix names; empty for one nobody knows, or a random MAC."""
    return "" if int(mac[:2], 16) & 2 else registry.get(mac[:8], "")


def read_registry(text: str) -> dict[str, str]:
    """Read IEEE's registry as it publishes it (``oui.txt`` or ``oui.csv``): prefix -> maker; lines of other forms are left out.

    Raises:
        InputError: ``message.format-unsupported``: it is neither; ``message.limit-exceeded``: a field without end.
    """
    try:
        found = _registry(text)
    except csv.Error as error:
        raise InputError("registry", "a field is too long", reason=Reason.LIMIT_EXCEEDED) from error
    if not found:
        why = "holds no assignment as IEEE's oui.txt or oui.csv has them"
        raise InputError("registry", why, reason=Reason.FORMAT_UNSUPPORTED)
    return found


def _registry(text: str) -> dict[str, str]:
    if text.lstrip("\ufeff").startswith("Registry,"):
        rows = csv.reader(io.StringIO(text.lstrip("\ufeff")))
        pairs = [(row[1], row[2]) for row in rows if len(row) > 2 and len(row[1]) == 6]
    else:
        found = (_HEX_LINE.match(line) for line in text.splitlines())
        pairs = [(one[1] + one[2] + one[3], one[4]) for one in found if one is not None]
    registry = {}
    for digits, name in pairs[:ROWS_MAX]:
        if re.fullmatch(r"[0-9A-Fa-f]{6}", digits) and name.strip():
            low = digits.lower()
            registry[f"{low[:2]}:{low[2:4]}:{low[4:]}"] = " ".join(name.split())[:NAME_LENGTH_MAX]
    return registry
