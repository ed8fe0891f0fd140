"""The values of an HL7 v2 message, one by one, each with its place: what a mapping can keep or lose.

Rules:
- A place is ``PID[1]-3[2].4.1``: segment and its number, field, repetition, component, sub-component. Endings that
  say nothing are left out: ``PID[1]-8`` is its first repetition, component and sub-component.
- An OBX that only names a level of a device is ``OBX:device``, a note is named by what it stands under
  (``NTE:order``, ``NTE:patient``, ``NTE:device``; ``NTE`` under an observation). They are numbered as one kind.
- HL7's explicit null, and what is empty, is no value.

Deliberately absent: any judgement which values matter.
"""

from __future__ import annotations

from collections import Counter

from oathward.protocols.hl7v2.reader import Message
from oathward.protocols.v2fhir.codes import concept
from oathward.protocols.v2fhir.devices import place_of
from oathward.protocols.v2fhir.reading import NULL, Reading
from oathward.protocols.v2fhir.values import LINES

OBX_5 = 5

_STARTS = frozenset(("PID", "PD1", "NK1", "MRG", "PV1", "PV2"))
_OWNERS = {"OBR": "order", "OBX": "", "OBX:device": "device"}


def place(
    segment: str, occurrence: int, field: int, repetition: int = 1, component: str = "", sub: int = 1
) -> str:
    """Write a place without the endings that say nothing."""
    tail = component if sub == 1 else f"{component or '1'}.{sub}"
    while tail.endswith(".1") or tail == "1":
        tail = tail[: -len(".1")] if tail != "1" else ""
    again = f"[{repetition}]" if repetition > 1 else ""
    return f"{segment}[{occurrence}]-{field}{again}{f'.{tail}' if tail else ''}"


def of_message(message: Message, outgoing_id: str = "") -> dict[str, str]:
    """List every value of a message with its place."""
    r = Reading(message, outgoing_id)
    found: dict[str, str] = {}
    counts: Counter[str] = Counter()
    owner = "PID"
    for segment in message.segments:
        fields = message.fields(segment)
        role = role_of(fields, owner, r)
        counts[role] += 1
        owner = role if role in _OWNERS or role in _STARTS else owner
        opaque = {1, 2} if fields[0] == b"MSH" else set()
        words = _text_fields(fields)
        for n, raw in enumerate(fields[1:], 1):
            if raw and n in words:
                _words(found, role, counts[role], n, raw, r)
            elif raw and n not in opaque:
                _field(found, role, counts[role], n, raw, r)
    return found


def _text_fields(fields: list[bytes]) -> set[int]:
    """Say which fields are text, in which separators of parts mean nothing."""
    if fields[0] == b"NTE":
        return {3}
    return {5} if fields[0] == b"OBX" and len(fields) > OBX_5 and fields[2] in LINES else set()


def _words(found: dict[str, str], role: str, occurrence: int, n: int, raw: bytes, r: Reading) -> None:
    for repetition, piece in enumerate(raw.split(r.repetition), 1):
        if (text := r.text(piece)).strip():
            found[place(role, occurrence, n, repetition)] = text


def role_of(fields: list[bytes], owner: str, r: Reading) -> str:
    """Name a segment as the mapping sees it; ``owner``: the role of the last segment notes may stand under."""
    name = fields[0].decode("ascii", "replace")
    if name == "NTE":
        under = _OWNERS.get(owner, "patient")
        return f"NTE:{under}" if under else "NTE"
    if name == "OBX":
        filled = [*fields, *([b""] * 6)]
        at = place_of(filled[4], concept(filled[3], r)) if filled[3] else None
        if at and at[3:] == (b"0",) and not filled[2] and filled[5] in {b"", NULL}:
            return "OBX:device"
    return name


def _field(found: dict[str, str], role: str, occurrence: int, n: int, raw: bytes, r: Reading) -> None:
    for repetition, piece in enumerate(raw.split(r.repetition), 1):
        for component, part in enumerate(piece.split(r.component), 1):
            for sub, value in enumerate(part.split(r.sub), 1):
                text = r.text(value)
                if text.strip():
                    found[place(role, occurrence, n, repetition, str(component), sub)] = text
