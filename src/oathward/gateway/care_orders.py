"""Who ordered something for a patient, or was asked to do it, out of order messages and ServiceRequests.

Rules:
- Only a source that the inventory marks authoritative is believed, and only of a patient who is surely known (``care``).
- An orderer is ORC-12 or OBR-16, ``authority|number`` of each repetition; without an authority it is of the source's own.
- A cancelled order (ORC-1 ``CA``, ``OC``, ``CR``) was an order: its orderer had a reason to look.

- Of a ServiceRequest it is the requester and each performer, by the identifier of the reference; a reference or a display
  text alone names nobody. One that was revoked was an order; a draft, a proposal, a plan and what was entered in error are none.

Deliberately absent: what was ordered, FHIR requests of other kinds, and who performs an HL7 v2 order.

Source: HL7 v2.8.2 §4.4 (messages), §4.5.1.12 (ORC-12), §4.5.3.16 (OBR-16), table 0003; FHIR R4 §12.9 (ServiceRequest),
value sets request-status and request-intent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oathward.gateway import care_fhir, care_hl7v2
from oathward.vault.care_orders import Order

if TYPE_CHECKING:
    from oathward.gateway.arrival import Part
    from oathward.inventory.model import Device
    from oathward.patients.identifiers import Hasher
    from oathward.protocols.fhir.message import Message as FhirMessage
    from oathward.protocols.hl7v2.reader import Message

CODES = frozenset(("ORM", "OMG", "OML", "OMI", "OMS", "OMN", "OMP", "OMD", "OPL", "OMB"))
"""Table 0076: messages that order."""

STATES = frozenset(("active", "on-hold", "revoked", "completed", "unknown"))
"""``ServiceRequest.status`` of what was an order once."""

INTENTS = frozenset(("order", "original-order", "reflex-order", "filler-order", "instance-order"))
"""``ServiceRequest.intent`` of what asks somebody to do it."""

SEGMENTS_MAX = 64
_ORC_ORDERER, _OBR_ORDERER = 12, 16


def told_hl7v2(message: Message, device: Device, hasher: Hasher, part: Part) -> list[Order]:
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


def told_fhir(message: FhirMessage, _device: Device, hasher: Hasher, part: Part) -> list[Order]:
    """List who ordered and who is to do it, each once; an identifier that names no system is nobody's."""
    if part.resolution.others:
        return []
    orders = [one for one in message.of_type("ServiceRequest")[:SEGMENTS_MAX] if _ordered(one)]
    people = [reference for one in orders for reference in (one.get("requester"), *_performers(one))]
    found = dict.fromkeys(care_hl7v2.staff(*care_fhir.identified(one, hasher)) for one in people)
    return [Order(part.resolution.subject, one, part.arrival.at_us, part.arrival.id) for one in found if one]


def _ordered(one: dict[str, Any]) -> bool:
    return one.get("status") in STATES and one.get("intent") in INTENTS


def _performers(one: dict[str, Any]) -> list[Any]:
    """List who is asked to do it; of what is not to be done, nobody."""
    listed = one.get("performer")
    if not isinstance(listed, list) or one.get("doNotPerform") is True:
        return []
    return listed[: care_hl7v2.ATTENDING_MAX]
