"""What a message says of persons and things in its fields: values that its texts may repeat; and which lines are one text.

Rules:
- A value is told with its class and part, unescaped: of names the parts people are called by, of an address street, town and
  postcode, of a telephone number its forms put together; what only qualifies a value (types, authorities) is not told.
- Notes that follow each other are one text: NTE after NTE, OBX after OBX, each line as a transform of it is given it.

Deliberately absent: what is done with it (``deid``), and segments nobody catalogued.

Source: HL7 v2.8.2 §2A.2.78 (XPN), §2A.2.17 (XCN), §2A.2.79 (XTN), §2.14.10 (NTE), §9.5 (documents in several OBX).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from oathward.protocols.hl7v2 import tables
from oathward.protocols.hl7v2.elements import REST
from oathward.protocols.hl7v2.reader import Message
from oathward.protocols.hl7v2.shapes import ALL, Field, Leaf, Shape, shapes
from oathward.protocols.hl7v2.wire import NULL, text_of
from oathward.protocols.shaping import TELLING, Told

NOTE = "note.text"
VALUES_MAX = 5_000
"""Values that are told of one message."""

_PERSON = dict.fromkeys(("XPN", "PN"), frozenset((0, 1, 2)))
_NUMBERED = dict.fromkeys(("XCN", "CN", "PPN", "CNN"), frozenset((1, 2, 3)))
_NAMES = {**_PERSON, **_NUMBERED, "XON": frozenset((0,))}
"""Datatype -> components (from 0) that are a name people are called by."""

_COUNTRY, _AREA, _LOCAL = 4, 5, 6
"""Components of XTN that make one number together."""

_LINES = frozenset(("NTE", "OBX"))


def known_of(message: Message) -> tuple[Told, ...]:
    """Give what a message says of persons and things: (class, part, value as text)."""
    found: dict[Told, None] = {}
    for segment, shape in zip(message.segments, shapes(message), strict=True):
        if not TELLING.isdisjoint(shape.classes) or "message.party" in shape.classes:
            for told in _in_segment(message, segment, shape):
                found[told] = None
                if len(found) >= VALUES_MAX:
                    return tuple(found)
    return tuple(found)


def texts_of(message: Message) -> list[list[str]]:
    """Give the notes of a message that are one text each: their lines, two at least."""
    groups: list[list[str]] = []
    last = ""
    for segment, shape in zip(message.segments, shapes(message), strict=True):
        lines = _notes(message, segment, shape) if shape.name in _LINES else []
        if lines and shape.name == last:
            groups[-1] += lines
        elif lines:
            groups.append(lines)
        last = shape.name if lines else ""
    return [group for group in groups if len(group) > 1]


def _notes(message: Message, segment: bytes, shape: Shape) -> list[str]:
    wanted = 5 if shape.name == "OBX" else 3
    return [
        text_of(value, message.separators, message.charset)
        for field, leaf, value in _leaves(message, segment, shape)
        if field.n == wanted and leaf.cls == NOTE and value != NULL
    ]


def _in_segment(message: Message, segment: bytes, shape: Shape) -> Iterator[Told]:
    numbers: dict[tuple[int, int, str], dict[int, str]] = {}
    for field, leaf, value in _leaves(message, segment, shape):
        party = leaf.cls == "message.party" and b" " in value
        if (
            value == NULL
            or not (leaf.cls in TELLING or party)
            or not _is_told(message, segment, shape, field, leaf)
        ):
            continue
        text = text_of(value, message.separators, message.charset).strip()
        if leaf.cls.endswith(".contact"):
            numbers.setdefault((field.n, leaf.repetition, leaf.cls), {})[leaf.component] = text
        yield ("organisation.name", "", text) if party else (leaf.cls, leaf.part, text)
    for (_, _, cls), parts in numbers.items():
        area = parts.get(_AREA, "") + parts.get(_LOCAL, "")
        yield cls, "", area
        yield cls, "", parts.get(_COUNTRY, "") + area


def _is_told(message: Message, segment: bytes, shape: Shape, field: Field, leaf: Leaf) -> bool:
    """Say whether a part of a value is what somebody would write of it."""
    if leaf.cls.endswith(".name"):
        datatype = (
            message.field(segment, 2).decode("ascii", "replace")
            if shape.name == "OBX" and field.n == 5
            else ""
        )
        if datatype == "NDL" or "NDL" in _datatypes(shape.name, field.n):
            return leaf.component in (0, ALL) and leaf.subcomponent in (1, 2, 3)
        parts = _parts_of_name(datatype, shape.name, field.n)
        return parts is None or leaf.component == ALL or leaf.component in parts
    return leaf.part != REST or leaf.cls.endswith(".contact")


@lru_cache(1_024)
def _parts_of_name(datatype: str, segment: str, n: int) -> frozenset[int] | None:
    known = (datatype,) if datatype else _datatypes(segment, n)
    return next((_NAMES[one] for one in known if one in _NAMES), None)


def _datatypes(segment: str, n: int) -> tuple[str, ...]:
    cells = tables.segments().get(segment, ())
    return cells[n - 1] if n <= len(cells) else ()


def _leaves(message: Message, segment: bytes, shape: Shape) -> Iterator[tuple[Field, Leaf, bytes]]:
    """Give the values of a segment as they are written."""
    separators = message.separators
    fields = segment.split(bytes([separators.field]))
    for field in shape.fields:
        for leaf in field.leaves:
            value = fields[field.at]
            for place, mark in (
                (leaf.repetition, separators.repetition),
                (leaf.component, separators.component),
                (leaf.subcomponent, separators.subcomponent),
            ):
                if place != ALL:
                    pieces = value.split(bytes([mark]), place + 1)
                    value = pieces[place] if place < len(pieces) else b""
            if value:
                yield field, leaf, value
