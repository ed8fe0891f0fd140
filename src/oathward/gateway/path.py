"""One message, one function: from bytes to what must become durable together (DESIGN §3).

Steps, each a named function of a library below; all branching is here:
 3 identify the device    4 decode     5 resolve the patient     6 label
 7 decide per link        8 shape      9 guard                  10 seal
The committer does 11 (one group commit), the listener 12 (reply), the courier 13 (deliver).

Rules:
- Any failure of a message puts its sealed original in quarantine with a record; nothing of it leaves.
- A failure that belongs to one link holds the message for that link; the others are served.
- ``handle`` is the only place on the data path that catches everything.

Deliberately absent: I/O other than a cached look-up, and every rule: rules live in the libraries.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, assert_never

from oathward.core.errors import OathwardError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.deid.plan import Seeds, shape
from oathward.gateway.commit import Outgoing, Prepared
from oathward.gateway.guard import Stop
from oathward.inventory.model import Device, Peer
from oathward.ledger import Leaf, Record, prepare
from oathward.messages.model import HeldRow, MessageRow, OutboxRow, State
from oathward.patients.actions import split
from oathward.patients.model import Resolution
from oathward.policy.decide import decide
from oathward.policy.model import KEEP, Deny, Indeterminate, Link, Permit
from oathward.protocols.hl7v2.ack import Replies
from oathward.protocols.hl7v2.reader import Message, decode

if TYPE_CHECKING:
    from oathward.core.labels import Assurance
    from oathward.gateway.gate import Gate
    from oathward.vault.seal import SealedBody

QUARANTINE = "quarantine"
"""Purpose an original is sealed under when it waits for a person."""


@dataclass(slots=True)
class Arrival:
    """What is known of a message before anything is decided."""

    id: str
    raw: bytes
    peer: Peer
    at_us: int
    only_links: frozenset[str] | None = None  # a release serves the links it was held for, no others


@dataclass(slots=True)
class Part:
    """What one patient's part of a message comes to."""

    subject: str
    resolution: Resolution | None = None
    outgoing: list[Outgoing] = field(default_factory=list)
    kept: list[tuple[str, SealedBody]] = field(default_factory=list)
    held_for: list[str] = field(default_factory=list)
    held_why: Reason | None = None
    held_where: str = ""
    leaves: list[Leaf] = field(default_factory=list)
    facts: dict[bytes, bytes] = field(default_factory=dict)


def handle(gate: Gate, arrival: Arrival) -> Prepared:
    """Take one message through the path; never raises for what a sender can cause.

    Raises:
        VaultError: the original cannot even be sealed; it must not be acknowledged.
    """
    message: Message | None = None
    try:
        message = decode(arrival.raw)  # 4
        return _decided(gate, arrival, message)
    except OathwardError as error:
        return _quarantined(gate, arrival, message, error.reason, error.where)
    except Exception as error:  # noqa: BLE001  the one boundary of the data path (DESIGN §1.2)
        gate.bug(error)
        return _quarantined(gate, arrival, message, Reason.INTERNAL, type(error).__name__)


def _decided(gate: Gate, arrival: Arrival, message: Message) -> Prepared:
    found = gate.inventory.identify(arrival.peer, message.sender)  # 3
    device = found.device
    if device is None:
        return _unknown_device(gate, arrival, message, found.reason or Reason.DEVICE_UNKNOWN)
    resolution = gate.resolve(message, device, arrival.at_us)  # 5
    if resolution.refused is Reason.PATIENTS_SEVERAL:
        gate.resolver.rolled_back(resolution)
        parts = [
            _part(gate, arrival, one, device, found.assurance, gate.resolve(one, device, arrival.at_us))
            for one in (decode(raw) for raw in split(message))
        ]
    else:
        parts = [_part(gate, arrival, message, device, found.assurance, resolution)]
    return _together(gate, arrival, message, device, parts)


