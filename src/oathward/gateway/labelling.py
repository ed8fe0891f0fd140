"""Collect what labelling may read of a message (step 6): codes, place, sender; only what some rule asks for.

Source: HL7 v2.8.2 fields that carry clinical codes: OBX-3, OBR-4, DG1-3, AL1-3, PR1-3, RXA-5, RXE-2; PV1-3, PV1-10.
"""

from __future__ import annotations

from functools import lru_cache

from oathward.inventory.model import Device
from oathward.policy.labels import LabelTable
from oathward.protocols.hl7v2.reader import Message

_CODED = {b"OBX": 3, b"OBR": 4, b"DG1": 3, b"AL1": 3, b"PR1": 3, b"RXA": 5, b"RXE": 2}
_CODE_FIELDS_CACHED_MAX = 8_192
_CODE_FIELDS_BYTES_MAX = 4_096
"""Of a message; more are read each time."""
_REMEMBERED_MAX = 4_096
_BEGINNINGS_BYTES_MAX = 16_384


def type_of(message: Message) -> str:
    """The message's type as links name it: ``ORU^R01``."""
    return _type(message.code, message.trigger)


@lru_cache(maxsize=1_024)
def _type(code: str, trigger: str) -> str:
    return f"{code}^{trigger}"


def own(message: Message) -> frozenset[str]:
    """Give the confidentiality that a message bears itself: MSH-26, HL7 table 0952, since v2.9."""
    field = message.header(26)
    if not field:
        return _NO_CODES
    parts = (message.part(one, 1) for one in message.repetitions(field))
    return frozenset(part.decode("latin-1") for part in parts)


def seen(message: Message, table: LabelTable, device: Device) -> Read:
    """Read what the table's rules ask for; what none asks for stays empty, so that equal things stay equal.

    Gives the fields of ``Seen`` in order, as a tuple: most messages need no more than to be found again.
    """
    asked = table.asked
    if not asked:
        return _NOTHING
    codes = table.asked_for(_codes(message, device.id)) if "codes" in asked else _NO_CODES
    location = unit = ""
    if "location" in asked or "unit" in asked:
        pv1 = next((segment for segment in message.segments if segment[:3] == b"PV1"), b"")
        short = len(pv1) <= _CODE_FIELDS_BYTES_MAX
        location, unit = (_place if short else _place.__wrapped__)(pv1, message.separators.field)
    return (
        codes,
        location if "location" in asked else "",
        unit if "unit" in asked else "",
        device.kind if "device_kind" in asked else "",
        message.sender[0].decode("latin-1") if "sender" in asked else "",
    )


Read = tuple[frozenset[str], str, str, str, str]
_NO_CODES = frozenset[str]()
_NOTHING: Read = (_NO_CODES, "", "", "", "")


@lru_cache(maxsize=4_096)
def _place(pv1: bytes, separator: int) -> tuple[str, str]:
    """PV1-3 and PV1-10 of a segment; a patient lies in one bed for many messages."""
    fields = pv1.split(bytes((separator,)), 11)
    fields += [b""] * (11 - len(fields))
    return fields[3].decode("latin-1"), fields[10].decode("latin-1")


_Seen = tuple[tuple[bytes, ...], frozenset[str]]
"""The beginnings of a message's segments, coded fields included, and the codes in them."""

_remembered: dict[tuple[str, int, int], _Seen] = {}


def _codes(message: Message, device: str) -> frozenset[str]:
    """Read the codes of a message; a device sends the same list of them with other values again and again."""
    segments, separators = message.segments, message.separators
    key = (device, len(segments), separators.component)
    known = _remembered.get(key)
    if known is not None and all(map(bytes.startswith, segments, known[0])):
        return known[1]
    between = bytes((separators.field,))
    fields: list[bytes] = []
    beginnings: list[bytes] = []
    for segment in segments:
        number = _CODED.get(segment[:3])
        parts = segment.split(between, number + 1) if number is not None else []
        if number is not None and len(parts) > number:
            fields.append(parts[number])
        # A beginning ends behind a separator, so that nothing can follow what it says.
        beginnings.append(segment[: -len(parts[-1]) or None] if len(parts) > (number or 1) + 1 else b"")
        if not beginnings[-1] and number is None and segment[3:4] == between:
            beginnings[-1] = segment[:4]
    few = sum(map(len, fields)) <= _CODE_FIELDS_BYTES_MAX
    found = (_codes_of if few else _codes_of.__wrapped__)(tuple(fields), separators.component)
    if all(beginnings) and sum(map(len, beginnings)) <= _BEGINNINGS_BYTES_MAX:
        if len(_remembered) >= _REMEMBERED_MAX:
            _remembered.clear()
        _remembered[key] = tuple(beginnings), found
    return found


@lru_cache(maxsize=_CODE_FIELDS_CACHED_MAX)
def _codes_of(fields: tuple[bytes, ...], component: int) -> frozenset[str]:
    """``system|code`` of coded fields and of their alternates; a device sends the same list again and again."""
    found: set[str] = set()
    for field in fields:
        parts = [p.decode("latin-1") for p in field.split(bytes((component,)))] + [""] * 6
        found.update(
            f"{system}|{code}" for code, system in ((parts[0], parts[2]), (parts[3], parts[5])) if code
        )
    return frozenset(found)
