"""HL7 v2 over MLLP: applications, equipment and its UDI, and which classes of data stood there in clear.

Rules:
- A frame is found again behind anything: what lies between frames is stepped over.
- The sender of a message is the side that sent it; an acknowledgement tells the other.
- Equipment of OBX-18 and PRT-10 is the sender itself where MSH-3 names the same EUI-64; else it speaks through the sender.
- A frame larger than ``FRAME_BYTES_MAX``, or of which bytes are missing, is counted and gone.

Source: HL7 v2.8.2 §2.14.9 (MSH), §7.4.2 (OBX), §7.4.4 (PRT); IHE PCD TF-2 App. B.8 (OBX-18 as EUI-64); MLLP release 1.
"""

from __future__ import annotations

import re

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason
from oathward.discovery.model import Fact, Mark, MarkKind
from oathward.discovery.packets.clear import outline, outlined
from oathward.discovery.packets.conversation import Conversation, Half
from oathward.discovery.packets.head import Head
from oathward.discovery.packets.notes import HELD_BYTES_MAX, folded, text
from oathward.discovery.udi import is_whole
from oathward.protocols.hl7v2.escapes import USUAL
from oathward.protocols.hl7v2.reader import Message, decode

FRAME_BYTES_MAX = 1_048_576
EQUIPMENT_MAX = 64
"""Devices of one message; of more, the first."""

_EUI64 = re.compile(r"[0-9A-Fa-f]{16}").fullmatch

_Named = dict[tuple[Mark, ...], tuple[Fact, ...]]


class _Side:
    __slots__ = ("buffer", "inside")

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.inside = False


class Messages:
    """Reads both sides of a flow of MLLP."""

    def __init__(self, flow: Conversation) -> None:
        self._flow = flow
        self._sides = (_Side(), _Side())
        self._told = False

    def take(self, half: Half, data: bytes, us: int) -> None:
        """Take the next bytes of one side."""
        side = self._sides[half is self._flow.server]
        if (
            not side.buffer
            and not side.inside
            and data[:1] == b"\x0b"
            and data[-2:] == b"\x1c\r"
            and data.find(b"\x0b", 1) < 0
        ):
            self._message(half, data[1:-2], us)  # one whole frame: nearly always
            return
        at = 0
        while at < len(data):
            if not side.inside:
                begin = data.find(b"\x0b", at)
                if begin < 0:
                    return
                side.inside, at = True, begin + 1
            stop = data.find(b"\x1c", at)
            if not self._keep(side, data[at : len(data) if stop < 0 else stop]):
                return
            if stop < 0:
                return
            frame = bytes(side.buffer)
            self._drop(side)
            self._message(half, frame, us)
            at = stop + 1

    def lost(self, half: Half) -> None:
        """Drop what has begun: the next frame is whole again."""
        side = self._sides[half is self._flow.server]
        if side.inside:
            self._flow.notes.refuse(Reason.OBSERVED_CUT, "hl7")
        self._drop(side)

    def close(self) -> None:
        """Give back what is kept."""
        for side in self._sides:
            self._drop(side)

    def _keep(self, side: _Side, data: bytes) -> bool:
        notes = self._flow.notes
        if len(side.buffer) + len(data) > FRAME_BYTES_MAX or notes.held_bytes + len(data) > HELD_BYTES_MAX:
            notes.refuse(Reason.OBSERVED_SIZE, "hl7")
            self._drop(side)
            return False
        side.buffer += data
        notes.held_bytes += len(data)
        return True

    def _drop(self, side: _Side) -> None:
        self._flow.notes.held_bytes -= len(side.buffer)
        side.buffer.clear()
        side.inside = False

    def _message(self, half: Half, frame: bytes, us: int) -> None:
        flow = self._flow
        known, key = outline(frame)
        message = None
        if known is None:
            try:
                message = decode(frame)
            except DecodeError as error:
                flow.notes.refuse(error.reason, "hl7")
                return
            known = outlined(message, frame, key)
        flow.clear("hl7", known.counts)
        if not self._told:
            self._told = True
            flow.served_by(half if known.answers else half.other)
        if known.told is None or flow.notes.is_new(us, (half.raw, half.other.raw, known.told(frame))):
            message = message or decode(frame)
            _sender(half, message, us)
            if known.equipment:
                _equipment(half, message, us)


def _sender(half: Half, message: Message, us: int) -> None:
    """Say which applications speak: who sent it, and whom it was sent to."""
    fields = message.header_fields
    own, other = _application(message, fields[2], fields[3]), _application(message, fields[4], fields[5])
    facts = [Fact("hl7-version", text(message.header(12)), 0.8), Fact("hl7-profile", _profile(message), 0.8)]
    notes = half.flow.notes
    notes.say(
        us, "hl7", [half.mark(), Mark(MarkKind.APPLICATION, own)] if own else [], facts, half.flow.segment
    )
    if other:
        notes.say(us, "hl7", [half.other.mark(), Mark(MarkKind.APPLICATION, other)], (), half.flow.segment)


