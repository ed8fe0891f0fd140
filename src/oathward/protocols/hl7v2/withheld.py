"""Leave out of a message what bears certain codes, whole: an observation, a diagnosis, an order with all it brought.

Rules:
- An *item* is a segment that bears a code, with the NTE, PRT and Z segments that follow it: OBX (OBX-3, and OBX-5
  where it is coded), DG1, AL1, IAM, PR1, PRB, FT1, PV2.
- What an order bears (OBR, RXA, RXE …) takes the whole order: from its ORC to the next order or patient.
- An item leaves as soon as one of its codes is withheld, of alternates too.
- An order none of whose observations stay leaves with them: that it was asked for says as much.
- ``only`` is of observations: an OBX stays where its OBX-3 has one of these codes. An order that keeps some says no more
  what else was asked for (OBR-4, 26, 44, 50), unless that may be said; one that never had any leaves.
- Codes are ``system|code`` as the message writes them; a system in another spelling is another word.

Deliberately absent: which codes those are, and what classes of the rest may pass.

Source: HL7 v2.8.2 §2A.3.13 (CWE), §4.4 and §7.3 (message structures: ORDER_OBSERVATION, OBSERVATION).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from oathward.protocols.hl7v2.reader import Message, joined

_OWN: dict[bytes, tuple[int, ...]] = {
    b"OBX": (3,),
    b"DG1": (3,),
    b"AL1": (3,),
    b"IAM": (3,),
    b"PR1": (3,),
    b"PRB": (3,),
    b"FT1": (7, 19, 25),
    b"PV2": (3,),
}
"""Segment -> its coded fields; the segment leaves."""

_ORDERED: dict[bytes, tuple[int, ...]] = {
    b"OBR": (4, 13, 31, 44),
    b"RXO": (1, 20),
    b"RXE": (2, 27),
    b"RXD": (2,),
    b"RXG": (4,),
    b"RXA": (5, 19),
    b"RXC": (2,),
    b"ODS": (3,),
}
"""Segment -> its coded fields; the order leaves."""

_MEDICATION = frozenset((b"RXO", b"RXE", b"RXD", b"RXG", b"RXA"))
_TELLING = _MEDICATION | {b"OBX", b"OBR"}
_ENDS = frozenset((b"MSH", b"EVN", b"PID", b"PV1", b"DSC", b"BTS", b"FTS", b"QRD", b"QRF"))
"""What belongs to no order: a patient, a visit, the envelope."""

_FOLLOWERS = frozenset((b"NTE", b"PRT"))
_CODED_TYPES = frozenset((b"CE", b"CWE", b"CNE", b"CF"))
_CWE_CODES = ((0, 2), (3, 5), (9, 11))
"""Code and coding system of an identifier, its alternate and its second alternate."""

_PANEL_FIELDS = (4, 26, 44, 50)
_NOTHING = frozenset[str]()


@dataclass(slots=True)
class _Item:
    """Segments that stay or leave together; ``order`` is the number of the order they belong to, 0 for none.

    ``kind``: name of the segment that bears the codes.
    """

    kind: bytes
    order: int
    segments: list[bytes]
    codes: frozenset[str] = _NOTHING
    named: frozenset[str] = _NOTHING
    """Codes that say what was observed: those of OBX-3 and OBR-4."""


@dataclass(slots=True)
class _Orders:
    """Counts orders from segment to segment. ``detailed``: an OBR of this one was there."""

    number: int = 0
    inside: bool = False
    head: bytes = b""
    detailed: bool = False

    def of(self, name: bytes) -> int:
        """Give the order that a segment belongs to; 0 for none."""
        if name in _ENDS:
            self.inside = False
        elif name == b"ORC" or self._begins(name):
            self.number += 1
            self.inside, self.head, self.detailed = True, name, name == b"OBR"
        elif name == b"OBR":
            self.detailed = True
        return self.number if self.inside else 0

    def _begins(self, name: bytes) -> bool:
        """Whether a segment opens an order that has no ORC of its own."""
        if name == b"OBR":
            return not self.inside or self.head != b"ORC" or self.detailed
        return name in _MEDICATION and (not self.inside or self.detailed)


def codes_of(message: Message) -> frozenset[str]:
    """Give the codes of all items, ``LN|8867-4``."""
    return frozenset().union(*(item.codes for item in _items(message)))


def tells(message: Message) -> bool:
    """Say whether anything was observed or ordered, and not only whom it is about."""
    return any(message.name(index) in _TELLING for index in range(len(message.segments)))


def without_codes(message: Message, codes: frozenset[str], only: frozenset[str] | None = None) -> Message:
    """Give a message less what bears certain codes; the same one where nothing does.

    Args:
        message: as decoded; it is not changed.
        codes: what is withheld, of ``codes_of``.
        only: of observations, those alone may stay that bear one of these; ``None``: all.
    """
    items = list(_items(message))
    gone = {item.order for item in items if item.kind in _ORDERED and item.codes & codes} - {0}
    kept = [item for item in items if item.order not in gone and not item.codes & codes]
    if only is not None:
        kept = [item for item in kept if item.kind != b"OBX" or item.named & only]
    kept = _without_empty_orders(items, kept, only)
    if only is not None:
        for item in kept:
            if item.kind == b"OBR" and not item.named & only:
                item.segments[0] = _emptied(message, item.segments[0])
    segments = [segment for item in kept for segment in item.segments]
    if segments == message.segments:
        return message
    return Message(joined(segments), message.separators, segments, message.charset, message.header_fields)


def _without_empty_orders(items: list[_Item], kept: list[_Item], only: frozenset[str] | None) -> list[_Item]:
    """Leave out orders none of whose observations stay; under ``only`` also those that never had any."""
    observed = {item.order for item in items if item.kind == b"OBX"}
    staying = {item.order for item in kept if item.kind == b"OBX"}
    empty = observed - staying - {0}
    if only is not None:
        named = {item.order for item in kept if item.kind == b"OBR" and item.named & only}
        empty = {item.order for item in items if item.kind == b"OBR"} - staying - named
    return [item for item in kept if item.order not in empty]


def _emptied(message: Message, obr: bytes) -> bytes:
    """Write an OBR that does not say what was asked for."""
    fields = message.fields(obr)
    for number in _PANEL_FIELDS:
        if number < len(fields):
            fields[number] = b""
    return bytes((message.separators.field,)).join(fields)


def _items(message: Message) -> Iterator[_Item]:
    orders = _Orders()
    current: _Item | None = None
    for index, segment in enumerate(message.segments):
        name = message.name(index)
        if current is not None and (name in _FOLLOWERS or name.startswith(b"Z")):
            current.segments.append(segment)
            continue
        if current is not None:
            yield current
        current = _Item(name, orders.of(name), [segment])
        numbers = _OWN.get(name) or _ORDERED.get(name)
        if numbers:
            current.codes = _codes(message, segment, numbers)
        if name in {b"OBX", b"OBR"}:
            current.named = _codes(message, segment, numbers[:1] if numbers else ())
        if name == b"OBX" and message.field(segment, 2) in _CODED_TYPES:
            current.codes |= _codes(message, segment, (5,))
    if current is not None:
        yield current


def _codes(message: Message, segment: bytes, numbers: tuple[int, ...]) -> frozenset[str]:
    found: set[str] = set()
    for number in numbers:
        value = message.field(segment, number)
        for repetition in message.repetitions(value) if value else ():
            parts = [
                message.text(p).reveal() for p in repetition.split(bytes((message.separators.component,)))
            ]
            parts += [""] * 12
            found.update(f"{parts[system]}|{parts[code]}" for code, system in _CWE_CODES if parts[code])
    return frozenset(found)