def _part(
    gate: Gate, arrival: Arrival, message: Message, device: Device, assurance: Assurance, resolution: Resolution
) -> Part:
    """Decide and disclose what one message says about one patient."""
    part = Part(resolution.subject, resolution)
    if resolution.refused in {Reason.PATIENTS_SEVERAL, Reason.PATIENT_AMBIGUOUS}:
        part.held_for, part.held_why, part.held_where = ["*"], resolution.refused, "PID-3"
    known = gate.facts_of(message, device, assurance, resolution)  # 6
    answers: list[list[Any]] = []
    for link in gate.bundle.links.values():
        if arrival.only_links is not None and link.id not in arrival.only_links:
            continue
        decision = decide(gate.bundle, link, known.facts, arrival.at_us)  # 7
        match decision:
            case Permit() as permit if not part.held_why or link.for_care:
                answers.append(_disclosed(gate, arrival, message, part, link, permit, known.key))
            case Permit():
                answers.append([link.id, "held", part.held_why.code])
            case Deny(_, reasons):
                if reasons != (Reason.NO_LINK,):  # a link that does not take such messages is not news
                    answers.append([link.id, "deny", *(r.code for r in reasons)])
            case Indeterminate(_, why):
                answers.append([link.id, "indeterminate", why.code])
                part.held_for.append(link.id)
                part.held_why = part.held_why or why
            case _ as never:
                assert_never(never)
    part.facts[known.key] = known.body
    body = {
        "answers": answers,
        "assurance": assurance.value,
        "bundle": gate.bundle_name,
        "device": device.id,
        "facts": known.key.hex(),
        "type": known.type,
    }
    links = tuple(answer[0] for answer in answers)
    part.leaves.append(prepare(Record("message.accepted", body, arrival.at_us, part.subject, links, arrival.id)))
    part.leaves.extend(prepare(record) for record in resolution.records)
    part.leaves.extend(gate.findings(resolution.findings, arrival.id, arrival.at_us))
    return part


def _disclosed(
    gate: Gate, arrival: Arrival, message: Message, part: Part, link: Link, permit: Permit, facts: bytes
) -> list[Any]:
    """Shape, check and seal for one link; gives what the record says of it."""
    if link.recipient == KEEP:
        part.kept.append((link.id, gate.sealer.seal_original(part.subject, arrival.id, link.id, arrival.raw)))
        return [link.id, "permit", "", {}]
    outgoing_id = gate.outgoing_id(arrival.id, link.id, part.subject)
    try:
        plan = gate.plan(link, permit)
        safe = shape(message, plan, Seeds(*gate.seeds(part.subject, link.project, plan), outgoing_id))  # 8
        verdict = gate.check(message, safe.data, link, part.subject)  # 9
        if isinstance(verdict, Stop):
            part.leaves.extend(gate.stopped(verdict, link, part.subject, arrival))
            if not link.for_care:
                raise OathwardError(verdict.kind, reason=Reason.GUARD_STOPPED)
        sealed = gate.sealer.seal_outgoing(safe, link.id, arrival.id, outgoing_id, gate.recipient_key(link))  # 10
    except OathwardError as error:
        part.held_for.append(link.id)
        part.held_why, part.held_where = part.held_why or error.reason, part.held_where or error.where
        return [link.id, "held", error.reason.code]
    row = OutboxRow(
        outgoing_id,
        gate.site,
        arrival.id,
        link.id,
        gate.order_key(message),
        part.subject,
        sealed.key_id,
        gate.no_body,
        sealed.end_to_end,
        gate.bundle_name,
        gate.consent_version(part.subject),
        facts,
        permit.valid_until_us or 0,
        arrival.at_us,
    )
    part.outgoing.append(Outgoing(sealed, row))
    if safe.uncatalogued:
        part.leaves.extend(gate.findings(("deid.uncatalogued",), arrival.id, arrival.at_us, link.id))
    return [link.id, "permit", outgoing_id, safe.removed]


def _together(gate: Gate, arrival: Arrival, message: Message, device: Device, parts: list[Part]) -> Prepared:
    """Put the parts of one message into what is committed and answered together."""
    held_for = sorted({link for part in parts for link in part.held_for})
    why = next((part.held_why for part in parts if part.held_why), None)
    first = parts[0]
    kept = [body for part in parts for body in part.kept]
    leaves = [leaf for part in parts for leaf in part.leaves]
    held = None
    if why is not None:
        where = next((part.held_where for part in parts if part.held_where), "")
        kept.append((QUARANTINE, gate.sealer.seal_original(first.subject, arrival.id, QUARANTINE, arrival.raw)))
        held = HeldRow(
            arrival.id, gate.site, arrival.at_us, device.id, arrival.peer.address, why.code, where, " ".join(held_for)
        )
        leaves.append(_held_record(arrival, first.subject, device.id, why, where, tuple(held_for)))
    row = _row(gate, arrival, message, device.id, first.subject, State.HELD if why else State.ACCEPTED, why)
    return Prepared(
        row,
        leaves,
        Replies(message, now_us=arrival.at_us).answer,
        facts={key: body for part in parts for key, body in part.facts.items()},
        outgoing=[one for part in parts for one in part.outgoing],
        kept=[(part_subject(first, gate), purpose, body) for purpose, body in kept],
        held=held,
        resolutions=[part.resolution for part in parts if part.resolution is not None],
        arrival=arrival,
    )
