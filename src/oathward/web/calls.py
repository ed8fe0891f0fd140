"""What a route of the JSON API takes and gives, as types: read strictly, and written into the OpenAPI document.

Rules:
- Bodies and answers are frozen dataclasses; a field nobody declared is refused, a missing one without default too.
- Queries are declared by name; one that is not, or stands twice, is refused. So an old client fails loudly.
- Lists page: ``limit`` bounded, ``after`` as the answer before gave it in ``next``.

Deliberately absent: coercion (``"1"`` is no number), defaults that depend on the viewer, any I/O.

Source: RFC 8259; OpenAPI 3.1 and JSON Schema 2020-12 for what ``schema_of`` writes; OWASP ASVS 5.0 V4.
"""

from __future__ import annotations

import dataclasses
import json
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal, TypeVar

from oathward.core.clock import micros
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.web import plain

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
PROBLEM = "application/problem+json"
BODY_BYTES_MAX = 65_536
LIMIT, LIMIT_MAX = 50, 200
TEXT_LENGTH_MAX = 10_000
ITEMS_MAX = 1_000
DEPTH_MAX = 20


@dataclass(frozen=True, slots=True)
class Query:
    """One name in an address behind ``?``. ``words``: for the reference; ``known``: all it may be, anything printable where empty."""

    words: str
    known: tuple[str, ...] = ()


_DIGITS_MAX = 18
Row = TypeVar("Row")

PAGED: Mapping[str, Query] = {
    "after": Query("`next` of the answer before"),
    "limit": Query(f"how many at most, 1 to {LIMIT_MAX}; {LIMIT} without it"),
}
"""Queries of a list that pages."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a route of the JSON API takes and gives.

    Args:
        gives: a dataclass; None where the answer is no JSON or a document of its own kind. listed: a page of those.
        takes: a dataclass; None where the function reads ``view.body`` itself, or there is none.
        asks: queries by name. status: of success. media: of the body. bytes_max: of the body.
        words: for the reference where the function's first line is not meant.
    """

    gives: type | None = None
    listed: bool = False
    takes: type | None = None
    asks: Mapping[str, Query] = field(default_factory=dict)
    status: int = 200
    media: str = JSON
    bytes_max: int = BODY_BYTES_MAX
    words: str = ""


def number_of(name: str, text: str, reason: Reason = Reason.INPUT_INVALID) -> int:
    """Read a number that an answer before gave, as a database can hold it.

    Raises:
        InputError: it is none.
    """
    if not text.isascii() or not text.isdigit() or len(text) > _DIGITS_MAX:
        raise InputError(name, "is none of an answer before", reason=reason)
    return int(text)


def moment_of(name: str, text: str) -> int | None:
    """Read a time as ISO 8601 writes it, UTC where it names no zone, in microseconds; None where there is none.

    Raises:
        InputError: it is none.
    """
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        return micros(at.replace(tzinfo=at.tzinfo or UTC))
    except (ValueError, OverflowError) as error:
        why = "must be a time, as in 2026-01-31T10:00:00Z"
        raise InputError(name, why, reason=Reason.INPUT_INVALID) from error


def cut(
    rows: Sequence[Row], id_of: Callable[[Row], str], after: str, limit: int
) -> tuple[Sequence[Row], str]:
    """Cut a page out of a list that is read whole; gives it, and what the next page begins behind, empty at the end.

    Args:
        after: the id of the last row of the page before; empty for the first.

    Raises:
        InputError: no row has that id.
    """
    start = 0
    if after:
        start = next((at for at, one in enumerate(rows, 1) if id_of(one) == after), 0)
        if not start:
            raise InputError("after", "is none of an answer before", reason=Reason.INPUT_INVALID)
    some = rows[start : start + limit]
    return some, id_of(some[-1]) if start + limit < len(rows) else ""


def parsed(raw: bytes) -> Any:
    """Read JSON strictly: UTF-8, no name twice, nothing deeper than ``DEPTH_MAX``, no NaN, no half of a character, no control character.

    Raises:
        InputError: it is not such JSON.
    """
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
        deep = _depth(value) > DEPTH_MAX
        if b"\\u" in raw and not deep:
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise InputError("body", "is nested too deep", reason=Reason.INPUT_INVALID) from error
    except ValueError as error:
        raise InputError("body", "is no JSON, or names a field twice", reason=Reason.INPUT_INVALID) from error
    if deep:
        raise InputError("body", "is nested too deep", reason=Reason.INPUT_INVALID)
    plain.check_json(value)
    return value


def read(kind: type, value: Any, where: str = "body") -> Any:
    """Make a dataclass of parsed JSON.

    Raises:
        InputError: names the field that is unknown, missing, or of another type; never what stands in it.
    """
    if not isinstance(value, dict):
        raise _bad(where, "must be an object")
    fields = {one.name: one for one in dataclasses.fields(kind)}
    for name in value:
        if name not in fields:
            raise _bad(where, f"has a field that is none of {', '.join(fields)}")
    hints = typing.get_type_hints(kind)
    made = {}
    for name, one in fields.items():
        if name in value:
            made[name] = _typed(hints[name], value[name], f"{where}.{name}")
        elif one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING:
            raise _bad(f"{where}.{name}", "is missing")
    return kind(**made)


