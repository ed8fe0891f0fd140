"""Who is in whose care, out of what comes by: stays of patients, the ties of their subjects, what they are called.

Rules:
- Only a source that the inventory marks authoritative is believed, and only of a patient who is surely known.
- What is kept is kept in the message's own transaction, and so are its records (``vault.stays.take``).
- No time is later than its arrival: a sender's clock that goes ahead outlives nothing.
- Costs a message of a device some comparisons, and one hash where it names a bed (``care_beds``); ADT and FHIR Encounters are few.

Deliberately absent: in which order statements count (``vault/stays``), and what a relation permits.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from oathward.gateway import care_beds, care_deaths, care_fhir, care_hl7v2, care_moves, care_orders
from oathward.patients.model import FOLLOWED, EdgeKind
from oathward.vault import beds, care_rows, deaths, stays, stays_moved
from oathward.vault import care_orders as orders
from oathward.vault.care_rows import Tie

if TYPE_CHECKING:
    from oathward.gateway.arrival import Part
    from oathward.gateway.gate import Gate
    from oathward.inventory.model import Device

_TIES = FOLLOWED | {EdgeKind.UNDONE}


def note(gate: Gate, part: Part, message: Any, device: Device) -> None:
    """Note what one patient's part says about care."""
    edges = part.resolution.rows.edges
    if edges:
        ties = [Tie(e.id, e.child, e.parent, e.undoes) for e in edges if e.kind in _TIES]
        part.acts.append(partial(care_rows.tie, site=gate.site, ties=ties, stamps=gate.stamps))
    care_beds.note(gate, part, message, device)
    if not device.authoritative_adt or part.resolution.kind != "known" or part.resolution.refused is not None:
        return
    v2 = part.arrival.wire.name == "hl7v2"
    reader = care_hl7v2 if v2 else care_fhir
    _death(gate, part, care_deaths.told_hl7v2(message) if v2 else care_deaths.told_fhir(message))
    told = reader.told(message, device, gate.hasher, part, gate.named)
    keys: dict[str, Any] = {"site": gate.site, "stamps": gate.stamps, "room": gate.room}
    if told:
        part.tells.append(partial(stays.take, statements=told, **keys))
    if v2 and told and (lying := care_beds.moved(gate, message, told)):
        part.acts.append(partial(beds.take, site=gate.site, moves=lying))
    if v2:
        _moves(gate, device, message, part, keys)
    ordered = (care_orders.told_hl7v2 if v2 else care_orders.told_fhir)(message, device, gate.hasher, part)
    if ordered:
        part.acts.append(partial(orders.take, site=gate.site, orders=ordered))
    if told and not part.resolution.others:
        hashes = reader.named(message, device, gate.hasher, gate.named)
        subject = part.resolution.subject
        part.acts.append(
            partial(care_rows.name, site=gate.site, subject=subject, hashes=hashes, stamps=gate.stamps)
        )


def _death(gate: Gate, part: Part, dead: bool | None) -> None:  # noqa: FBT001  what was said, or nothing
    """Add what is said of the patient's death."""
    if dead is None or part.resolution.others:
        return
    told: dict[str, Any] = {"dead": dead, "at_us": part.arrival.at_us, "message": part.arrival.id}
    part.acts.append(partial(deaths.take, site=gate.site, subject=part.resolution.subject, **told))


def _moves(gate: Gate, device: Device, message: Any, part: Part, keys: dict[str, Any]) -> None:
    """Add what is said of visits and accounts that change hands, and of numbers that change."""
    moves = care_moves.moved(message, device, gate.hasher, part, gate.named)
    if moves:
        whose = partial(care_moves.whose, site=gate.site)
        part.tells.append(partial(stays_moved.move, moves=moves, whose=whose, **keys))
    hashes = care_moves.renamed(message, device, gate.hasher, gate.named)
    if hashes and not part.resolution.others:
        part.tells.append(
            partial(
                stays_moved.renamed,
                site=gate.site,
                subject=part.resolution.subject,
                hashes=hashes,
                stamps=gate.stamps,
            )
        )
