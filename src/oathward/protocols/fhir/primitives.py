"""The forms of FHIR's primitive types: which JSON type each has, and what its text must look like.

Rules:
- A test takes any value and says whether it has the form, or raises TypeError where its JSON type is another.
- A date exists in the calendar. A number is within the range of its type.
- Nothing here remembers a value.

Deliberately absent: what a value means; codes of bindings (``nodes``).

Source: FHIR R4 §2.24.0.1 (primitive types), with its regular expressions.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable
from datetime import date
from typing import Any

from oathward.protocols.fhir.message import Verbatim
from oathward.protocols.fhir.narrative import is_narrative

STRING_CHARS_MAX = 1_048_576
INTEGER_MAX = 2_147_483_647

_YEAR = r"(?!0000)[0-9]{4}"
_DAY = r"(?:0[1-9]|[12][0-9]|3[01])"
_MONTH = r"(?:0[1-9]|1[0-2])"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
_ZONE = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"

_date = re.compile(f"{_YEAR}(?:-{_MONTH}(?:-{_DAY})?)?").fullmatch
_datetime = re.compile(f"{_YEAR}(?:-{_MONTH}(?:-{_DAY}(?:T{_TIME}{_ZONE})?)?)?").fullmatch
_instant = re.compile(f"{_YEAR}-{_MONTH}-{_DAY}T{_TIME}{_ZONE}").fullmatch
_uri = re.compile(r"\S+").fullmatch
_code = re.compile(r"\S+(?:\s\S+)*").fullmatch

Test = Callable[[Any], Any]
"""Says whether a value has a form: something true or something false; TypeError for a value of another JSON type."""


def _in_calendar(form: Test) -> Test:
    """Add to a form that its day exists: there is no 30th of February."""

    def test(value: str) -> bool:
        if not form(value):
            return False
        if value[8:10] < "29":
            return True
        try:
            date.fromisoformat(value[:10])
        except ValueError:
            return False
        return True

    return test


def _string(value: Any) -> bool:
    return value.__class__ is str and 0 < len(value) <= STRING_CHARS_MAX


def _boolean(value: Any) -> bool:
    return value is True or value is False


def _decimal(value: Any) -> bool:
    return value.__class__ in _NUMBER


def _within(least: int) -> Test:
    return lambda value: value.__class__ is int and least <= value <= INTEGER_MAX


def _base64(value: Any) -> bool:
    if value.__class__ is not str or not value:
        return False
    try:
        binascii.a2b_base64(value, strict_mode=True)
    except ValueError:  # line breaks are allowed, and rare
        try:
            binascii.a2b_base64("".join(value.split()), strict_mode=True)
        except ValueError:
            return False
    return True


_TEXT, _INTEGER = (str,), (int,)
_NUMBER = (int, float, Verbatim)

FORMS: dict[str, tuple[tuple[type, ...], Test]] = {
    "boolean": ((bool,), _boolean),
    "integer": (_INTEGER, _within(-INTEGER_MAX - 1)),
    "unsignedInt": (_INTEGER, _within(0)),
    "positiveInt": (_INTEGER, _within(1)),
    "decimal": (_NUMBER, _decimal),
    "string": (_TEXT, _string),
    "markdown": (_TEXT, _string),
    "uri": (_TEXT, _uri),
    "url": (_TEXT, _uri),
    "canonical": (_TEXT, _uri),
    "code": (_TEXT, _code),
    "id": (_TEXT, re.compile(r"[A-Za-z0-9\-.]{1,64}").fullmatch),
    "oid": (_TEXT, re.compile(r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+").fullmatch),
    "uuid": (_TEXT, re.compile(r"urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch),
    "date": (_TEXT, _in_calendar(_date)),
    "dateTime": (_TEXT, _in_calendar(_datetime)),
    "instant": (_TEXT, _in_calendar(_instant)),
    "time": (_TEXT, re.compile(_TIME).fullmatch),
    "base64Binary": (_TEXT, _base64),
    "xhtml": (_TEXT, is_narrative),
}
"""Primitive type -> its JSON types, and the test of its form."""