def asked(call: Call, pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Read the queries of a call.

    Raises:
        InputError: one is unknown, stands twice, or is not what it may be.
    """
    found: dict[str, str] = {}
    for name, text in pairs:
        query = call.asks.get(name)
        if query is None:
            known = f"it takes {', '.join(sorted(call.asks))}" if call.asks else "it takes none"
            raise _bad("query", f"has a name this call does not take; {known}")
        if name in found:
            raise _bad(name, "stands twice in the query")
        if len(text) > _QUERY_LENGTH_MAX or not text.isprintable():
            raise _bad(name, f"must be printable, at most {_QUERY_LENGTH_MAX} characters")
        if query.known and text not in query.known:
            raise _bad(name, f"must be one of {', '.join(query.known)}")
        found[name] = text
    limit = found.get("limit", str(LIMIT)) if "limit" in call.asks else str(LIMIT)
    if not re.fullmatch(r"[1-9][0-9]{0,2}", limit) or int(limit) > LIMIT_MAX:
        raise _bad("limit", f"must be 1 to {LIMIT_MAX}")
    return found


_QUERY_LENGTH_MAX = 200


def schema_of(kind: Any) -> dict[str, Any]:
    """Write a type as JSON Schema; a dataclass as an object that has all its fields and no other."""
    arguments = typing.get_args(kind)
    match _form(kind):
        case "plain":
            found: dict[str, Any] = {"type": _PLAIN[kind]}
        case "words":
            found = {"enum": list(_words(kind))}
        case "either":
            found = {"anyOf": [schema_of(one) for one in arguments]}
        case "list":
            found = {"type": "array", "items": schema_of(arguments[0])}
        case "map":
            found = {"type": "object", "additionalProperties": schema_of(arguments[1])}
        case "time":
            found = {"type": "string", "format": "date-time"}
        case "object":
            found = _object_schema(kind)
        case _:
            found = {}
    return found


_PLAIN: Mapping[Any, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
}
_FORMS: Mapping[Any, str] = {
    Literal: "words",
    types.UnionType: "either",
    typing.Union: "either",
    tuple: "list",
    list: "list",
    frozenset: "list",
    dict: "map",
    Mapping: "map",
}


def _form(kind: Any) -> str:
    """Say which of the few forms a type has."""
    if kind in _PLAIN:
        return "plain"
    if kind is datetime:
        return "time"
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return "words"
    if dataclasses.is_dataclass(kind):
        return "object"
    return _FORMS.get(typing.get_origin(kind), "any")


def _words(kind: Any) -> tuple[Any, ...]:
    found = typing.get_args(kind)
    return found or tuple(one.value for one in kind)


def _object_schema(kind: Any) -> dict[str, Any]:
    needed = [
        one.name
        for one in dataclasses.fields(kind)
        if one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
    ]
    return {
        "type": "object",
        "description": " ".join((kind.__doc__ or "").split()),
        "properties": {name: schema_of(hint) for name, hint in typing.get_type_hints(kind).items()},
        "required": needed,
        "additionalProperties": False,
    }


def _typed(kind: Any, value: Any, where: str) -> Any:
    match _form(kind):
        case "plain":
            found = _plain_value(kind, value, where)
        case "words":
            found = _word(kind, value, where)
        case "either":
            found = _either(kind, value, where)
        case "list":
            found = _items(kind, value, where)
        case "map":
            found = _named_values(kind, value, where)
        case "object":
            found = read(kind, value, where)
        case _:
            found = value
    return found


def _plain_value(kind: Any, value: Any, where: str) -> Any:
    if type(value) is not kind:  # a bool is no int, an int no string
        raise _bad(where, f"must be a {_PLAIN[kind]}")
    if isinstance(value, str) and len(value) > TEXT_LENGTH_MAX:
        raise _bad(where, f"must be at most {TEXT_LENGTH_MAX} characters")
    return value


def _word(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, str) or value not in _words(kind):
        raise _bad(where, f"must be one of {', '.join(map(str, _words(kind)))}")
    return kind(value) if isinstance(kind, type) else value


def _either(kind: Any, value: Any, where: str) -> Any:
    """Read ``X | None``: no other either is used."""
    if value is None:
        return None
    return _typed(next(one for one in typing.get_args(kind) if one is not type(None)), value, where)


def _items(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, list) or len(value) > ITEMS_MAX:
        raise _bad(where, f"must be a list of at most {ITEMS_MAX}")
    item = typing.get_args(kind)[0]
    return typing.get_origin(kind)(_typed(item, one, f"{where}[{n}]") for n, one in enumerate(value))


def _named_values(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict) or len(value) > ITEMS_MAX:
        raise _bad(where, f"must be an object of at most {ITEMS_MAX} fields")
    item = typing.get_args(kind)[1]
    return {str(name): _typed(item, one, f"{where}.*") for name, one in value.items()}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _no_constant(_name: str) -> None:
    raise ValueError("not a number of JSON")


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max((_depth(one) for one in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max((_depth(one) for one in value), default=0)
    return 0


def _bad(where: str, why: str) -> InputError:
    return InputError(where, why, reason=Reason.INPUT_INVALID)