def _application(message: Message, name: bytes, facility: bytes) -> str:
    """Give ``MSH-3|MSH-4``, the name of each; empty where there is no application."""
    known = _text(message, message.part(name, 1)) or _text(message, message.part(name, 2))
    return f"{known}|{_text(message, message.part(facility, 1))}" if known else ""


def _profile(message: Message) -> str:
    return _text(message, message.part(message.header(21), 1))


def _text(message: Message, value: bytes) -> str:
    if message.separators is USUAL and b"\\" not in value and value.isascii():
        return text(value)
    return text(message.text(value).reveal())


def _equipment(half: Half, message: Message, us: int) -> None:
    """Say which devices a message speaks of: identifiers of OBX-18, devices and UDIs of PRT, UDIs in OBX-5."""
    named: _Named = {}
    for segment in message.segments:
        if len(named) < EQUIPMENT_MAX and segment[:3] in (b"OBX", b"PRT"):
            (_observation if segment[:3] == b"OBX" else _participation)(message, segment, named)
    own = _own(message)
    notes, where = half.flow.notes, half.flow.segment
    for marks, facts in named.items():
        if any(mark.kind is MarkKind.EUI64 and mark.value == own for mark in marks):
            notes.say(us, "hl7", (half.mark(), *marks), facts, where)
        else:
            notes.say(us, "hl7", marks, facts, where, behind=(half.mark(),))


def _observation(message: Message, segment: bytes, named: _Named) -> None:
    fields = message.fields(segment)
    if len(fields) > 18 and fields[18]:
        for one in message.repetitions(fields[18]):
            _entity(message, one, named)
    if len(fields) > 5 and b"UDI" in fields[3].upper():
        _udi(message, fields[5], named)


def _participation(message: Message, segment: bytes, named: _Named) -> None:
    fields = message.fields(segment)
    if len(fields) > 10:
        for one in message.repetitions(fields[10]):
            _entity(message, one, named)
        _parts(message, fields, named)


def _own(message: Message) -> str:
    """Give the EUI-64 that MSH-3 names; empty where it names none."""
    return _eui64(_text(message, message.part(message.header(3), 2)))


def _eui64(value: str) -> str:
    bare = value.replace("-", "").replace(":", "")
    return bare.lower() if _EUI64(bare) else ""


def _entity(message: Message, field: bytes, named: _Named) -> None:
    """Read an EI: an EUI-64, a UDI, or the number that its namespace gave."""
    parts = (*field.split(bytes((message.separators.component,)), 4), b"", b"", b"")
    entity, space, universal, kind = (_text(message, part) for part in parts[:4])
    eui64 = (_eui64(universal) or _eui64(entity)) if kind.upper() in ("EUI-64", "EUI64", "") else ""
    if eui64:
        named[Mark(MarkKind.EUI64, eui64),] = ()
    elif is_whole(entity):
        named[Mark(MarkKind.UDI, entity),] = (Fact("udi", entity, 0.7),)
    elif entity and (space or universal) and "UDI" not in (space.upper(), kind.upper()):
        named[Mark(MarkKind.SERIAL, f"{folded(space or universal)}|{folded(entity)}"),] = (
            Fact("serial", entity, 0.5),
        )


def _udi(message: Message, field: bytes, named: _Named) -> None:
    """Read OBX-5 of an observation that is a UDI: by what stands there, for names of reports have these letters too."""
    value = _text(message, message.part(message.repetitions(field)[0], 1))
    if is_whole(value):
        named[Mark(MarkKind.UDI, value),] = (Fact("udi", value, 0.7),)


def _parts(message: Message, fields: list[bytes], named: _Named) -> None:
    """Read a UDI that PRT-16 to PRT-20 give in parts: device identifier, lot, serial number."""
    padded = [*fields, *(b"",) * 21]
    udi = _text(message, message.part(padded[16], 1))
    serial, lot = (_text(message, message.part(padded[n], 1)) for n in (20, 19))
    if udi:
        unit = f"(21){serial}" if serial else f"(10){lot}" if lot else ""
        whole = udi if is_whole(udi) and not udi.isdigit() else f"(01){udi}{unit}"
        facts = [Fact("udi", whole, 0.7), *([Fact("serial", serial, 0.7)] if serial else [])]
        if is_whole(whole):
            named[Mark(MarkKind.UDI, whole),] = tuple(facts)


def _knows(data: bytes, _source: int, _target: int) -> bool:
    return data.startswith((b"\x0bMSH", b"\x0b\rMSH", b"\x0bFHS", b"\x0bBHS"))


HEAD = Head(service="hl7", over="tcp", knows=_knows, open=Messages, order=10)
