"""One message, one function: from bytes to what must become durable together (the journey in ARCHITECTURE).

Steps, each a named function of a library below; the branching is here:
 3 identify the device    4 decode     5 resolve the patient     6 label, collect facts
 7 decide per link        8 shape      9 guard                  10 seal
The committer does 11 (one group commit), the listener 12 (reply), the courier 13 (deliver).

Rules:
- Any failure of a message puts its sealed original in quarantine with a record; nothing of it leaves.
- A failure that belongs to one link holds the message for that link; the others are served.
- What patients say that could not be read for a second permits nothing but care.
- ``_bounded`` is the only place on the data path that catches everything.

Deliberately absent: I/O other than a cached look-up, and every rule: rules live in the libraries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar, assert_never

from oathward.core.errors import OathwardError
from oathward.core.ids import uuid7
from oathward.core.labels import Assurance
from oathward.core.reasons import Reason
from oathward.deid.plan import Plan, SafeMessage, Seeds, shape
from oathward.gateway import care, consents, corrections, merges, notices, once, outcome
from oathward.gateway.arrival import Arrival, Part, Prepared
from oathward.gateway.facts import Known
from oathward.gateway.gate import Gate, NotTakenError
from oathward.gateway.guard.verdict import Counted, Stop
from oathward.gateway.wires import HL7V2
from oathward.inventory.model import Device, Identified, Peer
from oathward.patients.model import Resolution
from oathward.policy.decide import care_first, decide
from oathward.policy.model import KEEP, Decision, Deny, Indeterminate, Link, Permit
from oathward.protocols.fhir.rewrite import EMPTY

T = TypeVar("T")
_HELD_WHOLE = frozenset({Reason.PATIENTS_SEVERAL, Reason.PATIENT_AMBIGUOUS})


def arrive(gate: Gate, raw: bytes, peer: Peer) -> list[Prepared]:
    """Take one frame through the path; a batch gives one result per message.

    Raises:
        VaultError, NotTakenError: nothing of it may be acknowledged; see ``handle``.
    """
    at_us = gate.now_us()
    pieces = HL7V2.pieces(raw)
    return [handle(gate, Arrival(uuid7(), piece, peer, at_us, HL7V2)) for piece in pieces]


def cut(gate: Gate, raw: bytes, pieces: Callable[[bytes], list[T]], whole: Callable[[bytes], T]) -> list[T]:
    """Cut what came at once into messages; where that meets a bug of ours it stays one, and ``handle`` has it."""
    return _bounded(gate, lambda: pieces(raw), lambda _why, _where: [whole(raw)])


def handle(gate: Gate, arrival: Arrival) -> Prepared:
    """Take one message through the path; never raises for what a sender can cause.

    Raises:
        VaultError: the original cannot even be sealed: it must not be acknowledged.
        NotTakenError: no room is left for what strangers send.
    """
    message: Any = arrival.message

    def handled() -> Prepared:
        nonlocal message
        if message is None:
            message = arrival.wire.decode(arrival.raw)  # 4
        return _handled(gate, arrival, message)

    def held(why: Reason, where: str) -> Prepared:
        return outcome.quarantined(gate, arrival, message, why, where)

    return _bounded(gate, handled, held)


def _bounded(gate: Gate, step: Callable[[], T], instead: Callable[[Reason, str], T]) -> T:
    """Do what a sender's bytes are in the hands of; whatever goes wrong ends here, as a reason and a place."""
    try:
        return step()
    except NotTakenError:
        raise
    except OathwardError as error:
        return instead(error.reason, error.where)
    except Exception as error:  # noqa: BLE001  the one boundary of the data path
        gate.unhealthy(error)
        return instead(Reason.INTERNAL, type(error).__name__)


