"""What stands in a segment: which elements hold a value, and which class each value has. Not the values.

Rules:
- A *shape* is decided on the segment's normal form, in which each digit is ``0``; only codes that name a person
  (``codes.PERSONAL``) are compared exactly. So segments that differ in readings and times share one shape.
- Shapes are remembered under a 64-bit keyed hash of the normal form (CPython's SipHash, keyed at random in each
  process), never under the bytes: the memory of the process keeps no text of earlier messages, only a reference
  to the last one.
- Equal shapes are one object, so a message's shapes can be a key themselves.
- Only what many messages share is remembered: no segment of more than ``LEAVES_REMEMBERED_MAX`` values or
  ``REMEMBERED_BYTES_MAX`` bytes, and ``LEAVES_KNOWN_MAX`` values in all; beyond, the memory starts anew
  (``generation``). So no sender can fill the process.
- A segment that is in no table is called ``segment``: what stands in its name's place may be a value.
- What does not look like its element (``forms``) is ``note.text``; what nobody catalogued is ``uncatalogued``.

Deliberately absent: what may happen to a class (``rewrite``), and values of any kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from oathward.protocols.hl7v2 import codes, elements, forms, tables
from oathward.protocols.hl7v2.elements import TEXT, Element
from oathward.protocols.hl7v2.escapes import USUAL, Separators
from oathward.protocols.hl7v2.observed import Observation, observed
from oathward.protocols.hl7v2.reader import Message

DIGITS = bytes.maketrans(b"123456789", b"000000000")
HEADERS = frozenset((b"MSH", b"FHS", b"BHS"))
UNLISTED = "segment"
"""The name of every segment that is in no table."""

ALL = -1
"""In a leaf's place: not one part, but all there is at this level."""

KNOWN_MAX = 30_000
"""Segments remembered for all sets of separators; beyond, the memory starts anew."""

SEPARATORS_KNOWN_MAX = 64
REMEMBERED_BYTES_MAX = 8_192
LEAVES_REMEMBERED_MAX = 500
LEAVES_KNOWN_MAX = 200_000
"""Values in all shapes remembered; one takes about 150 bytes."""


class Leaf(NamedTuple):
    """One value: repetition, component, sub-component (from 0, or ``ALL``), its class and part."""

    repetition: int
    component: int
    subcomponent: int
    cls: str
    part: str


