"""An outgoing payload in lines: the segments of HL7 v2, the objects of JSON.

Rules:
- JSON is read anew, by another reader than the one that shaped it: every member is kept, also where a name comes
  twice, numbers as they are written, escapes undone.
- A line of JSON is ``{`` and the scalars of one object with ``|`` between them, and ``^`` between those of one array: a
  name's parts stand together, as in a field. Names of members are text too, but for those that FHIR gives them often (``MEMBERS``).
- JSON inside a string is cut into lines of its own.
- What begins as JSON and is none cannot be searched, but for what its pieces show at once.
- ``pieces`` cuts it where objects begin without reading it: enough to see that there is nothing to look at.

Deliberately absent: FHIR. Any object of any type is a line.

Source: RFC 8259 (JSON).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from json import JSONDecoder
from typing import Any

from oathward.gateway.guard.normalise import Unsearchable, fold, letter_words

OBJECT = b"{"
"""How a line of JSON begins; no segment does."""
ADDRESS = b"{@|"
"""How that of an address begins."""
STRINGS_DEPTH_MAX = 4
"""JSON in a string in JSON …"""

_MEMBERS = """
    abatementDateTime active address amount assigner author authoredOn authority basedOn batchNumber beneficiary birthDate
    bodySite category caseNumber city class clinicalStatus code coding comment communication component condition contact
    contained contentType context country created criticality data date deceasedBoolean deceasedDateTime definition
    derivedFrom description detail device deviceName diagnosis display district div dosage effectiveDateTime effectiveInstant
    effectivePeriod encounter end entry expirationDate extension family focus fullUrl gender given hash hasMember high
    id identifier implicitRules individual instantiatesUri intent interpretation issued item jurisdiction kind language
    lastUpdated length line link linkId location lotNumber low managingOrganization manufacturer maritalStatus meta method
    mode modelNumber modifierExtension multipleBirthBoolean multipleBirthInteger name note numerator denominator
    onsetDateTime operationalStatus organization origin output owner parameter parent part partOf participant patient
    payload performer period photo policy position postalCode preferred prefix presentedForm priority procedure profile
    property provision purpose quantity rank reason reasonCode reasonReference received recorded reference referenceRange
    relationship request requester resource resourceType result role security serialNumber serviceProvider
    serviceType size source specialty specimen start state status statusReason subject suffix system tag target telecom text
    time timestamp timing title total type udiCarrier unit uri url use value valueAddress valueBoolean valueCode
    valueCodeableConcept valueCoding valueContactPoint valueDate valueDateTime valueDecimal valueHumanName valueIdentifier
    valueInstant valueInteger valuePeriod valueQuantity valueRange valueRatio valueReference valueSampledData valueString
    valueTime valueUri vaccineCode verificationStatus version versionId factor dimensions lowerLimit upperLimit calibration
    measurementPeriod color dataAbsentReason ifNoneExist ifNoneMatch ifMatch etag lastModified response outcome search
"""
MEMBERS = frozenset(_MEMBERS.split())
"""Names of members that say nothing; any other one is searched as a value is."""
_CODES = b"""
    active additional amended appended arrived billing both cancelled completed confirmed corrected draft email empty extensions
    female final finished generated home inactive male mobile nickname official other pager phone physical planned postal
    preliminary private proposal registered suspended temp triaged usual work