def _handled(gate: Gate, arrival: Arrival, message: Any) -> Prepared:
    device, assurance, why = _identified(gate, arrival, message)  # 3
    if device is None or why is not None:
        return outcome.unknown_device(gate, arrival, message, why or Reason.DEVICE_UNKNOWN, device)
    wire = arrival.wire
    if not all(device.entitled(code, trigger) for code, trigger in wire.types(message)):
        where = wire.where_type(message)
        return outcome.quarantined(gate, arrival, message, Reason.DEVICE_NOT_ENTITLED, where, device)
    resolved: list[Resolution] = []
    prepared = None
    try:
        parts = []
        for own, one, resolution in _resolved(gate, arrival, message, device):  # 5
            resolved.append(resolution)
            asked = wire.conditions(one, message, own.number)
            part = Part(own, resolution, once.looked_up(gate, own, asked, device.id, resolution.subject))
            parts.append(_part(gate, part, one, device, assurance))
        prepared = outcome.together(gate, arrival, message, device, parts)
    finally:
        if prepared is None:  # nothing of it will be committed
            for resolution in resolved:
                gate.resolver.rolled_back(resolution)
    return prepared


def _identified(gate: Gate, arrival: Arrival, message: Any) -> Identified:
    """Say who is speaking; a gateway that vouches for others names them in its messages."""
    sender = arrival.wire.sender(message)
    found = gate.inventory.identify(arrival.peer, sender)
    if found.device is not None and found.device.vouches_for:
        return gate.inventory.identify(arrival.peer, sender, arrival.wire.equipment(message))
    return found


def _resolved(
    gate: Gate, arrival: Arrival, message: Any, device: Device
) -> Iterator[tuple[Arrival, Any, Resolution]]:
    """Say whom a message is about; one about several patients is split first, a part a patient."""
    wire = arrival.wire
    resolution = gate.resolve(wire, message, device, arrival.at_us)
    pieces = wire.split(message) if resolution.refused is Reason.PATIENTS_SEVERAL else []
    if len(pieces) < 2:
        yield arrival, message, resolution
        return
    gate.resolver.rolled_back(resolution)
    for number, piece in enumerate(pieces):
        own = arrival.part(number, piece)
        if own.only_links is None or own.only_links:  # a release serves only the parts that were held
            one = wire.decode(piece)
            yield own, one, gate.resolve(wire, one, device, arrival.at_us)


def _part(gate: Gate, part: Part, message: Any, device: Device, assurance: Assurance) -> Part:
    """Decide and disclose what a message says about one patient."""
    arrival, resolution = part.arrival, part.resolution
    unsure = resolution.refused if resolution.refused in _HELD_WHOLE else None
    if resolution.card:
        card = arrival.wire.card(message)
        part.card = gate.sealer.seal_original(resolution.card, arrival.id, "card", card)
    consents.note(gate, part, message, device.id)
    care.note(gate, part, message, device)
    corrections.note(part, message)
    known = gate.facts_of(arrival.wire, message, device, assurance, resolution)  # 6
    part.facts[known.key] = known.body
    merges.note(part, known.facts)
    for link in gate.links(arrival.only_links, arrival.wire.name):
        decision = _decided(gate, part, link, known)  # 7
        match decision:
            case Permit() | Deny() if unsure is not None and not link.for_care and _concerns(decision):
                # Who it is about must be settled first; then this link is decided anew.
                part.answer(link.id, "held", unsure.code)
                part.hold(link.id, unsure, "PID-3")
            case Permit():
                _permitted(gate, message, part, link, decision, known)
            case Deny(_, reasons):
                if _concerns(decision):
                    part.answer(link.id, "deny", *(reason.code for reason in reasons))
            case Indeterminate(_, why, about):
                part.answer(link.id, "indeterminate", why.code)
                part.hold(link.id, why, " ".join(about))
            case _ as never:
                assert_never(never)
    part.leaves.insert(0, outcome.accepted(gate, part, device, assurance, known))
    return part


def _decided(gate: Gate, part: Part, link: Link, known: Known) -> Decision:
    """Decide for one link by what is known now, and sure enough for it."""
    decision = decide(gate.active_bundle, link, known.facts, part.arrival.at_us)
    if isinstance(decision, Indeterminate):
        decision = care_first(link, decision)
        if isinstance(decision, Permit):
            part.find("decision.care-first", link.id)
    if isinstance(decision, Permit) and not link.for_care and not gate.watch.sure():
        return Indeterminate(link.id, Reason.CONSENT_UNREADABLE, ("consents",))
    return decision


def _concerns(decision: Permit | Deny) -> bool:
    """Whether a link takes such messages at all; that it does not is no news."""
    return isinstance(decision, Permit) or decision.reasons != (Reason.NO_LINK,)


