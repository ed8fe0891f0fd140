"""Values out of one record of a log, whatever it has under a name.

Rules:
- A record is a stranger's: each value is asked for as what it must be, and is nothing where it is something else.
- Names with dots, with underscores and nested ones are one: ``id.orig_h``, ``id_orig_h``, ``{"id": {"orig_h": …}}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import orjson

from oathward.discovery.values import printable

Record = Mapping[str, object]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SECONDS_MAX = 100_000_000_000
"""A number above is a time in milliseconds (the year 5138 in seconds)."""
_WHOLE_MAX = 2**62
_LISTED_MAX = 64


def object_of(line: bytes) -> dict[str, object] | None:
    """Read a line of JSON; None where it is no object."""
    try:
        said = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return said if isinstance(said, dict) else None


def record_of(line: bytes) -> dict[str, object] | None:
    """Read a line of JSON, nested names flattened by one level; None where it is no object."""
    said = object_of(line)
    if said is None:
        return None
    for name, value in [(name, value) for name, value in said.items() if isinstance(value, dict)]:
        for part, one in value.items():
            said.setdefault(f"{name}.{part}", one)
    for name in [one for one in said if one.startswith("id_")]:
        said.setdefault(f"id.{name[3:]}", said[name])
    return said


def inner(record: Record, name: str) -> Record:
    """Give the object under a name; an empty one where there is none."""
    said = record.get(name)
    return said if isinstance(said, dict) else {}


def text(record: Record, *names: str) -> str:
    """Give the first of the names that has text, as it may be kept; empty where none has."""
    for name in names:
        said = printable(record.get(name))
        if said:
            return said
    return ""


def raw(record: Record, name: str) -> str:
    """Give text as it stands, for what is checked afterwards: an address, a number of a card."""
    said = record.get(name)
    return said if isinstance(said, str) else ""


def listed(record: Record, *names: str) -> list[str]:
    """Give the texts of a list, or of a text with commas between; a bounded number of them."""
    for name in names:
        said = record.get(name)
        parts = said if isinstance(said, list) else said.split(",") if isinstance(said, str) else []
        kept = [one for one in parts[:_LISTED_MAX] if isinstance(one, str) and one]
        if kept:
            return kept
    return []


def number(value: object) -> float | None:
    """Read a number of JSON, or one written as text; None where it is none that can be a time or a count."""
    if isinstance(value, str) and len(value) <= 40:
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < _WHOLE_MAX else None


def whole(value: object) -> int | None:
    """Read a whole number, so written or as ``3.0``; None where it is none."""
    if type(value) is int:  # as nearly all of them are; a bool is none
        return value if abs(value) < _WHOLE_MAX else None
    read = number(value)
    return int(read) if read is not None and read == int(read) else None


def port(value: object) -> int | None:
    """Read a port; None where it is none."""
    read = whole(value)
    return read if read is not None and 0 <= read <= 65_535 else None


def moment(value: object) -> int | None:
    """Read a time as microseconds UTC: seconds or milliseconds since 1970, or as ISO 8601 writes it; None where it is none."""
    dated = isinstance(value, str) and value[4:5] == "-"
    seconds = None if dated else number(value)
    if seconds is not None:
        read_us = round(seconds * (1e3 if seconds > _SECONDS_MAX else 1e6))
        return read_us if abs(read_us) < _WHOLE_MAX else None
    if not isinstance(value, str) or len(value) > 40:
        return None
    if (
        len(value) > 5 and value[-5] in "+-" and value[-4:].isdigit()
    ):  # +0200, which ISO 8601 has with and without its colon
        value = f"{value[:-2]}:{value[-2:]}"
    try:
        read = datetime.fromisoformat(value)
    except ValueError:
        return None
    read = read if read.tzinfo else read.replace(tzinfo=UTC)
    return (read - _EPOCH) // _MICROSECOND
