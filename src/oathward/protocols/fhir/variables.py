"""What varies from one reading to the next: where it stands in a request, and of which kind it is.

Rules:
- What varies: the logical id, in the address too; values of identifiers; the ids that references name; the times of an
  observation; the numbers it measured, and those of its components.
- All else is said by a shape, and so is what varies where it is written in a way that this does not know.
- An id is written as it is: an escape looks like digits that vary. What names the resource itself in another way than
  a reference does has no shape: it would have to be compared with the id each time.

Deliberately absent: what is remembered of a shape (``shapes``).

Source: FHIR R4 §10.1 (Observation), §2.3.0 (references).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from oathward.protocols.fhir.json import dumps
from oathward.protocols.fhir.message import Resource
from oathward.protocols.fhir.templates import VALUES_MAX, reserved

DATES_MAX = 4
DAY_CHARS = 10

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|-?[0-9][-+.0-9eE]*+|true|false|null')
_HEAD = re.compile(rb"(?:POST ([A-Za-z]+)|PUT ([A-Za-z]+)/([A-Za-z0-9\-.]{1,64}))\n\n").match
_REFERENCE = re.compile(r"(?:https?://[A-Za-z0-9\-._:/]+/)?[A-Z][A-Za-z]+/([A-Za-z0-9\-.]{1,64})").fullmatch
_NAME = re.compile(r"[A-Za-z0-9\-._:+=@/ ]{1,128}").fullmatch
_TIMES: dict[tuple[Any, ...], str] = {
    ("effectiveDateTime",): "dateTime",
    ("effectiveInstant",): "instant",
    ("issued",): "instant",
    ("meta", "lastUpdated"): "instant",
}


class Variable(NamedTuple):
    """One value that varies.

    Args:
        kind: ``text``, ``number``, ``integer``, or a type of times.
        start, end: where it stands in the request, in bytes.
        path: keys and indexes that lead to it in the body; empty for the id in the address.
        before: what of the text at that path is not it: ``Patient/``.
        named: what it names: ``Patient/`` if it is an id, nothing if it is an identifier's value.
    """

    kind: str
    start: int
    end: int
    path: tuple[Any, ...]
    before: str = ""
    named: str = ""


def variables_of(raw: bytes, body: Resource) -> list[Variable] | None:
    """List what varies in a request, in its order; None where it has no shape."""
    head = _HEAD(raw)
    if head is None or "contained" in body or reserved(raw) or reserved(dumps(body)):
        return None
    own = f"{body['resourceType']}/"
    leaves = list(_leaves(body, (), _TOKEN.finditer(raw, head.end())))
    if any(_tells_own(own, path, value, token[0]) for path, value, token in leaves):
        return None
    found = [Variable("text", head.start(3), head.end(3), (), "", own)] if head[3] else []
    found += [
        Variable(kind, *_span(raw, token, before), path, before, own if path == ("id",) else before)
        for path, value, token in leaves
        for kind, before in _varying(path, value)
    ]
    dates = sum(v.kind not in ("text", "number", "integer") for v in found)
    return found if found and len(found) < VALUES_MAX and dates <= DATES_MAX else None


def _leaves(
    value: Any, path: tuple[Any, ...], tokens: Iterator[re.Match[bytes]]
) -> Iterator[tuple[tuple[Any, ...], Any, re.Match[bytes]]]:
    """Pair each primitive with where it is written: the body as it was read has the order it was written in."""
    if value.__class__ is dict:
        for key, item in value.items():
            next(tokens)
            yield from _leaves(item, (*path, key), tokens)
    elif value.__class__ is list:
        for i, item in enumerate(value):
            yield from _leaves(item, (*path, i), tokens)
    else:
        yield path, value, next(tokens)


def _tells_own(own: str, path: tuple[Any, ...], value: Any, written: bytes) -> bool:
    """Say whether a text may be a name of the resource, or of a version of it, and is not written as ids that vary are."""
    if b"\\" in written:
        return any(kind == "text" for kind, _ in _varying(path, value))
    return (
        value.__class__ is str
        and value.startswith(own)
        and (path[-1] != "reference" or not _REFERENCE(value))
    )


def _span(raw: bytes, token: re.Match[bytes], before: str) -> tuple[int, int]:
    quoted = raw[token.start()] == 0x22
    return token.start() + quoted + len(before), token.end() - quoted


def _varying(path: tuple[Any, ...], value: Any) -> Iterator[tuple[str, str]]:
    """Say whether a value varies: its kind, and what of its text does not."""
    last, text = path[-1], value if value.__class__ is str else ""
    if text:
        kind = _TIMES.get(path, "")
        reference = _REFERENCE(text) if last == "reference" else None
        if kind and len(text) >= DAY_CHARS:
            yield kind, ""
        elif reference is not None:
            yield "text", text[: reference.start(1)]
        elif path == ("id",) or (_of_identifier(path) and _NAME(text)):
            yield "text", ""
    elif value.__class__ in (int, float) or isinstance(value, float):
        if last == "value" and len(path) > 1 and path[-2] == "valueQuantity" and _measured(path[:-2]):
            yield "number", ""
        elif last == "valueInteger" and _measured(path[:-1]):
            yield "integer", ""


def _of_identifier(path: tuple[Any, ...]) -> bool:
    """Say whether a path leads to the value of an identifier."""
    above = [key for key in path[:-1] if key.__class__ is str]
    return path[-1] == "value" and above[-1:] == ["identifier"]


def _measured(path: tuple[Any, ...]) -> bool:
    """Say whether the value of what is at a path is measured: of the observation, or of a component."""
    return not path or (len(path) == 2 and path[0] == "component")