"""
CODES = frozenset(_CODES.split())
"""Words of the codes that FHIR itself gives; a few of them are names too."""
_ADDRESS_MEMBERS = frozenset(("city", "line", "postalCode", "district"))
_TYPES = frozenset(("Patient", "Person", "RelatedPerson"))
_REFERENCES = (*(f"{one}/" for one in _TYPES), *_TYPES)
_VALUES = frozenset(("id", "reference", "value", "code", "valueString", "display", "text"))
_CODED = frozenset(("code", "valueCode", "language", "lang", "unit"))
_REFERENCE_ID = "MDC_"
_BLANK = re.compile(r"\s").search
_MARKS = b" \t\r\n\xef\xbb\xbf"
_BEGINS = frozenset((b"{", b"["))
_BEFORE = frozenset(bytes([code]) for code in _MARKS + b"[")
_OUR_ID = re.compile(rb'"id":"([0-9a-v]{20})-[0-9]{1,6}"').search
_NESTED = re.compile(r"\s*[\[{]").match

Place = tuple["Place | None", str, int]
"""Where an object stands: of what holds it, the member, and the index there."""
Scalar = tuple[str, int, str]
"""A member, the index in its array (-1 where there is none) and the value."""


def is_json(outgoing: bytes) -> bool:
    """Say whether a payload is to be read as JSON."""
    first = outgoing[:1]
    return first == OBJECT or (first in _BEFORE and outgoing[:64].lstrip(_MARKS)[:1] in _BEGINS)


def without_our_ids(outgoing: bytes, came_with: Callable[[bytes], bool]) -> bytes:
    """Leave out the id that Oathward made for what leaves: random, it would make every line new and look like a number.

    Args:
        came_with: asked whether an id stands in what came: then it is the sender's.
    """
    match = _OUR_ID(outgoing)
    if match is None:
        return outgoing
    ours = match[1]
    if ours.isdigit() or came_with(ours):
        return outgoing
    return outgoing.replace(ours, b"").replace(ours.upper(), b"")


def pieces(outgoing: bytes) -> list[bytes]:
    """Cut JSON where objects begin, without reading it; nothing where an escape may hide what it says."""
    return [] if 92 in outgoing else outgoing.split(b'{"')


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of a payload: of each its line, its scalars by member, and the members that lead to it."""

    lines: list[bytes]
    told: list[list[Scalar]]
    places: list[Place | None]

    def place_of(self, line: bytes) -> str:
        """Say where a line stands; members with names of the sender's own are not told."""
        if line not in self.lines:
            return "message"
        place: Place | None = self.places[self.lines.index(line)]
        names = []
        while place is not None:
            place, name, index = place
            names.append((name if name in MEMBERS else "?") + (f"[{index}]" if index >= 0 else ""))
        return ".".join(reversed(names)) or "root"

    def is_value(self, form: bytes) -> bool:
        """Say whether an id, what is referred to, a value or a code without a display is nothing but this."""
        text = form.decode("utf-8", "replace")
        for scalars in self.told:
            names = _VALUES - {"code"} if any(name == "display" for name, _, _ in scalars) else _VALUES
            if any(
                name in names and type(value) is str and value.rpartition("/")[2] == text
                for name, _, value in scalars
            ):
                return True
        return False

    def coded_words(self) -> Iterator[bytes]:
        """Give the words inside of codes, language tags and reference ids: of values for machines, which have no blanks."""
        for scalars in self.told:
            for name, _, value in scalars:
                if (name in _CODED or value.startswith(_REFERENCE_ID)) and not _BLANK(value):
                    yield from letter_words(fold(value.encode("utf-8", "replace"), "utf-8"))


def objects_of(outgoing: bytes) -> Objects:
    """Cut JSON into lines.

    Raises:
        Unsearchable: it cannot be read.
    """
    found = Objects([], [], [])
    stack: list[tuple[object, Place | None, int]] = [(_read(outgoing.lstrip(b"\xef\xbb\xbf")), None, 0)]
    while stack:
        node, place, depth = stack.pop()
        scalars: list[Scalar] = []
        below: list[tuple[object, Place | None, int]] = []
        for name, value in node if type(node) is _Members else [("", node)]:
            for index, one in _flat(value):
                if isinstance(one, str):
                    scalars.append((name, index, one))
                    if _NESTED(one) and depth < STRINGS_DEPTH_MAX and (inner := _nested(one)) is not None:
                        below.append((inner, (place, name, index), depth + 1))
                elif type(one) is _Members:
                    below.append((one, (place, name, index) if name else place, depth))
        if type(node) is _Members or scalars:
            found.lines.append(_line(node, scalars))
            found.told.append(scalars)
            found.places.append(place)
        stack += reversed(below)
    return found


def _line(node: object, scalars: list[Scalar]) -> bytes:
    names = [name for name, _ in node] if type(node) is _Members else []
    parts = [("|" if index < 1 else "^") + _plain(name, value) for name, index, value in scalars]
    parts += ["|" + name for name in names if name.removeprefix("_") not in MEMBERS]
    begin = ADDRESS if not _ADDRESS_MEMBERS.isdisjoint(names) else OBJECT
    text = "".join(parts)[1:].replace("\r\n", "\n").replace("\r", "\n")
    return begin + text.encode("utf-8", "replace")


def _plain(name: str, value: str) -> str:
    """Leave out what says that a person is meant: it is nobody's name."""
    if name == "resourceType" and value in _TYPES:
        return ""
    if name in {"reference", "type"}:
        for one in _REFERENCES:
            value = value.removeprefix(one)
    return value


class _Members(list[tuple[str, Any]]):
    """The members of an object, every one of them."""


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


def _flat(value: object) -> Iterator[tuple[int, object]]:
    """Give what an array holds, in whatever arrays; -1 where there is none."""
    if type(value) is not list:
        yield -1, value
        return
    for index, one in enumerate(value):
        if type(one) is list:
            for _, inner in _flat(one):
                yield index, inner
        else:
            yield index, one


_DECODE = JSONDecoder(
    object_pairs_hook=_Members, parse_float=_Number, parse_int=_Number, parse_constant=_Number, strict=False
).decode


def _read(outgoing: bytes) -> object:
    try:
        return _DECODE(outgoing.decode())
    except (ValueError, RecursionError):
        raise Unsearchable from None


def _nested(text: str) -> object:
    try:
        return _DECODE(text)
    except (ValueError, RecursionError):
        return None
