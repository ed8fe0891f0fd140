"""Who ordered something for a patient, out of order messages.

Rules:
- Only a source that the inventory marks authoritative is believed, and only of a patient who is surely known (``care``).
- An orderer is ORC-12 or OBR-16, ``authority|number`` of each repetition; without an authority it is of the source's own.
- A cancelled order (ORC-1 ``CA``, ``OC``, ``CR``) was an order: its orderer had a reason to look.

Deliberately absent: what was ordered, and FHIR ServiceRequest (the door takes none).

Source: HL7 v2.8.2 §4.4 (messages), §4.5.1.12 (ORC-12), §4.5.3.16 (OBR-16), table 0003.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.gateway import care_hl7v2
from oathward.vault.care_orders import Order

if TYPE_CHECKING:
    from oathward.gateway.arrival import Part
    from oathward.inventory.model import Device
    from oathward.patients.identifiers import Hasher
    from oathward.protocols.hl7v2.reader import Message

CODES = frozenset(("ORM", "OMG", "OML", "OMI", "OMS", "OMN", "OMP", "OMD", "OPL", "OMB"))
"""Table 0076: messages that order."""

SEGMENTS_MAX = 64
_ORC_ORDERER, _OBR_ORDERER = 12, 16


def told(message: Message, device: Device, hasher: Hasher, part: Part) -> list[Order]:
    """List who ordered, each once; nothing where it is no order of one patient."""
    if message.code not in CODES or part.resolution.others:
        return []
    form = message.separators, message.charset
    fields = [message.field(one, _ORC_ORDERER) for one in message.named(b"ORC")[:SEGMENTS_MAX]]
    fields += [message.field(one, _OBR_ORDERER) for one in message.named(b"OBR")[:SEGMENTS_MAX]]
    read = care_hl7v2.attending_of.__wrapped__  # orders are few: nothing of theirs is remembered
    found = dict.fromkeys(
        one
        for field in dict.fromkeys(fields)
        for one in read(field, form, device.default_authority, hasher.authorities) or ()
    )
    return [Order(part.resolution.subject, one, part.arrival.at_us, part.arrival.id) for one in found]
