"""What the parts of a datatype are: a tree of elements for every field, down to sub-components.

Rules:
- The datatype speaks first: XPN is a name, XAD an address, CX an identifier, DTM a time, TX a note.
- A review may give the field another class or role; the tree keeps its shape.
- The parts of a person's composite stay together: a check digit, an assigning authority or a name type is
  ``rest`` of its identifier or name, and goes where that goes.
- Coded elements are judged when their values are seen: display text passes only where it says no more
  than a standard code beside it.
- Where versions give a field different datatypes, the tree is their union, each leaf with the stricter class.

Deliberately absent: actions, and any look at a message (``shapes`` does that).

Source: HL7 v2.8.2 chapter 2A (datatypes).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from itertools import zip_longest
from typing import Literal

from oathward.core.labels import ROLES
from oathward.protocols.hl7v2 import forms, tables
from oathward.protocols.hl7v2.overrides import Review, Subject, reviewed, single, subject_of

REST = "rest"
TEXT = "text"
CLOCK = "time"

Kind = Literal["leaf", "composite", "coded", "observed"]


@dataclass(frozen=True, slots=True)
class Element:
    """One node.

    ``part``: empty for the element itself; ``rest`` for what only qualifies it; ``text`` for display text; ``time``
    for a time of day without a date, which may look like a year or a month;
    ``street``, ``city``, ``state``, ``postcode``, ``country`` of an address.
    ``form``: what a value must look like, see ``forms``; else it is a note.
    """

    cls: str
    part: str = ""
    form: str = forms.ANY
    kind: Kind = "leaf"
    parts: tuple[Element, ...] = ()


UNKNOWN = Element("uncatalogued")
NOTE = Element("note.text")

OPAQUE = frozenset(("note.text", "attachment", "message.control"))
"""Classes whose simple elements are one thing, whatever separators stand in them."""

STRICTNESS = (
    *("structure", "message.time", "message.control", "message.party", "device.type"),
    *("observation.code", "observation.time", "observation.value", "clinical.code", "order", "location"),
    *("financial", "organisation.", "staff.", "device.identity", "relative.", "patient."),
    *("attachment", "note.text", "uncatalogued"),
)
"""Classes (or their roles) from the least to the most telling."""

FORMED = frozenset(
    ("structure", "clinical.code", "observation.code", "observation.value", "observation.time")
)
"""Classes that pass most often: what stands there must look like it. ``device.type`` may have spaces."""

WORDLESS = frozenset(("structure", "clinical.code"))
"""Of these, codes of no published table: a word is no code but somebody's text. Local observation codes are often words."""

CODED = frozenset(("CE", "CWE", "CNE", "CF"))
TIMES = frozenset(("TS", "DTM", "DT", "TM"))
NUMBERS = frozenset(("NM", "SI"))

_ADDRESS = {0: "street", 1: "street", 2: "city", 3: "state", 4: "postcode", 5: "country"}
_KINDS = {
    **dict.fromkeys(("XPN", "PN", "FN"), "name"),
    **dict.fromkeys(("CX", "CK", "DLN", "PLN", "PI"), "identifier"),
    **dict.fromkeys(("XAD", "AD", "SAD"), "address"),
    **dict.fromkeys(("XTN", "TN"), "contact"),
    "JCC": "demographic",
}
"""Datatypes that are one thing of a person."""

_NAMED = {
    **dict.fromkeys(
        ("XCN", "CN", "PPN", "CNN"), (frozenset((1, 2, 3, 4, 5, 6, 14, 15, 16, 17, 18, 19, 20)), 1)
    ),
    "XON": (frozenset((0, 1, 8)), 0),
}
"""Datatypes with an identifier and a name: which components (from 0) are name, and the first of them."""

_WHOLE = {"ED": "attachment", "RP": "attachment", "PL": "location", "HD": "organisation.identifier"}
_WHOLE |= dict.fromkeys(("MO", "CP", "MOC", "MOP", "FC"), "financial")
_TEXTS = frozenset(("ST", "TX", "FT", "GTS", "varies", "SNM"))


def strictness(cls: str) -> int:
    """Rank a class by ``STRICTNESS``."""
    for rank, word in enumerate(STRICTNESS):
        if cls == word or (word.endswith(".") and cls.startswith(word)):
            return rank
    raise KeyError(cls)


@cache
def fields_of(segment: str) -> tuple[Element, ...]:
    """Give the trees of a segment's fields, field 1 at index 1; index 0 and what nobody knows is ``UNKNOWN``."""
    cells = tables.segments().get(segment, ())
    known = single() | reviewed()
    return (UNKNOWN, *(field(segment, known.get((segment, n)), cell) for n, cell in enumerate(cells, 1)))


def field(segment: str, review: Review | None, cell: tuple[str, ...]) -> Element:
    """Build the tree of one field from its review and its datatypes."""
    subject = subject_of(segment)
    if review is None:
        return of_types(cell, subject, "")
    if review.form == "observed":
        return Element(review.cls, kind="observed")
    element = of_types(cell or ("ST",), subject, review.cls)
    if review.part:
        element = _as_part(element, review.part)
    return _with_form(element, review.form) if review.form else element


@cache
def of_types(cell: tuple[str, ...], subject: Subject, cls: str) -> Element:
    """Build the union of several datatypes; ``cls`` is a class, a role, or empty (the datatype decides)."""
    if not cell:
        return UNKNOWN
    found = of_type(cell[0], subject, cls)
    for datatype in cell[1:]:
        found = merged(found, of_type(datatype, subject, cls))
    return found


