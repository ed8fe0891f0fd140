"""Stays in HL7 v2: which ADT events speak of them, and what EVN and PV1 say.

Rules:
- A unit is PV1-3.4 and PV1-3.1 (``facility|point of care``); an attending is PV1-7, ``authority|number`` of each
  repetition; one that names no authority is of the source's own, or of nobody.
- An empty field says nothing, HL7's null says that there is none.
- An event that is not here says nothing about where anybody is; what carries a discharge time (PV1-45) is a discharge,
  but for the one that takes it back.

Source: HL7 v2.8.2 §3.3 (events), §3.4.1 (EVN), §3.4.3 (PV1), §2A.3.60 (PL), §2A.3.88 (XCN), table 0004.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.patients.identifiers import Hasher, Identifier, Reading
from oathward.protocols.hl7v2.times import time_us
from oathward.vault.stays import Said, Turn

if TYPE_CHECKING:
    from oathward.gateway.arrival import Part
    from oathward.inventory.model import Device
    from oathward.protocols.hl7v2.reader import Message

EVENTS: dict[str, Turn] = {
    "A01": Turn.ADMIT,  # §3.3.1 admit
    "A02": Turn.MOVE,  # §3.3.2 transfer
    "A03": Turn.DISCHARGE,  # §3.3.3 discharge
    "A04": Turn.ADMIT,  # §3.3.4 register
    "A06": Turn.CLASS,  # §3.3.6 outpatient to inpatient
    "A07": Turn.CLASS,  # §3.3.7 inpatient to outpatient
    "A08": Turn.TELL,  # §3.3.8 update
    "A10": Turn.TELL,  # §3.3.10 patient arriving
    "A11": Turn.DISCHARGE,  # §3.3.11 cancel admit
    "A12": Turn.MOVE_BACK,  # §3.3.12 cancel transfer: PV1-3 is where the patient was before
    "A13": Turn.RETURN,  # §3.3.13 cancel discharge
    "A17": Turn.MOVE,  # §3.3.17 swap patients' beds
    "A23": Turn.DISCHARGE,  # §3.3.23 delete a patient record: this visit
    "A54": Turn.TELL,  # §3.3.54 change attending doctor
    "A55": Turn.TELL,  # §3.3.55 cancel change of attending doctor
}

ATTENDING_MAX = 16
_PID_ACCOUNT = 18
_EVN_RECORDED, _EVN_OCCURRED = 2, 6
_PV1_CLASS, _PV1_PLACE, _PV1_ATTENDING, _PV1_VISIT, _PV1_DISCHARGED = 2, 3, 7, 19, 45
_NOT_THERE = frozenset((b"P", b"N"))
"""Table 0004: not admitted yet, not applicable."""
_NULL = b'""'


def told(message: Message, device: Device, hasher: Hasher, part: Part) -> list[Said]:
    """List what a message says about stays of its patient, or of its two (A17)."""
    turn = EVENTS.get(message.trigger) if message.code == "ADT" else None
    if turn is None:
        return []
    pids, visits = message.named(b"PID"), message.named(b"PV1")
    subjects = (part.resolution.subject, *part.resolution.others)
    if not visits or not len(pids) == len(subjects) <= len(visits):
        return []
    reading = Reading(message, device, hasher)
    clocks = _clocks(message, part.arrival.at_us)
    found = [
        _said(message, turn, subject, (pid, pv1), (device, hasher, reading), (*clocks, part))
        for subject, pid, pv1 in zip(subjects, pids, visits, strict=False)
    ]
    return [one for one in found if one is not None]


def named(message: Message, device: Device, hasher: Hasher) -> list[Identifier]:
    """List the patient's numbers that mean something beyond the device."""
    pids, visits = message.named(b"PID"), message.named(b"PV1")
    spoken = Reading(message, device, hasher).spoken(message, pids[0], visits[0] if visits else None)
    return list(spoken.wide)


def _said(
    message: Message,
    turn: Turn,
    subject: str,
    segments: tuple[bytes, bytes],
    means: tuple[Device, Hasher, Reading],
    when: tuple[int, int, Part],
) -> Said | None:
    (pid, pv1), (device, hasher, reading), (said_us, at_us, part) = segments, means, when
    gone = message.field(pv1, _PV1_DISCHARGED)
    if gone not in {b"", _NULL} and turn is not Turn.RETURN:
        turn = Turn.DISCHARGE
    if turn is Turn.TELL and message.field(pv1, _PV1_CLASS) in _NOT_THERE:
        return None
    visits = reading.identifiers(message.field(pv1, _PV1_VISIT), encounter="VN")
    visits = visits or reading.identifiers(message.field(pid, _PID_ACCOUNT), encounter="AN")
    return Said(
        *(subject, hasher.identifier(visits[0]) if visits else b"", turn, message.trigger),
        *(said_us, at_us, part.arrival.at_us, part.arrival.id),
        unit=_unit(message, message.field(pv1, _PV1_PLACE)),
        attending=_attending(message, message.field(pv1, _PV1_ATTENDING), device, hasher),
    )


def _clocks(message: Message, heard_us: int) -> tuple[int, int]:
    """Give when it was said and since when it is so; none later than it came."""
    events = message.named(b"EVN")
    evn = events[0] if events else b"EVN"
    said_us = time_us(message.field(evn, _EVN_RECORDED)) or time_us(message.header(7)) or heard_us
    at_us = time_us(message.field(evn, _EVN_OCCURRED)) or said_us
    return min(said_us, heard_us), min(at_us, heard_us)


def _unit(message: Message, field: bytes) -> str | None:
    if not field:
        return None
    if field == _NULL:
        return ""
    place = message.repetitions(field)[0]
    point, facility = (_text(message, message.part(place, n, 1)) for n in (1, 4))
    return unit(facility, point)


def unit(facility: str, point: str) -> str:
    """Write a unit as people's and shifts' are written; empty where no point of care is named."""
    return (f"{facility}|{point}" if facility else point) if point else ""


def _attending(message: Message, field: bytes, device: Device, hasher: Hasher) -> tuple[str, ...] | None:
    if not field:
        return None
    found = [_staff(message, one, device, hasher) for one in message.repetitions(field)[:ATTENDING_MAX]]
    return tuple(sorted({one for one in found if one}))


def _staff(message: Message, xcn: bytes, device: Device, hasher: Hasher) -> str:
    number = _text(message, message.part(xcn, 1))
    hd = [_text(message, message.part(xcn, 9, n)) for n in (1, 2, 3)]
    authority = hasher.authorities.named(*hd).authority
    return staff(authority or hasher.authorities.written(device.default_authority), number)


def staff(authority: str, number: str) -> str:
    """Write somebody's number as ``Person.staff_ids`` has it; empty where either part is missing."""
    return f"{authority}|{number}" if authority and number and number != '""' else ""


def _text(message: Message, value: bytes) -> str:
    """Read a code; what could not be written on a line is none."""
    text = message.text(value).reveal().strip()
    return text if text.isprintable() and len(text) <= 200 and text != '""' else ""
