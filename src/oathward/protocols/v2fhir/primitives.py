"""Primitive values of HL7 v2 and FHIR, each way; what a FHIR form cannot hold stands beside it.

Rules:
- Each kind has a way there and a way back. Where the way back does not give the text again, the text stands
  beside the value as the extension ``originalText``; so no form of a value is lost in silence.
- A time keeps its precision: a year stays a year. Hours without a zone, of which FHIR has none, become the day
  with the time beside it.
- A number is copied digit by digit, never through a float.

Deliberately absent: codes with tables of their own (``codes``).

Source: FHIR R4 §2.24.0.1 (primitive types); HL7 v2.8.2 §2A.2.22 (DTM), §2A.3.21 (DT), §2A.2.47 (NM), §2A.2.75 (TM).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, NamedTuple

from orjson import Fragment

from oathward.protocols.v2fhir.paths import Extensions
from oathward.protocols.v2fhir.reading import Reading

ORIGINAL = "http://hl7.org/fhir/StructureDefinition/originalText"

_DTM = re.compile(
    r"([0-9]{4})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(\.[0-9]{1,9})?)?)?)?)?)?"
    r"([+-][0-9]{4})?"
).fullmatch
_TM = re.compile(r"([01][0-9]|2[0-3])([0-5][0-9])([0-5][0-9])(\.[0-9]{1,4})?").fullmatch
_NUMBER = re.compile(r"([+-]?)0*([0-9]*)(\.[0-9]*)?").fullmatch
_SPACES = re.compile(r"\s+")

Forward = Callable[[bytes, Reading], tuple[Any, Extensions]]
Backward = Callable[[Any, Extensions], dict[str, str]]


class Kind(NamedTuple):
    """How one datatype is mapped.

    ``forward``: one repetition as written -> (JSON, what stands beside); (None, None) for nothing.
    ``backward``: these two -> component (empty for the whole) -> text.
    """

    forward: Forward
    backward: Backward


class Number(str):
    """A JSON number as it was written."""

    __slots__ = ()


def original(text: str) -> dict[str, Any]:
    """Put a text beside a value that cannot hold it."""
    return {"url": ORIGINAL, "valueString": text}


def original_of(beside: Extensions) -> str:
    """Find the text beside a value; empty for none."""
    return next((extension["valueString"] for extension in beside or () if extension["url"] == ORIGINAL), "")


def string(text: str) -> str | None:
    """FHIR ``string``: not empty, not only spaces."""
    return text if text.strip() else None


def code(text: str) -> str | None:
    """FHIR ``code``: no space at the ends, none doubled."""
    return _SPACES.sub(" ", text.strip()) or None


def number(text: str) -> str | None:
    """Give HL7's NM as a JSON number; None where it is none."""
    match = _NUMBER(text.strip())
    if match is None or not (match[2] or (match[3] or "").strip(".") or "0" in text):
        return None
    fraction = match[3] if match[3] and len(match[3]) > 1 else ""
    return f"{'-' if match[1] == '-' else ''}{match[2] or '0'}{fraction}"


def decimal(text: str) -> Fragment | None:
    """Give a number that ``orjson`` writes as it stands."""
    found = number(text)
    return Fragment(found.encode()) if found is not None else None


def integer(text: str, least: int = 1) -> int | None:
    """FHIR ``integer`` and its kin."""
    return int(text) if text.isascii() and text.isdigit() and least <= int(text) <= 2**31 - 1 else None


def boolean(text: str) -> bool | None:
    """HL7 table 0136."""
    return {"Y": True, "N": False}.get(text)