class Narrowed(NamedTuple):
    """A message as it came, and what of it may be shaped."""

    whole: Any
    left: Any


def _permitted(gate: Gate, message: Any, part: Part, link: Link, permit: Permit, known: Known) -> None:
    """Keep or disclose a message, less what a consent withholds by its code; an original is kept whole or not."""
    wire, left = part.arrival.wire, message
    if permit.withheld or permit.only is not None:
        left = wire.narrowed(message, permit.withheld, permit.only)
    if left is not message and (link.recipient == KEEP or (wire.tells(message) and not wire.tells(left))):
        part.answer(link.id, "deny", Reason.NOTHING_LEFT.code)
    elif link.recipient == KEEP:
        part.keep(
            link.id,
            gate.sealer.seal_original(part.resolution.subject, part.arrival.id, link.id, part.arrival.raw),
        )
        part.answer(link.id, "permit")
    else:
        if part.once:
            left = wire.retold(left, *once.there(gate, part.once, link.id))
        _disclose(gate, Narrowed(message, left), part, link, permit, known)


def _shaped(message: Any, plan: Plan, seeds: Seeds) -> SafeMessage:
    """Shape for one link; what a profile leaves nothing of does not leave as an empty envelope.

    Raises:
        OathwardError: ``NOTHING_LEFT``; or it cannot be shaped.
    """
    safe = shape(message, plan, seeds)
    if safe.data == EMPTY:
        raise OathwardError("message", reason=Reason.NOTHING_LEFT)
    return safe


def _not_disclosed(part: Part, link: Link, error: OathwardError) -> None:
    """Note why nothing leaves on one link: there was nothing to leave, or it waits for a person."""
    if error.reason is Reason.NOTHING_LEFT:
        part.answer(link.id, "deny", error.reason.code)
        return
    part.answer(link.id, "held", error.reason.code)
    part.hold(link.id, error.reason, error.where)


def _disclose(gate: Gate, message: Narrowed, part: Part, link: Link, permit: Permit, known: Known) -> None:
    """Shape, check and seal for one link; a failure holds the message for this link only."""
    arrival, subject, wire = part.arrival, part.resolution.subject, part.arrival.wire
    outgoing_id = gate.outgoing_id(arrival.id, link.id)
    try:
        if not link.carries_identity and not wire.plain_type(message.whole):
            raise OathwardError(wire.where_type(message.whole), reason=Reason.DEID_FAILED)
        planned = gate.plan(wire.name, link, permit)
        named = part.named(gate.active_bundle, link)
        secrets = gate.seeds(named, link.project) if planned.plan.needs_seeds else (b"", b"")
        source = known.facts.device or ""
        shared = link.shares_ids(source)
        seeds = Seeds(*secrets, outgoing_id, gate.year, source, link.carries_identity, shared)
        safe = _shaped(message.left, planned.plan, seeds)  # 8
        if part.guarded is None:
            part.guarded = gate.guarded(wire.original(message.whole), subject, arrival.at_us)
        verdict = gate.check(part.guarded, safe.data, link, planned.clear)  # 9
        if isinstance(verdict, Stop):
            part.leaves.extend(outcome.guard_saw(gate, part, link, verdict))
            if not link.for_care:
                raise OathwardError(verdict.where, verdict.kind, reason=Reason.GUARD_STOPPED)
        sealed = gate.sealer.seal_outgoing(
            safe, link.id, arrival.id, outgoing_id, gate.recipient_key(link)
        )  # 10
        if notices.told(gate, link):
            notices.note(gate, part, link, safe, known)
    except OathwardError as error:
        _not_disclosed(part, link, error)
        return
    part.facts[planned.key] = planned.body
    part.send(sealed, outcome.outbox_row(gate, part, link, permit, known, planned.key, sealed))
    weak = []
    if isinstance(verdict, Counted):
        weak = [sum(verdict.hits.values())]
        if gate.often((known.facts.device, link.id, verdict.places)):
            part.find("guard.counted", link.id)
    part.answer(link.id, "permit", outgoing_id, safe.removed, *weak)
    if safe.uncatalogued:
        part.find("element.uncatalogued", link.id)
