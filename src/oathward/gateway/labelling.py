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


def type_of(message: Message) -> str:
    """The message's type as links name it: ``ORU^R01``."""
    return _type(message.code, message.trigger)


@lru_cache(maxsize=1_024)
def _type(code: str, trigger: str) -> str:
    return f"{code}^{trigger}"


def seen(message: Message, table: LabelTable, device: Device) -> Read:
    """Read what the table's rules ask for; what none asks for stays empty, so that equal things stay equal.

    Gives the fields of ``Seen`` in order, as a tuple: most messages need no more than to be found again.
    """
    asked = _asked(table)
    if not asked:
        return _NOTHING
    codes = _codes(message) if "codes" in asked and _may_hold(message.raw, table) else _NO_CODES
    location = unit = ""
    if "location" in asked or "unit" in asked:
        pv1 = next((segment for segment in message.segments if segment[:3] == b"PV1"), b"")
        location, unit = _place(pv1, message.separators.field)
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
_INPUTS = ("codes", "location", "unit", "device_kind", "sender")


@lru_cache(maxsize=4_096)
def _place(pv1: bytes, separator: int) -> tuple[str, str]:
    """PV1-3 and PV1-10 of a segment; a patient lies in one bed for many messages."""
    fields = pv1.split(bytes((separator,)), 11)
    fields += [b""] * (11 - len(fields))
    return fields[3].decode("latin-1"), fields[10].decode("latin-1")


_asked_of: dict[int, tuple[LabelTable, frozenset[str]]] = {}


def _asked(table: LabelTable) -> frozenset[str]:
    found = _asked_of.get(id(table))
    if found is None or found[0] is not table:
        asked = frozenset(name for rule in table.rules for name in _INPUTS if getattr(rule, name))
        _asked_of.clear()
        found = _asked_of[id(table)] = table, asked
    return found[1]


def _may_hold(raw: bytes, table: LabelTable) -> bool:
    """Whether some rule's code can be in a message: most hold none, and reading every code costs more.

    A rule's word is looked for by its longest piece without ``*``; case does not count.
    """
    upper = raw.upper()
    return any(piece in upper for piece in _pieces_of(table))


_pieces: dict[int, tuple[LabelTable, tuple[bytes, ...]]] = {}


def _pieces_of(table: LabelTable) -> tuple[bytes, ...]:
    found = _pieces.get(id(table))
    if found is None or found[0] is not table:
        words = {code.rpartition("|")[2] for rule in table.rules for code in rule.codes}
        longest = {max(word.split("*"), key=len).upper() for word in words}
        _pieces.clear()
        found = _pieces[id(table)] = (
            table,
            tuple(sorted(piece.encode("latin-1", "replace") for piece in longest)),
        )
    return found[1]


def _codes(message: Message) -> frozenset[str]:
    separators = message.separators
    between = bytes((separators.field,))
    fields = []
    for segment in message.segments:
        number = _CODED.get(segment[:3])
        if number is not None:
            parts = segment.split(between, number + 1)
            if len(parts) > number:
                fields.append(parts[number])
    return _codes_of(tuple(fields), separators.component)


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
