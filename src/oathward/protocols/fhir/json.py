"""Strict JSON under limits: what two readers could read differently is refused.

Rules:
- UTF-8 without a byte order mark; no lone surrogate, no control character but tab, line feed, carriage return.
- No key twice in an object, no NaN, no Infinity, nothing after the end.
- A number keeps the digits it came with: where a float would write it otherwise it is a ``Verbatim``.
- The quick way reads and writes with one library: bytes that come out as they went in, blanks aside, have no key twice and
  no number that changes. What does not come out the same is read once more, exactly.
- Depth is bounded before anything recurs.

Deliberately absent: XML, comments, trailing commas; what the elements mean (``check``).

Source: RFC 8259; FHIR R4 §2.6.2 (JSON), §2.24.0.1 (string, decimal).
"""

from __future__ import annotations

import json
import re
from math import isinf
from typing import Any

import orjson

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason
from oathward.protocols.fhir import tables
from oathward.protocols.fhir.limits import LIMITS, Limits, check_sizes, exceeded
from oathward.protocols.fhir.message import Resource, Verbatim

NESTED_MAX = 254
"""Objects and arrays within each other that the quick writer can write; what is deeper is refused."""

_BOM = b"\xef\xbb\xbf"
_INT_CHARS_EXACT = 18
_CONTROL = re.compile(rb"\\(?:u00(?:0[0-8bBcCeEfF]|1[0-9a-fA-F])|[bf])")
_BACKSLASH = 0x5C
_BLANKS = b" \t\r\n"
_SOMETHING = re.compile(r"[-.0]*[1-9]").match
_MARKS = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)


def loads(body: bytes, limits: Limits = LIMITS) -> Resource:
    """Read one JSON object.

    Raises:
        DecodeError: LIMIT_EXCEEDED, MESSAGE_EMPTY, FORMAT_UNSUPPORTED, CHARSET_BROKEN, JSON_INVALID,
            DUPLICATE_KEY, NUMBER_UNBOUNDED, VALUE_INVALID.
    """
    check_sizes(body, limits)
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _why_not(body, error, limits) from None
    if found.__class__ is not dict:
        raise DecodeError("body", "one JSON object", reason=Reason.JSON_INVALID)
    try:
        written = orjson.dumps(found)
    except TypeError:
        raise exceeded("body", NESTED_MAX, "objects and arrays within each other") from None
    if (place := _control(body)) is not None:
        where = f"body, byte {place}"
        raise DecodeError(where, "no control characters in a string", reason=Reason.VALUE_INVALID)
    return found if written == body or _bare(written) == _bare(body) else _exactly(body, limits)


def _bare(body: bytes) -> bytes:
    """Give JSON without its blanks, those of texts too.

    No blank belongs to an escape, so that each token stays one, and a key or number that is lost or changed is still seen.
    """
    return body.translate(None, _BLANKS)


def _control(body: bytes) -> int | None:
    """Say where the first escaped control character ends: a pattern that begins with a letter skips what has none of it."""
    for found in _CONTROL.finditer(body):
        begin = found.start()
        while begin and body[begin - 1] == _BACKSLASH:  # runs are disjoint: all of them are read once
            begin -= 1
        if not (found.start() - begin) % 2:  # else the backslash itself is what is escaped
            return found.end()
    return None


def dumps(resource: Resource) -> bytes:
    """Write a resource, every number as it was written when it came."""
    return orjson.dumps(resource, default=_verbatim)


def _verbatim(value: Any) -> Any:
    if isinstance(value, Verbatim):
        return orjson.Fragment(value.text)
    raise TypeError


def _exactly(body: bytes, limits: Limits) -> Resource:
    """Read what the quick writer would write otherwise; it is well formed and not too deep."""

    def number(text: str) -> float:
        if len(text) > limits.number_chars_max:
            raise _unbounded(f"at most {limits.number_chars_max} characters in a number")
        value = float(text)
        if isinf(value) or (value == 0 and _SOMETHING(text)):
            raise _unbounded("a number that a double can hold")
        return value if repr(value) == text else Verbatim(text)

    def integer(text: str) -> float:
        exact = len(text) <= _INT_CHARS_EXACT and text != "-0"
        return int(text) if exact else number(text)

    return json.loads(  # type: ignore[no-any-return]  # what it gives was seen to be an object
        body, object_pairs_hook=_unrepeated, parse_float=number, parse_int=integer, parse_constant=_constant
    )


def _unrepeated(pairs: list[tuple[str, Any]]) -> Resource:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # that is its use here
        name = f"`{twice}`" if twice in tables.element_names() else "a key"
        raise DecodeError("body", f"{name} stands twice in one object", reason=Reason.DUPLICATE_KEY)
    return found


def _constant(_: str) -> float:
    raise DecodeError("body", "JSON has no NaN and no Infinity", reason=Reason.JSON_INVALID)


def _unbounded(why: str) -> DecodeError:
    return DecodeError("body", why, reason=Reason.NUMBER_UNBOUNDED)


def _why_not(body: bytes, error: orjson.JSONDecodeError, limits: Limits) -> DecodeError:
    """Say why a body is not JSON; the reader's own words may hold values, its place does not."""
    other = _other(body)
    if other is not None:
        return other
    if _too_deep(body):
        return exceeded("body", NESTED_MAX, "objects and arrays within each other")
    try:
        body.decode("utf-8")
        _exactly(body, limits)
    except UnicodeDecodeError as broken:
        return DecodeError(f"body, byte {broken.start}", "UTF-8", reason=Reason.CHARSET_BROKEN)
    except DecodeError as known:
        return known
    except ValueError:
        pass
    return DecodeError(f"body, byte {error.pos}", "JSON (RFC 8259)", reason=Reason.JSON_INVALID)


def _other(body: bytes) -> DecodeError | None:
    """Say what a body is that is no JSON at first sight."""
    start = body[:16].lstrip()
    if not start and not body.strip():
        return DecodeError("body", "a resource", reason=Reason.MESSAGE_EMPTY)
    if body.startswith((_BOM, b"\xff\xfe", b"\xfe\xff")):
        return DecodeError("body", "UTF-8 without a byte order mark", reason=Reason.CHARSET_UNSUPPORTED)
    if start.startswith(b"<"):
        return DecodeError("body", "FHIR in JSON; XML is not taken", reason=Reason.FORMAT_UNSUPPORTED)
    return None


def _too_deep(body: bytes) -> bool:
    depth = 0
    for mark in _MARKS.finditer(body):
        byte = body[mark.start()]
        if byte in b"[{":
            depth += 1
            if depth > NESTED_MAX:
                return True
        elif byte != 0x22:
            depth -= 1
    return False
