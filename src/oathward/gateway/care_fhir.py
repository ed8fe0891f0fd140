"""Stays in FHIR: what an Encounter of an authoritative source says.

Rules:
- An Encounter says all of it each time: what it does not name is not so any more.
- A unit is the identifier of the one active location that is a ward, or of the only active location; an attending is a
  participant of type ATND, by identifier. A reference or a display text alone names nobody and nothing.
- Its account is the first number of ``Encounter.account``, as PID-18: moved with it (HL7 v2 A44), and its own number where it has
  neither a number nor a logical id.
- It was said when the resource was last updated, or when it came.

Source: FHIR R4 §8.11 (Encounter), v3 ParticipationType, LocationPhysicalType.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from oathward.core.clock import micros
from oathward.gateway.care_hl7v2 import ATTENDING_MAX, staff, unit
from oathward.patients.fhir import spoken_of, visit_of
from oathward.patients.identifiers import Hasher
from oathward.protocols.fhir.names import Identifier as Numbered
from oathward.protocols.fhir.names import names_of
from oathward.protocols.fhir.persons import persons
from oathward.vault.stays import Said, Turn

if TYPE_CHECKING:
    from oathward.gateway.arrival import Part
    from oathward.inventory.model import Device
    from oathward.protocols.fhir.message import Message

STATES: dict[str, Turn] = {
    "arrived": Turn.RETURN,
    "triaged": Turn.RETURN,
    "in-progress": Turn.RETURN,
    "onleave": Turn.RETURN,
    "finished": Turn.DISCHARGE,
    "cancelled": Turn.DISCHARGE,
    "entered-in-error": Turn.DISCHARGE,
}
"""``Encounter.status``; a planned one is no stay yet, and an unknown one says nothing."""

_WARD = "wa"


def told(message: Message, device: Device, hasher: Hasher, part: Part, _known: object) -> list[Said]:
    """List what the Encounters of a message say about stays of its patient."""
    heard_us = part.arrival.at_us
    found = []
    for one, numbers in _encounters(message):
        turn = STATES.get(str(one.get("status")))
        account = _account(numbers, device, hasher)
        encounter = _encounter(one, device, hasher) or account
        if turn is None or not encounter:
            continue
        said_us = min(_updated_us(one) or heard_us, heard_us)
        found.append(
            Said(
                *(part.resolution.subject, encounter, turn, "Encounter"),
                *(said_us, said_us, heard_us, part.arrival.id),
                unit=_unit(one, hasher),
                attending=_attending(one, hasher),
                account=account,
            )
        )
    return found


def named(message: Message, device: Device, hasher: Hasher, _known: object) -> tuple[bytes, ...]:
    """Hash the patient's numbers that mean something beyond the sender."""
    wide = [one for person in persons(message)[:1] for one in spoken_of(person, device, hasher).wide]
    return tuple(dict.fromkeys(hasher.identifier(one) for one in wide))


def _encounters(message: Message) -> Iterator[tuple[dict[str, Any], list[Numbered]]]:
    """Give each Encounter with the numbers of its accounts; of others nothing is looked for."""
    if not message.of_type("Encounter"):
        return
    names = names_of(message)
    for i, entry in enumerate(message.entries):
        if entry.type == "Encounter":
            yield entry.resource, names.accounts(i)


def _account(numbers: list[Numbered], device: Device, hasher: Hasher) -> bytes:
    for system, value, kind in numbers:
        found = visit_of(_word(system), _word(value), device, hasher, kind)
        if found is not None:
            return hasher.identifier(found)
    return b""


def _encounter(one: dict[str, Any], device: Device, hasher: Hasher) -> bytes:
    for identifier in _dicts(one.get("identifier")):
        found = visit_of(_word(identifier.get("system")), _word(identifier.get("value")), device, hasher)
        if found is not None:
            return hasher.identifier(found)
    logical = _word(one.get("id"))
    return hasher.seen(device.id, f"Encounter/{logical}".encode()) if logical else b""


def _updated_us(one: dict[str, Any]) -> int:
    meta = one.get("meta")
    text = _word(meta.get("lastUpdated")) if isinstance(meta, dict) else ""
    try:
        at = datetime.fromisoformat(text)
        return max(0, micros(at)) if at.tzinfo else 0
    except (ValueError, OverflowError):
        return 0


def _unit(one: dict[str, Any], hasher: Hasher) -> str:
    active = [
        place
        for place in _dicts(one.get("location"))
        if _word(place.get("status")) in {"", "active"} and not _ended(place.get("period"))
    ]
    wards = [place for place in active if _WARD in _codes([place.get("physicalType")])]
    chosen = wards or active
    if len(chosen) != 1:
        return ""
    authority, value = identified(chosen[0].get("location"), hasher)
    return unit(authority, value)


def _attending(one: dict[str, Any], hasher: Hasher) -> tuple[str, ...]:
    found = set()
    for participant in _dicts(one.get("participant"))[:ATTENDING_MAX]:
        kinds = participant.get("type")
        if "ATND" in _codes(kinds if isinstance(kinds, list) else []) and not _ended(
            participant.get("period")
        ):
            found.add(staff(*identified(participant.get("individual"), hasher)))
    return tuple(sorted(found - {""}))


def identified(reference: Any, hasher: Hasher) -> tuple[str, str]:
    """Read authority and value of a reference's identifier; empty where it says none."""
    identifier = reference.get("identifier") if isinstance(reference, dict) else None
    if not isinstance(identifier, dict):
        return "", ""
    system = _word(identifier.get("system"))
    return hasher.authorities.written_uri(system) if system else "", _word(identifier.get("value"))


def _codes(concepts: list[Any]) -> set[str]:
    return {
        _word(coding.get("code"))
        for concept in concepts
        if isinstance(concept, dict)
        for coding in _dicts(concept.get("coding"))
    }


def _ended(period: Any) -> bool:
    return isinstance(period, dict) and bool(period.get("end"))


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _word(value: Any) -> str:
    return value.strip() if isinstance(value, str) and value.isprintable() and len(value) <= 200 else ""