class Field(NamedTuple):
    """One field that holds something. ``at``: where it stands after a split; ``n``: its number in HL7."""

    at: int
    n: int
    leaves: tuple[Leaf, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What a segment holds; compared by identity.

    ``name``: ``segment`` where no table has it. ``lasting``: many messages may share it, so who remembers
    something by it may do so until the next ``generation``.
    """

    name: str
    fields: tuple[Field, ...]
    classes: frozenset[str]
    uncatalogued: tuple[str, ...]
    """Places of values that nobody catalogued, e.g. ``PID-77``, or ``segment-3`` of a segment that is in no table."""
    lasting: bool


class Marks(NamedTuple):
    """The separators as bytes, and the number tests that depend on them."""

    field: bytes
    repetition: bytes
    inner: tuple[bytes, bytes]
    numbers: dict[tuple[str, bool], Callable[[bytes], object]]


@lru_cache(maxsize=256)
def marks_of(separators: Separators) -> Marks:
    """Prepare the separators for work."""
    repetition, component, sub = separators.repetition, separators.component, separators.subcomponent
    between = {"NM": bytes([repetition]), "NA": bytes([repetition, component, sub])}
    tests: dict[tuple[str, bool], Callable[[bytes], object]] = {}
    for known, digits in ((True, 10), (False, 6)):
        for kind, marks in between.items():
            tests[kind, known] = forms.numbers(marks, integer_digits_max=digits)
        tests["SN", known] = forms.structured_numbers(repetition, component, integer_digits_max=digits)
    return Marks(bytes([separators.field]), bytes([repetition]), (bytes([component]), bytes([sub])), tests)


# --- remembering

_interned: dict[tuple[object, ...], Shape] = {}
_Memory = tuple[dict[int, Shape], dict[tuple[int, bytes], Shape]]
_usual: _Memory = ({}, {})
_known: dict[Separators, _Memory] = {USUAL: _usual}
_last: tuple[Message | None, tuple[Shape, ...]] = (None, ())
_spent = [0, 0, 0]
"""Leaves in ``_interned``, entries in ``_known``, and how often all of it was forgotten."""


def generation() -> int:
    """Count how often shapes were forgotten; what others remember by older shapes is never asked for again."""
    return _spent[2]


def _forget() -> None:
    _interned.clear()
    for plain, by_code in _known.values():
        plain.clear()
        by_code.clear()
    _known.clear()
    _known[USUAL] = _usual
    _spent[:] = 0, 0, _spent[2] + 1


def shapes(message: Message) -> tuple[Shape, ...]:
    """Give the shape of each segment; the same message asked again costs nothing."""
    global _last  # noqa: PLW0603  one tuple, replaced whole: the last message and its shapes
    seen, found = _last
    if seen is message:
        return found
    separators = message.separators
    plain, _ = _usual if separators is USUAL else _memory(separators)
    get, table = plain.get, DIGITS
    try:
        listed = [get(hash(segment.translate(table)) + segment[2]) for segment in message.segments]
    except IndexError:
        listed = [None] * len(message.segments)
    if None in listed:
        found = tuple(
            shape or _resolved(segment, separators)
            for shape, segment in zip(listed, message.segments, strict=True)
        )
    else:
        found = tuple(listed)  # type: ignore[arg-type]  # no None is left
    _last = (message, found)
    return found


def _resolved(segment: bytes, separators: Separators) -> Shape:
    """Find or make the shape that the quick look did not find."""
    normal = segment.translate(DIGITS)
    if len(segment) > REMEMBERED_BYTES_MAX or len(segment) <= 2:
        return shape_of(segment, separators)
    exact = _exact(segment, normal, separators)
    plain, by_code = _memory(separators)
    key, exact_key = hash(normal) + segment[2], (hash(normal), exact)
    known = by_code.get(exact_key) if exact else plain.get(key)
    if known is not None:
        return known
    if _spent[0] > LEAVES_KNOWN_MAX or _spent[1] > KNOWN_MAX:
        _forget()
        plain, by_code = _memory(separators)
    made = shape_of(segment, separators)
    if made.lasting:
        _spent[1] += 1
        if exact:
            by_code[exact_key] = made
        else:
            plain[key] = made
    return made


def _memory(separators: Separators) -> _Memory:
    """Find what is remembered for a set of separators."""
    if separators not in _known and len(_known) >= SEPARATORS_KNOWN_MAX:
        _forget()
    return _known.setdefault(separators, ({}, {}))


def _exact(segment: bytes, normal: bytes, separators: Separators) -> bytes:
    """Give the observation code as written where its digits matter, else nothing."""
    if not normal.startswith(b"OBX"):
        return b""
    marks = marks_of(separators)
    fields = normal.split(marks.field, 4)
    if len(fields) < 4 or not any(
        code in codes.PERSONAL_FORMS for code in fields[3].split(marks.inner[0])[:6:3]
    ):
        return b""
    return segment.split(marks.field, 4)[3]


# --- looking


def shape_of(segment: bytes, separators: Separators) -> Shape:
    """Decide the shape of one segment."""
    marks = marks_of(separators)
    raw = segment.split(marks.field)
    values = segment.translate(DIGITS).split(marks.field)
    header = raw[0] in HEADERS
    name = raw[0].decode("ascii", "replace")
    name = name if name in tables.segments() else UNLISTED
    rows = elements.fields_of(name)
    fields = []
    for index, value in enumerate(values):
        n = index + header
        if not value or not index or (header and n <= 2):
            continue
        element = rows[n] if n < len(rows) else elements.UNKNOWN
        if element.kind == "observed":
            found = _observed(raw, values, marks)
        else:
            found = list(_field(element, value, marks))
        fields.append(Field(index, n, tuple(found)))
    return _intern(name, tuple(fields))


def _intern(name: str, fields: tuple[Field, ...]) -> Shape:
    size = sum(len(field.leaves) for field in fields)
    lasting = size <= LEAVES_REMEMBERED_MAX
    known = _interned.get((name, fields)) if lasting else None
    if known is not None:
        return known
    classes = frozenset(leaf.cls for field in fields for leaf in field.leaves)
    places = tuple(
        f"{name}-{field.n}" for field in fields for leaf in field.leaves if leaf.cls == "uncatalogued"
    )
    made = Shape(name, fields, classes, places, lasting)
    if lasting:
        _spent[0] += size
        _interned[name, fields] = made
    return made


def _observed(raw: list[bytes], values: list[bytes], marks: Marks) -> list[Leaf]:
    """Judge OBX-5 by OBX-2 and OBX-3."""
    component = marks.inner[0]
    code = (*values[3].split(component), b"", b"", b"", b"", b"", b"")
    exact = (*raw[3].split(component), b"", b"", b"", b"")
    first, alternate = code[:3], code[3:6]
    verdict = observed(
        Observation(
            datatype=raw[2].decode("ascii", "replace"),
            known=codes.standard(first[2], first[0]) or codes.standard(alternate[2], alternate[0]),
            mdc=first[1] if first[2] == b"MDC" else alternate[1] if alternate[2] == b"MDC" else b"",
            personal=codes.PERSONAL.get(exact[0]) or codes.PERSONAL.get(exact[3]) or "",
        ),
        values[5],
        marks.numbers,
        (component, marks.repetition),
    )
    if isinstance(verdict, str):
        return [Leaf(ALL, ALL, ALL, verdict, "")]
    return list(_field(verdict, values[5], marks))


def _field(element: Element, value: bytes, marks: Marks) -> Iterator[Leaf]:
    if element is elements.UNKNOWN:
        yield Leaf(ALL, ALL, ALL, element.cls, "")
        return
    repetitions = value.split(marks.repetition)
    for r, repetition in enumerate(repetitions):
        if repetition:
            yield from _walk(element, repetition, marks, (r if len(repetitions) > 1 else ALL,))


def _walk(element: Element, value: bytes, marks: Marks, place: tuple[int, ...]) -> Iterator[Leaf]:
    """Judge a repetition (``place`` of length 1), a component (2) or a sub-component (3)."""
    if len(place) > len(marks.inner):
        yield _judged(_flat(element), value, place)
        return
    pieces = value.split(marks.inner[len(place) - 1])
    alone = len(pieces) == 1
    if element.kind == "coded":
        for i, leaf in _coded(element, pieces):
            yield Leaf(*_padded((*place, ALL if alone else i)), leaf.cls, leaf.part)
    elif element.kind == "composite":
        for i, piece in enumerate(pieces):
            if piece:
                inner = element.parts[i] if i < len(element.parts) else elements.UNKNOWN
                yield from _walk(inner, piece, marks, (*place, ALL if alone else i))
    else:
        yield from _leaf(element, pieces, value, marks, place)


def _leaf(
    element: Element, pieces: list[bytes], value: bytes, marks: Marks, place: tuple[int, ...]
) -> Iterator[Leaf]:
    """Judge a simple element; more parts than it has are uncatalogued, except that a note stays a note."""
    if len(pieces) == 1:
        yield from _walk(element, value, marks, (*place, ALL))
        return
    if element.cls in elements.OPAQUE:
        yield Leaf(*_padded(place), element.cls, element.part)
        return
    for i, piece in enumerate(pieces):
        if piece:
            yield from _walk(elements.UNKNOWN if i else element, piece, marks, (*place, i))


def _judged(element: Element, value: bytes, place: tuple[int, ...]) -> Leaf:
    fits = not element.form or forms.FITS[element.form](value)
    return Leaf(*_padded(place), element.cls if fits else "note.text", element.part)


def _padded(place: tuple[int, ...]) -> tuple[int, int, int]:
    return (*place, ALL, ALL, ALL)[:3]  # type: ignore[return-value]  # three it is


@lru_cache(maxsize=4_096)
def _flat(element: Element) -> Element:
    """Give the one leaf that stands for a tree where the message has no level left for it."""
    if element.kind == "coded":
        return replace(element, kind="leaf")
    found = elements.leaves(element)
    strictest = max(found, key=lambda leaf: elements.strictness(leaf.cls))
    return Element(strictest.cls, found[0].part, found[0].form)


_CODES = {0: (0, 2), 3: (3, 5), 9: (9, 11)}
_TEXTS = {1: (0, 2), 4: (3, 5), 10: (9, 11)}
"""Component of a coded element (from 0) -> where its code and its coding system stand."""

_ORIGINAL_TEXT = 8
_PARTS_MAX = 22


def _coded(element: Element, pieces: list[bytes]) -> Iterator[tuple[int, Element]]:
    """Judge the components of a coded element together.

    Source: HL7 v2.8.2 §2A.2.13 (CWE): three times code, text, system; versions; original text; OIDs.
    """
    padded = (*pieces, *(b"",) * 12)

    def known(pair: tuple[int, int]) -> bool:
        return codes.standard(padded[pair[1]], padded[pair[0]])

    for i, piece in enumerate(pieces):
        if not piece:
            continue
        if i >= _PARTS_MAX:
            yield i, elements.UNKNOWN
        elif i in _CODES:
            fits = known(_CODES[i]) or (
                element.form != "strict" and forms.FITS[element.form or forms.TOKEN](piece)
            )
            yield i, Element(element.cls if fits else "note.text", element.part)
        elif i in _TEXTS:
            alone = element.form == forms.UNIT and not padded[i - 1]
            code, system = (padded[place] for place in _TEXTS[i])
            unit = alone and forms.FITS[forms.UNIT](piece) is not None
            fits = unit or codes.display(system, code, piece)
            yield i, Element(element.cls if fits else "note.text", "" if alone else TEXT)
        elif i == _ORIGINAL_TEXT:
            yield i, Element("note.text", TEXT)
        else:
            form = forms.LABEL if element.cls in elements.WORDLESS else forms.CODE
            fits = piece in codes.STANDARD or forms.FITS[form](piece) is not None
            yield i, Element(element.cls if fits else "note.text", "rest")
