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

from functools import lru_cache
from typing import TYPE_CHECKING

from oathward.core.authorities import Authorities
from oathward.patients.identifiers import (
    PID_ACCOUNT,
    PID_ALTERNATE,
    PID_EXTERNAL,
    PID_LIST,
    PV1_VISIT,
    Hasher,
    Reading,
)
from oathward.patients.state import Recent
from oathward.protocols.hl7v2.escapes import Separators, unescape_bytes
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
_EVN_RECORDED, _EVN_OCCURRED = 2, 6
_PV1_CLASS, _PV1_PLACE, _PV1_ATTENDING, _PV1_DISCHARGED = 2, 3, 7, 45
_REMEMBERED_MAX = 4_096
_REMEMBERED_BYTES_MAX = 2_048
"""Of a place and its attendings; longer ones are read anew, or a sender would choose how much is held in memory."""
_NOT_THERE = frozenset((b"P", b"N"))
"""Table 0004: not admitted yet, not applicable."""
_NULL = b'""'


def told(message: Message, device: Device, hasher: Hasher, part: Part, known: Known) -> list[Said]:
    """List what a message says about stays of its patient, or of its two (A17)."""
    turn = EVENTS.get(message.trigger) if message.code == "ADT" else None
    if turn is None:
        return []
    pids, visits = message.named(b"PID"), message.named(b"PV1")
    subjects = (part.resolution.subject, *part.resolution.others)
    if not visits or not len(pids) == len(subjects) <= len(visits):
        return []
    clocks = clocks_of(message, part.arrival.at_us)
    found = []
    for subject, pid, pv1 in zip(subjects, pids, visits, strict=False):
        encounter, account, _ = identified(message, pid, pv1, device, hasher, known)
        one = _said(message, turn, pv1, device, hasher)
        if one is not None:
            turned, unit, attending = one
            arrival = part.arrival
            found.append(
                Said(
                    *(subject, encounter, turned, message.trigger, *clocks, arrival.at_us, arrival.id),
                    *(unit, attending, account),
                )
            )
    return found


def named(message: Message, device: Device, hasher: Hasher, known: Known) -> tuple[bytes, ...]:
    """Hash the patient's numbers that mean something beyond the device."""
    pids, visits = message.named(b"PID"), message.named(b"PV1")
    return identified(message, pids[0], visits[0], device, hasher, known)[2]


Known = Recent[bytes, tuple[bytes, bytes, tuple[bytes, ...]]]
"""Keyed hash of identifying fields as they stand -> encounter, account, and numbers of the patient, hashed."""


def identified(
    message: Message, pid: bytes, pv1: bytes, device: Device, hasher: Hasher, known: Known
) -> tuple[bytes, bytes, tuple[bytes, ...]]:
    """Read the encounter, the account and the patient's numbers, hashed; the same fields are read once.

    An encounter without a number of its own has the account's; empty where neither is named.
    """
    means = f"{device.id}\r{device.default_authority}\r{device.default_identifier_type}\r{message.charset}"
    fields = [message.field(pid, n) for n in (PID_EXTERNAL, PID_LIST, PID_ALTERNATE, PID_ACCOUNT)]
    written = b"\r".join((*fields, message.field(pv1, PV1_VISIT), repr(message.separators).encode()))
    key = hasher.seen(means, written)
    found = known.get(key)
    if found is None:
        reading = Reading(message, device, hasher)
        visits = reading.identifiers(message.field(pv1, PV1_VISIT), encounter="VN")
        accounts = reading.identifiers(fields[3], encounter="AN")
        account = hasher.identifier(accounts[0]) if accounts else b""
        wide = reading.spoken(message, pid, pv1).wide
        hashes = dict.fromkeys(hasher.identifier(one) for one in wide)
        found = hasher.identifier(visits[0]) if visits else account, account, tuple(hashes)
        known.put(key, found)
    return found


def _said(
    message: Message, turn: Turn, pv1: bytes, device: Device, hasher: Hasher
) -> tuple[Turn, str | None, tuple[str, ...] | None] | None:
    """Give what became of the stay, where, under whom; None where it is no stay."""
    gone = message.field(pv1, _PV1_DISCHARGED)
    if gone not in {b"", _NULL} and turn is not Turn.RETURN:
        turn = Turn.DISCHARGE
    if turn is Turn.TELL and message.field(pv1, _PV1_CLASS) in _NOT_THERE:
        return None
    form = message.separators, message.charset
    place, attending = message.field(pv1, _PV1_PLACE), message.field(pv1, _PV1_ATTENDING)
    short = len(place) + len(attending) <= _REMEMBERED_BYTES_MAX
    units, attendings = (_unit, attending_of) if short else (_unit.__wrapped__, attending_of.__wrapped__)
    return turn, units(place, form), attendings(attending, form, device.default_authority, hasher.authorities)


def clocks_of(message: Message, heard_us: int) -> tuple[int, int]:
    """Give when it was said and since when it is so; none later than it came."""
    events = message.named(b"EVN")
    evn = events[0] if events else b"EVN"
    said_us = time_us(message.field(evn, _EVN_RECORDED)) or time_us(message.header(7)) or heard_us
    at_us = time_us(message.field(evn, _EVN_OCCURRED)) or said_us
    return min(said_us, heard_us), min(at_us, heard_us)


_Form = tuple[Separators, str]
"""How a message is written: separators and codec."""


@lru_cache(maxsize=_REMEMBERED_MAX)
def _unit(field: bytes, form: _Form) -> str | None:
    if not field:
        return None
    if field == _NULL:
        return ""
    place = field.split(bytes((form[0].repetition,)))[0]
    return unit(part_of(place, 4, 1, form), part_of(place, 1, 1, form))


def unit(facility: str, point: str) -> str:
    """Write a unit as people's and shifts' are written; empty where no point of care is named."""
    return (f"{facility}|{point}" if facility else point) if point else ""


@lru_cache(maxsize=_REMEMBERED_MAX)
def attending_of(field: bytes, form: _Form, own: str, authorities: Authorities) -> tuple[str, ...] | None:
    """Read numbers of staff (XCN, repeating) as ``Person.staff_ids`` has them; None where nothing is said."""
    if not field:
        return None
    repetitions = field.split(bytes((form[0].repetition,)))[:ATTENDING_MAX]
    return tuple(sorted({found for one in repetitions if (found := _staff(one, form, own, authorities))}))


def _staff(xcn: bytes, form: _Form, own: str, authorities: Authorities) -> str:
    authority = authorities.named(*(part_of(xcn, 9, n, form) for n in (1, 2, 3))).authority
    return staff(authority or authorities.written(own), part_of(xcn, 1, 0, form))


def staff(authority: str, number: str) -> str:
    """Write somebody's number as ``Person.staff_ids`` has it; empty where either part is missing."""
    return f"{authority}|{number}" if authority and number else ""


def part_of(field: bytes, component: int, subcomponent: int, form: _Form) -> str:
    """Read a code; what could not be written on a line is none."""
    separators, codec = form
    parts = field.split(bytes((separators.component,)), component)
    found = parts[component - 1] if component <= len(parts) else b""
    if subcomponent:
        pieces = found.split(bytes((separators.subcomponent,)), subcomponent)
        found = pieces[subcomponent - 1] if subcomponent <= len(pieces) else b""
    text = unescape_bytes(found, separators).decode(codec, "replace").strip()
    return text if text.isprintable() and len(text) <= 200 and text != '""' else ""
