"""Patients' data in clear text: how many elements of which class stand in a payload, by the catalogues of the protocols.

Rules:
- Counts by class, never a value; nothing of a payload outlives the call.
- HL7 v2 is counted by the shapes that its catalogue remembers; FHIR resource by resource, each checked before; DICOM element by element.
- What cannot be read is refused with its reason. That there was a resource or a file nobody could read is ``uncatalogued``, once.
- ``Search`` looks into payloads that no head knows, for a while: for a message, a resource or a file that begins there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import accumulate
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason
from oathward.discovery.packets.datasets import counted as counted_dicom
from oathward.discovery.packets.datasets import elements
from oathward.protocols.fhir.catalogue import counted as counted_resource
from oathward.protocols.fhir.check import check
from oathward.protocols.fhir.limits import LIMITS, check_sizes
from oathward.protocols.hl7v2 import codes
from oathward.protocols.hl7v2.reader import Message, decode
from oathward.protocols.hl7v2.shapes import DIGITS, Shape, generation, shapes

if TYPE_CHECKING:
    from oathward.discovery.packets.conversation import Conversation, Half

SEARCH_BYTES_MAX = 65_536
"""Of each side of a flow that no head knows."""

REMEMBERED_MAX = 5_000
RESOURCES_MAX = 200
"""Of one bundle; of a larger one the first."""

UNREAD = "uncatalogued"

_counts: dict[tuple[Shape, ...], Counter[str]] = {}
_of_generation = [0]
_ANSWERS = ("ACK", "ORA")
_PLAIN = b"MSH|^~\\&|"


class Outline(NamedTuple):
    """What all messages have in common that differ in digits alone.

    Args:
        counts: of their values, by class. equipment: whether segments name a device. answers: they answer another.
        told: takes from one of them what names who speaks: fields of the header, and the segments that name a device without their values;
            None where their likes may differ in it.
    """

    counts: Counter[str]
    equipment: bool
    answers: bool
    told: Callable[[bytes], object] | None


_outlines: dict[int, Outline] = {}
"""Keyed hash of a message whose digits are all zero -> its outline; never the bytes (as in ``protocols.hl7v2.shapes``)."""


def outline(frame: bytes) -> tuple[Outline | None, int]:
    """Give what is known of a message whose like came before, and the key to remember it by: 0 where it has none."""
    if not frame.startswith(_PLAIN) or 10 in frame or not frame.isascii():
        return None, 0
    key = hash(frame.translate(DIGITS))
    return _outlines.get(key), key


def outlined(message: Message, frame: bytes, key: int) -> Outline:
    """Make the outline of a message, and remember it where its digits decide nothing."""
    equipment = [i for i, segment in enumerate(message.segments) if _names_device(message, segment)]
    lines = frame.split(b"\r")
    alike = key and [*filter(None, lines)] == lines[: len(message.segments)] == message.segments
    if not alike or any(_exact(message, segment) for segment in message.segments):
        return Outline(counted_hl7(message), bool(equipment), message.code in _ANSWERS, None)
    told = _told(lines, equipment)
    made = Outline(counted_hl7(message), bool(equipment), message.code in _ANSWERS, told)
    if len(_outlines) >= REMEMBERED_MAX:
        _outlines.clear()
    _outlines[key] = made
    return made


def _told(lines: list[bytes], equipment: list[int]) -> Callable[[bytes], object]:
    """Find what names who speaks: MSH-3 to MSH-6, MSH-12 and MSH-21; of a segment that names a device all, of a value its OBX-18."""
    found, at = [], 0
    for place, line in enumerate(lines):
        fields = line.split(b"|")
        if place == 0:
            parts = [(2, 6), (11, 12), (20, 21)]
        elif place not in equipment:
            parts = []
        else:
            value = fields[0] == b"OBX" and b"UDI" not in fields[3].upper()
            parts = [(18, 19)] if value else [(0, len(fields))]
        ends = [*accumulate(len(field) + 1 for field in fields)]
        for first, behind in parts:
            if first < len(fields):
                found.append(
                    slice(at + (ends[first - 1] if first else 0), at + ends[min(behind, len(fields)) - 1] - 1)
                )
        at += len(line) + 1
    return itemgetter(*found)


def _names_device(message: Message, segment: bytes) -> bool:
    if segment[:3] == b"PRT":
        return True
    if segment[:3] != b"OBX":
        return False
    return bool(message.field(segment, 18)) or b"UDI" in message.field(segment, 3).upper()


def _exact(message: Message, segment: bytes) -> bool:
    """Say whether the digits of a code decide of what class a value is."""
    if segment[:3] != b"OBX":
        return False
    parts = message.field(segment.translate(DIGITS), 3).split(b"^")
    return any(code in codes.PERSONAL_FORMS for code in parts[:6:3])


def counted_hl7(message: Message) -> Counter[str]:
    """Count the values of a message by class; remembered by the shapes of its segments."""
    found = shapes(message)
    known = _counts.get(found)
    if known is None:
        known = Counter(leaf.cls for shape in found for field in shape.fields for leaf in field.leaves)
        if len(_counts) >= REMEMBERED_MAX or _of_generation[0] != generation():
            _counts.clear()
            _of_generation[0] = generation()
        if all(shape.lasting for shape in found):
            _counts[found] = known
    return known


def resources_of(body: bytes) -> list[dict[str, Any]]:
    """Give the FHIR resources of a JSON body, those of a bundle one by one; empty where it is none.

    Raises:
        DecodeError: LIMIT_EXCEEDED.
    """
    check_sizes(body, LIMITS)
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return []
    if not isinstance(found, dict) or not isinstance(found.get("resourceType"), str):
        return []
    if found["resourceType"] != "Bundle":
        return [found]
    entries = found.get("entry")
    listed = entries[:RESOURCES_MAX] if isinstance(entries, list) else []
    inner = [entry.get("resource") for entry in listed if isinstance(entry, dict)]
    return [one for one in inner if isinstance(one, dict) and isinstance(one.get("resourceType"), str)]


def counted_fhir(resources: list[dict[str, Any]], refused: Counter[tuple[Reason, str]]) -> Counter[str]:
    """Count the values of resources by class; one that is not as R4 has it counts as one that nobody could read."""
    total: Counter[str] = Counter()
    for resource in resources:
        try:
            check(resource, LIMITS).refuse()
        except DecodeError as error:
            refused[error.reason, "fhir"] += 1
            total[UNREAD] += 1
        else:
            total += counted_resource(resource)
    return total


class Search:
    """Looks for patients' data in what no head knows."""

    def __init__(self, flow: Conversation) -> None:
        self._flow = flow
        self._left = {id(flow.client): SEARCH_BYTES_MAX, id(flow.server): SEARCH_BYTES_MAX}

    def take(self, half: Half, data: bytes, us: int) -> None:
        """Look into the next bytes of a side."""
        if b"MSH|" in data:
            if b"\x0bMSH|" in data and self._framed(half, data, us):
                return
            self._message(data)
        if b'"resourceType"' in data:
            self._resource(data)
        if b"DICM" in data:
            found = counted_dicom(elements(data[data.index(b"DICM") + 4 :], ""))
            self._flow.clear("dicom", found or {UNREAD: 1})
        left = self._left.get(id(half), 0) - len(data)
        self._left[id(half)] = left
        if left <= 0:
            half.drop()

    def lost(self, half: Half) -> None:
        """Go on: each segment is looked at by itself."""

    def _framed(self, half: Half, data: bytes, us: int) -> bool:
        """Hand the flow to the head of what begins inside of it."""
        from oathward.discovery.packets.head import heads

        begun = data[data.index(b"\x0bMSH|") :]
        for head in heads("tcp"):
            if head.open is not None and head.knows(begun, half.port, half.other.port):
                self._flow.service = head.service
                self._flow.reader = head.open(self._flow)
                self._flow.reader.take(half, begun, us)
                return True
        return False

    def _message(self, data: bytes) -> None:
        try:
            message = decode(data[data.index(b"MSH|") :].partition(b"\x1c")[0].replace(b"\0", b""))
        except DecodeError as error:
            self._flow.notes.refuse(error.reason, "hl7")
            self._flow.clear("hl7", {UNREAD: 1})
        else:
            self._flow.clear("hl7", counted_hl7(message))

    def _resource(self, data: bytes) -> None:
        """Read the object around the first ``resourceType``, where it is whole and the last thing there."""
        begin = data.rfind(b"{", 0, data.index(b'"resourceType"'))
        body = data[max(0, begin) : data.rfind(b"}") + 1]
        try:
            found = resources_of(body)
        except DecodeError as error:
            self._flow.notes.refuse(error.reason, "fhir")
            found = []
        self._flow.clear("fhir", counted_fhir(found, self._flow.notes.refused) or {UNREAD: 1})