@cache
def of_type(datatype: str, subject: Subject, cls: str) -> Element:
    """Build the tree of one datatype."""
    role = cls.partition(".")[0] if cls.partition(".")[0] in ROLES else ""
    given = cls if cls not in ROLES else ""
    if datatype == "NDL":
        return _observer(subject, role)
    if datatype in _NAMED and (not given or role):
        return _person_or_organisation(
            datatype, role or (subject.staff if datatype != "XON" else "organisation")
        )
    if datatype in CODED:
        own = given or (f"{role}.demographic" if role else subject.code)
        return Element(own, form=_code_form(own), kind="coded")
    if datatype in TIMES:
        return _time(datatype, given or f"{role or subject.role}.time")
    if own := _own_class(datatype, subject, role):
        return _whole(datatype, given or own)
    return _generic(datatype, subject, cls)


def _own_class(datatype: str, subject: Subject, role: str) -> str:
    """Give the class of a datatype that is one thing, or nothing."""
    if datatype in _KINDS:
        return f"{role or subject.role}.{_KINDS[datatype]}"
    if datatype == "EI":
        return f"{role}.identifier" if role else subject.entity
    return _WHOLE.get(datatype, "")


def _generic(datatype: str, subject: Subject, cls: str) -> Element:
    parts = tables.datatypes().get(datatype)
    if parts is None:
        return _primitive(datatype, subject, f"{cls}.identifier" if cls in ROLES else cls)
    return Element(cls, kind="composite", parts=tuple(of_types(part, subject, cls) for part in parts))


def leaves(element: Element) -> list[Element]:
    """List the leaves of a tree; a coded element counts as one."""
    if element.kind == "composite":
        return [leaf for part in element.parts for leaf in leaves(part)]
    return [element]


def merged(one: Element, other: Element) -> Element:
    """Give the union of two trees: the more detailed shape, on each leaf the stricter class."""
    if one.kind == "coded" or other.kind == "coded":
        first = one if one.kind == "coded" else other
        classes = [leaf.cls for tree in (one, other) for leaf in leaves(tree)[:1]]
        return replace(first, cls=max(classes, key=strictness))
    if one.kind == other.kind == "leaf":
        cls = max(one.cls, other.cls, key=strictness)
        return Element(cls, one.part, forms.union(one.form, other.form))
    ones, others = one.parts or (one,), other.parts or (other,)
    parts = tuple(merged(a, b) if a and b else (a or b or UNKNOWN) for a, b in zip_longest(ones, others))
    return Element(one.cls, kind="composite", parts=parts)


def _primitive(datatype: str, subject: Subject, given: str) -> Element:
    if given:
        return Element(given, form=_form_of(datatype, given))
    if datatype in _TEXTS:
        return NOTE
    if datatype == "IS":
        return Element(subject.code, form=_code_form(subject.code))
    cls = subject.number if datatype == "NM" else "structure"
    return Element(cls, form=forms.NUMBER if datatype in NUMBERS else _code_form(cls))


def _form_of(datatype: str, cls: str) -> str:
    if cls == "device.type":
        return forms.WORDS
    if cls not in FORMED:
        return forms.ANY
    if datatype in NUMBERS:
        return forms.NUMBER
    return _code_form(cls)


def _code_form(cls: str) -> str:
    if cls == "observation.code":
        return forms.CODE
    return forms.LOCAL if cls in WORDLESS else forms.TOKEN


def _time(datatype: str, cls: str) -> Element:
    first = Element(cls, CLOCK if datatype == "TM" else "", forms.TIME)
    if datatype != "TS":
        return first
    return Element(cls, kind="composite", parts=(first, Element(cls, REST, forms.TOKEN)))


def _whole(datatype: str, cls: str, part: str = "") -> Element:
    """Build a composite that is one thing: its first component is the thing, the others qualify it."""
    parts = tables.datatypes().get(datatype)
    form = _form_of(datatype, cls)
    if parts is None:
        return Element(cls, part, form)
    named = _ADDRESS if datatype in ("XAD", "AD") else {0: part}
    if datatype == "SAD":
        named = dict.fromkeys(range(3), part or "street")
    built = tuple(_whole(cell[-1], cls, named.get(i, REST)) for i, cell in enumerate(parts))
    return Element(cls, kind="composite", parts=built)


def _person_or_organisation(datatype: str, role: str) -> Element:
    names, first = _NAMED[datatype]
    parts = []
    for i, cell in enumerate(tables.datatypes()[datatype]):
        kind = "name" if i in names else "identifier"
        main = i == first or (i == 0 and i not in names) or (datatype == "XON" and i == 2)
        parts.append(_whole(cell[-1], f"{role}.{kind}", "" if main else REST))
    return Element(f"{role}.name", kind="composite", parts=tuple(parts))


def _observer(subject: Subject, role: str) -> Element:
    """Build NDL: who, from when to when, where."""
    parts = tables.datatypes()["NDL"]
    person = _person_or_organisation("CNN", role or subject.staff)
    times = tuple(of_types(cell, subject, f"{role or subject.staff}.time") for cell in parts[1:3])
    places = tuple(_whole(cell[-1], "location", REST) for cell in parts[3:])
    return Element(person.cls, kind="composite", parts=(person, *times, *places))


def _as_part(element: Element, part: str) -> Element:
    if element.kind == "composite":
        return replace(element, parts=tuple(_as_part(inner, part) for inner in element.parts))
    return replace(element, part=part)


def _with_form(element: Element, form: str) -> Element:
    if element.kind == "composite":
        return replace(element, parts=tuple(_with_form(inner, form) for inner in element.parts))
    return replace(element, form=form)
