"""A device says that somebody lies in a bed, and ADT says that another one does: suspected, for a person to look at.

Rules:
- A bed is PV1-3.4, .1, .2 and .3 of the first repetition; one that names no bed (PV1-3.3) is none.
- Where ADT knows of nobody in that bed nothing is suspected, nor where it knows of this patient there, alone or beside others.
- A transfer takes minutes: who lay there until ``GRACE_US`` ago lies there still, and who came since is not missed yet. A bed that
  was swapped (A17) is two such moves. A newborn lies where the mother does, and the other way round.
- The message goes its way. A finding says ``suspected``: a disclosure it is once a person confirms it (``disclosures``).
- Of one device, patient and bed it is looked up once in ``LOOK_US``, and told once in ``TELL_US``.

Deliberately absent: devices that name no patient or no bed, locations of the inventory (a ward), and FHIR, whose
observations name no bed.

Source: HL7 v2.8.2 §3.3.2, §3.3.17, §3.4.3.3 (PV1-3), §2A.3.60 (PL).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from oathward.gateway import care_hl7v2
from oathward.ledger import Leaf, Record, prepare
from oathward.patients import views as patients
from oathward.vault import beds, care
from oathward.vault.beds import Moved
from oathward.vault.stays import Said, Turn

if TYPE_CHECKING:
    from oathward.gateway.arrival import Part
    from oathward.gateway.gate import Gate
    from oathward.inventory.model import Device
    from oathward.protocols.hl7v2.reader import Message

FINDING = "device.wrong-patient-suspected"
GRACE_US = 15 * 60_000_000
LOOK_US = 60_000_000
TELL_US = 3_600_000_000

_PLACE = 3
_FACILITY, _POINT, _ROOM, _BED = 4, 1, 2, 3
_PLACES = frozenset((Turn.ADMIT, Turn.MOVE, Turn.MOVE_BACK))
_BEDS = "bed"


def moved(gate: Gate, message: Message, told: list[Said]) -> list[Moved]:
    """Say where an authoritative source's ADT says that its patients lie now."""
    found = []
    for said, pv1 in zip(told, message.named(b"PV1"), strict=False):
        bed = b"" if said.turn is Turn.DISCHARGE else bed_of(gate, message, pv1)
        if bed or said.turn in _PLACES or said.turn is Turn.DISCHARGE:
            found.append(Moved(said.subject, bed, said.said_us, said.at_us))
    return found


def note(gate: Gate, part: Part, message: Any, device: Device) -> None:
    """Note that a device names a bed and a patient, where it is time to look."""
    resolution = part.resolution
    if part.arrival.wire.name != "hl7v2" or device.authoritative_adt:
        return
    if resolution.kind != "known" or resolution.refused is not None or resolution.others:
        return
    # A message of one patient has one; it stands near the beginning, and most of what follows are readings.
    visit = next((one for one in message.segments if one.startswith(b"PV1")), b"")
    field = message.field(visit, _PLACE) if visit else b""
    if field.count(bytes((message.separators.component,))) < _BED - 1:
        return
    key = gate.hasher.seen(f"{device.id}\r{resolution.subject}", field)
    at_us = part.arrival.at_us
    if at_us < (gate.beds.get(key) or 0):
        return
    gate.beds.put(key, at_us + LOOK_US)
    bed = bed_of(gate, message, visit)
    if not bed:
        return
    part.tells.append(partial(_look, gate=gate, part=part, device=device.id, bed=bed, key=key))


def bed_of(gate: Gate, message: Message, pv1: bytes) -> bytes:
    """Hash the bed of PV1-3; empty where none is named."""
    field = message.field(pv1, _PLACE).split(bytes((message.separators.repetition,)))[0]
    form = message.separators, message.charset
    facility, point, room, bed = (
        care_hl7v2.part_of(field, n, 1, form) for n in (_FACILITY, _POINT, _ROOM, _BED)
    )
    return gate.hasher.seen(_BEDS, f"{facility}\r{point}\r{room}\r{bed}".encode()) if bed else b""


def _look(db: Connection, *, gate: Gate, part: Part, device: str, bed: bytes, key: bytes) -> list[Leaf]:
    """Compare with who lies there, inside the message's transaction; gives the finding."""
    at_us, subject = part.arrival.at_us, part.resolution.subject
    rows = beds.in_bed(db, gate.site, bed)
    here = [one for one in rows if one.until_us is None]
    if not here:
        return []
    mine = care.tied(db, gate.site, subject, gate.stamps)
    lately = [one for one in rows if one.until_us is None or one.until_us > at_us - GRACE_US]
    if any(one.subject in mine for one in lately):
        return []
    settled = [one for one in here if one.since_us <= at_us - GRACE_US]
    if not settled or len(settled) < len(here) or _kin(db, gate.site, mine, {one.subject for one in here}):
        return []
    gate.beds.put(key, at_us + TELL_US)
    other = settled[-1]
    body = {"device": device, "finding": FINDING, "other": other.subject, "since": other.since_us}
    return [prepare(Record("finding.raised", body, at_us, subject, (), part.arrival.id))]


def _kin(db: Connection, site: str, mine: frozenset[str], here: set[str]) -> bool:
    """Say whether one of them is the other's newborn."""
    edges = [edge for one in sorted(mine) for edge in patients.edges(db, site, subject=one, kind="child-of")]
    return any(edge.state != "undone" and here & {edge.child, edge.parent} for edge in edges)