def date_time(text: str, zone: str = "", parts: int = 6) -> str | None:
    """Give HL7's DTM as FHIR's dateTime, as precise as both can be; None where it is no time.

    Args:
        text: ``20210709113324.5+0200``.
        zone: of a time that names none, ``+0200``; empty for unknown.
        parts: 3 to stop at the day.
    """
    match = _DTM(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, own = match.groups()
    if year == "0000":
        return None
    if month is None or not "01" <= month <= "12":
        return str(year)
    if day is None or not _in_calendar(int(year), int(month), int(day)):
        return f"{year}-{month}"
    zone = own or zone
    if parts == 3 or hour is None or not zone or not _on_the_clock(hour, minute, second, zone):
        return f"{year}-{month}-{day}"
    clock = f"{hour}:{minute or '00'}:{second or '00'}{fraction or ''}"
    return f"{year}-{month}-{day}T{clock}{zone[:3]}:{zone[3:]}"


def _in_calendar(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _on_the_clock(hour: str, minute: str | None, second: str | None, zone: str) -> bool:
    inside = hour < "24" and (minute or "00") < "60" and (second or "00") < "60"
    return inside and (zone[1:3] < "14" or zone[1:] == "1400") and zone[3:] < "60"


def before(start: str, end: str) -> bool:
    """Say whether one dateTime is not after another, as far as both are as precise."""
    if "T" not in start or "T" not in end:
        return start[: min(len(start), len(end))] <= end[: min(len(start), len(end))]
    return datetime.fromisoformat(start) <= datetime.fromisoformat(end)


def date_time_back(value: str) -> str:
    """Give FHIR's dateTime as HL7's DTM."""
    day, _, clock = value.partition("T")
    zone = clock[-6:].replace(":", "")
    return day.replace("-", "") + clock[:-6].replace(":", "") + zone


def time_forward(raw: bytes, r: Reading) -> tuple[Any, Extensions]:
    """Map DTM, TS or DT to dateTime; each text of a message once."""
    known = r.times.get(raw)
    if known is None:
        known = r.times[raw] = _time(first(raw, r), r.zone, 6)
    return known


def day_forward(raw: bytes, r: Reading) -> tuple[Any, Extensions]:
    """Map DTM or DT to a date."""
    return _time(first(raw, r), r.zone, 3)


def instant_forward(raw: bytes, r: Reading) -> tuple[Any, Extensions]:
    """Map DTM to an instant, which is exact to the second or not there."""
    text = first(raw, r)
    value, beside = _time(text, r.zone, 6)
    return (value, beside) if value and "T" in value else (None, [original(text)] if text.strip() else None)


def first(raw: bytes, r: Reading) -> str:
    """Read a simple field: its first component, of that the first sub-component."""
    if r.component in raw or r.sub in raw:
        raw = raw.partition(r.component)[0].partition(r.sub)[0]
    return r.text(raw)


def _time(text: str, zone: str, parts: int) -> tuple[Any, Extensions]:
    if not text.strip():
        return None, None
    value = date_time(text, zone, parts)
    if value is not None:
        again = date_time_back(value)
        if again in (text, text + zone):
            return value, None
    return value, [original(text)]


def birth_forward(raw: bytes, r: Reading) -> tuple[Any, Extensions]:
    """Map a birth date; the time of day stands beside it, as the published map has it."""
    value, beside = day_forward(raw, r)
    if value and beside:
        exact, more = time_forward(raw, r)
        if more is None:
            beside = [{"url": BIRTH_TIME, "valueDateTime": exact}]
    return value, beside


BIRTH_TIME = "http://hl7.org/fhir/StructureDefinition/patient-birthTime"


def _birth_back(value: Any, beside: Extensions) -> dict[str, str]:
    for extension in beside or ():
        if extension["url"] == BIRTH_TIME:
            return {"": date_time_back(extension["valueDateTime"])}
    return {"": original_of(beside) or date_time_back(value)}


def clock(text: str) -> str | None:
    """Give HL7's TM as FHIR's time."""
    match = _TM(text)
    return f"{match[1]}:{match[2]}:{match[3]}{match[4] or ''}" if match else None


def simple(there: Callable[[str], Any], again: Callable[[Any], str]) -> Kind:
    """Make a kind of two functions of text; what does not come back stands beside the value."""

    def forward(raw: bytes, r: Reading) -> tuple[Any, Extensions]:
        text = first(raw, r)
        if not text.strip():
            return None, None
        value = there(text)
        return (value, None) if value is not None and again(value) == text else (value, [original(text)])

    def backward(value: Any, beside: Extensions) -> dict[str, str]:
        return {"": original_of(beside) or again(value)}

    return Kind(forward, backward)


def _timely(forward: Forward) -> Kind:
    return Kind(forward, lambda value, beside: {"": original_of(beside) or date_time_back(value)})


KINDS: dict[str, Kind] = {
    "ST": Kind(lambda raw, r: (string(first(raw, r)), None), lambda value, _: {"": value}),
    "CODE": simple(code, str),
    "INT": simple(integer, str),
    "BOOL": simple(boolean, lambda value: "Y" if value else "N"),
    "DTM": _timely(time_forward),
    "INSTANT": _timely(instant_forward),
    "BIRTH": Kind(birth_forward, _birth_back),
}
"""Primitive kinds by the name they have in the tables."""
