"""What each element of an HL7 v2 message is: ``class_of`` for one place, ``classes_present`` for a message.

Rules:
- The datatype speaks first, a reviewed row for the field speaks louder, siblings decide OBX-5.
- Every class is a word of ``core.labels.CLASSES``.
- What nobody catalogued (Z-segments, fields and components beyond the tables) is ``uncatalogued``.
- ``docs/reference/hl7v2-catalogue.md`` shows all of it and what is unreviewed.

Deliberately absent: what may happen to a class.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from oathward.protocols.hl7v2 import elements, tables
from oathward.protocols.hl7v2.elements import UNKNOWN, Element
from oathward.protocols.hl7v2.overrides import reviewed
from oathward.protocols.hl7v2.reader import Message
from oathward.protocols.hl7v2.shapes import Shape, generation, shapes

REMEMBERED_MAX = 5_000
SEGMENTS_REMEMBERED_MAX = 300
_present: dict[tuple[Shape, ...], frozenset[str]] = {}
_of_generation = [0]


def classes_present(message: Message) -> frozenset[str]:
    """Give the classes of all values of a message; remembered by the shapes of its segments."""
    found = shapes(message)
    known = _present.get(found)
    if known is None:
        known = frozenset().union(*(shape.classes for shape in found))
        if len(_present) > REMEMBERED_MAX or _of_generation[0] != generation():
            _present.clear()
            _of_generation[0] = generation()
        if len(found) <= SEGMENTS_REMEMBERED_MAX and all(shape.lasting for shape in found):
            _present[found] = known
    return known


def class_of(segment: str, field: int, component: int = 1, subcomponent: int = 1) -> str:
    """Give the class an element has by its place; counts are from 1.

    Display text of coded elements is ``note.text`` here: it passes only where it says no more than a standard
    code beside it, and a place has no code. OBX-5 is ``note.text``: without its siblings it could be anything.
    """
    rows = elements.fields_of(segment)
    element = rows[field] if 0 < field < len(rows) else UNKNOWN
    for n in (component, subcomponent):
        element = _inside(element, n)
    found = elements.leaves(element)
    return max((leaf.cls for leaf in found), key=elements.strictness)


def _inside(element: Element, n: int) -> Element:
    if element.kind == "composite":
        return element.parts[n - 1] if n <= len(element.parts) else UNKNOWN
    if element.kind == "observed":
        return elements.NOTE
    if element.kind == "coded":
        return Element("note.text" if n in (2, 5, 9, 11) else element.cls) if n <= 22 else UNKNOWN
    if element.cls in elements.OPAQUE:
        return element
    return element if n == 1 else UNKNOWN


@dataclass(frozen=True, slots=True)
class Row:
    """One field of the catalogue. ``classes``: of its parts, the field's own first; ``source``: empty by default."""

    segment: str
    n: int
    datatypes: tuple[str, ...]
    classes: tuple[str, ...]
    source: str


def rows() -> Iterator[Row]:
    """Give every field of every segment, in order."""
    known = reviewed()
    for segment, cells in sorted(tables.segments().items()):
        for n, cell in enumerate(cells, 1):
            element = elements.fields_of(segment)[n]
            classes = tuple(dict.fromkeys(leaf.cls for leaf in elements.leaves(element)))
            review = known.get((segment, n))
            yield Row(segment, n, cell, classes, review.source if review else "")
