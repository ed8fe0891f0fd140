"""Rows, records and replies of what the path decided.

Rules:
- A record holds codes, counts, digests and random ids; a place such as ``PID-3``, never what stood there.
- Everything is built before the transaction: canonical bodies, salts, leaf hashes.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from oathward.core.clock import from_micros
from oathward.core.labels import Assurance
from oathward.core.reasons import Reason
from oathward.gateway import merges
from oathward.gateway.arrival import (
    NO_IDENTITY,
    NOT_ASKED,
    QUARANTINE,
    Arrival,
    Original,
    Part,
    Prepared,
    peer_text,
)
from oathward.gateway.wires.wire import Identity
from oathward.inventory import actions as inventory
from oathward.inventory.model import Device
from oathward.ledger import Leaf, Record, prepare
from oathward.messages.model import HeldRow, MessageRow, OutboxRow, State
from oathward.patients import actions as patients
from oathward.policy.model import Link, Permit
from oathward.vault import kept
from oathward.vault.bodies import BodyRef
from oathward.vault.cards import Card
from oathward.vault.seal import SealedMessage

if TYPE_CHECKING:
    from oathward.gateway.facts import Known
    from oathward.gateway.gate import Gate
    from oathward.gateway.guard.verdict import Stop

_NO_BODY = BodyRef("", 0, 0, 0, b"")
_UNDECODABLE_TYPE = "?"
NO_SENDER = (b"", b"")
_REMEMBERED = (Reason.DEVICE_UNKNOWN, Reason.DEVICE_MISMATCH)


def accepted(gate: Gate, part: Part, device: Device, assurance: Assurance, known: Known) -> Leaf:
    """The record of what was decided for one patient's part."""
    arrival = part.arrival
    body: dict[str, Any] = {
        "answers": part.answers,
        "assurance": assurance.value,
        "bundle": gate.bundle_name,
        "device": device.id,
        "facts": [key.hex() for key in part.facts],
        "type": known.type,
    }
    if part.originals:  # of what lies sealed, which says nothing: by it a copy proves later what it copies
        body["kept"] = {one.purpose: one.sealed.sha256.hex() for one in part.originals}
    if part.card is not None:
        body["card"] = part.card.sha256.hex()
    if arrival.release:
        body["release"] = arrival.release
    links = tuple(answer[0] for answer in part.answers)
    return prepare(
        Record("message.accepted", body, arrival.at_us, part.resolution.subject, links, arrival.id)
    )


def outbox_row(
    gate: Gate, part: Part, link: Link, permit: Permit, known: Known, plan: bytes, sealed: SealedMessage
) -> OutboxRow:
    """The delivery's row; its body is known once the sealed bytes were appended."""
    arrival, facts = part.arrival, known.facts
    row = OutboxRow(  # by position, in the order of its fields: names would cost twice as much
        *(sealed.outgoing_id, gate.site, arrival.id, link.id, facts.device or "", part.resolution.subject),
        *(sealed.key_id, _NO_BODY, sealed.end_to_end, gate.bundle_name, facts.consent_version or 0),
        *(known.key, plan, permit.valid_until_us or 0, arrival.at_us),
    )
    named, others = part.named(gate.active_bundle, link), part.resolution.others
    if named != row.subject:  # the recipient knows the patient by it, also when a merge is undone
        others = *others, named
    return row._replace(others=" ".join(others)) if others else row


def guard_saw(gate: Gate, part: Part, link: Link, stop: Stop) -> list[Leaf]:
    """What the guard saw, as codes; a finding for somebody: ``noticed`` on a link for care, which sends, ``stopped`` elsewhere."""
    arrival, subject = part.arrival, part.resolution.subject
    kind = "guard.noticed" if link.for_care else "guard.stopped"
    gate.counts[kind] += 1
    part.find(kind, link.id)
    body = {"kind": stop.kind, "where": stop.where}
    return [prepare(Record(kind, body, arrival.at_us, subject, (link.id,), arrival.id))]


def together(gate: Gate, arrival: Arrival, message: Any, device: Device, parts: list[Part]) -> Prepared:
    """Put the parts of one message into what is committed and answered together."""
    if len(parts) == 1 and _is_plain(parts[0]):
        return _plain(gate, message, device, parts[0])
    first = next((part for part in parts if part.held_why), parts[0])
    why = first.held_why
    subject = parts[0].resolution.subject
    leaves = [leaf for part in parts for leaf in _leaves_of(part)]
    originals = [original for part in parts for original in part.originals]
    held = None
    if why is not None:
        held_for = sorted({link for part in parts for link in part.held_for})
        held = _held(gate, arrival, device.id, why, first.held_where, " ".join(held_for))
        originals.append(_original(gate, arrival, subject))
        named = tuple(sorted({link.rpartition(":")[2] for link in held_for}))
        leaves.append(_held_record(held, subject, named))
    identity = arrival.wire.identity(message)
    prepared = Prepared(
        arrival,
        _row(gate, arrival, message, identity, device.id, subject, why),
        leaves,
        partial(arrival.wire.replies, message, arrival.at_us, None),
        {key: body for part in parts for key, body in part.facts.items()},
        [one for part in parts for one in part.outgoing],
        originals,
        held,
        [part.resolution for part in parts],
        identity=identity,
        sent_us=arrival.wire.sent_us(message),
        kind=device.kind,
        once=[one for part in parts for one in part.once],
    )
    prepared.acts.extend(_card_act(gate, part, device) for part in parts if part.card is not None)
    prepared.acts.extend(act for part in parts for act in part.acts)
    prepared.tells.extend(tell for part in parts for tell in part.tells)
    gate.counts["message.held" if why else "message.accepted"] += 1
    return prepared


def _is_plain(part: Part) -> bool:
    """Whether there is nothing about a part but its deliveries: nearly always, and then little is to be put together."""
    resolution = part.resolution
    odd = part.held_why or part.findings or part.card or part.acts or part.tells
    return not (odd or resolution.findings or resolution.records)


def _plain(gate: Gate, message: Any, device: Device, part: Part) -> Prepared:
    arrival, resolution = part.arrival, part.resolution
    gate.counts["message.accepted"] += 1
    identity = arrival.wire.identity(message)
    return Prepared(
        arrival,
        _row(gate, arrival, message, identity, device.id, resolution.subject, None),
        part.leaves,
        partial(arrival.wire.replies, message, arrival.at_us, None),
        part.facts,
        part.outgoing,
        part.originals,
        None,
        [resolution],
        identity=identity,
        sent_us=arrival.wire.sent_us(message),
        kind=device.kind,
        once=part.once,
    )


def unknown_device(
    gate: Gate, arrival: Arrival, message: Any, why: Reason, device: Device | None = None
) -> Prepared:
    """Hold a message whose device is not known, not sure enough, or revoked.

    Args:
        device: whose certificate it was, where that is known and the message calls itself another's.
    """
    prepared = quarantined(gate, arrival, message, why, arrival.wire.where_sender)
    if why in _REMEMBERED:
        sender = arrival.wire.sender(message) or NO_SENDER
        prepared.acts.append(
            lambda db: inventory.remember_unknown(db, gate.site, arrival.peer, sender, arrival.at_us, why)
        )
        body = {"reason": why.code} | ({"device": device.id} if device else {})
        record = Record("device.unrecognised", body, arrival.at_us, "", (), arrival.id)
        prepared.leaves.append(prepare(record))
    return prepared


def quarantined(
    gate: Gate, arrival: Arrival, message: Any, why: Reason, where: str, device: Device | None = None
) -> Prepared:
    """Hold a whole message: its original sealed for nobody known, a record, nothing leaves.

    Raises:
        VaultError: it cannot be sealed: it must not be acknowledged.
    """
    sender, kind = (device.id, device.kind) if device else ("", "")
    if not sender and not arrival.release:
        gate.take_stranger_bytes(len(arrival.raw))
    # One key a day, not one a message: junk must not cost the keeper a key each.
    holding = f"{kept.NOBODYS}{from_micros(arrival.at_us):%Y%m%d}"
    held = _held(gate, arrival, sender, why, where, "")
    gate.counts["message.held"] += 1
    identity = _identity(arrival, message)
    return Prepared(
        arrival,
        _row(gate, arrival, message, identity, sender, holding, why),
        [_held_record(held, holding, ())],
        partial(arrival.wire.replies, message or arrival.raw, arrival.at_us, why),
        originals=[_original(gate, arrival, holding)],
        held=held,
        identity=identity,
        sent_us=NOT_ASKED if message is None else arrival.wire.sent_us(message),
        kind=kind,
    )


def _leaves_of(part: Part) -> list[Leaf]:
    arrival, resolution = part.arrival, part.resolution
    records = list(resolution.records)
    found = [(code, "") for code in resolution.findings] + part.findings
    records += [
        Record(
            "finding.raised",
            {"finding": code, **merges.source_of(part, code)},
            arrival.at_us,
            resolution.subject,
            (link,) if link else (),
            arrival.id,
        )
        for code, link in found
    ]
    return part.leaves + [prepare(record) for record in records]


def _identity(arrival: Arrival, message: Any) -> Identity:
    return NO_IDENTITY if message is None else arrival.wire.identity(message)


def _row(
    gate: Gate,
    arrival: Arrival,
    message: Any,
    identity: Identity,
    device: str,
    subject: str,
    why: Reason | None,
) -> MessageRow:
    answer = arrival.wire.answer(message, gate.opened.settings.mllp.undecodable_reply, why)
    sender = device or arrival.peer.address
    kind = arrival.wire.type_of(message)[:32] if message is not None else _UNDECODABLE_TYPE
    state, reason = (State.HELD.value, why.code) if why else (State.ACCEPTED.value, "")
    key, digest = gate.duplicate_key(sender, identity), gate.digest(arrival.raw)
    return MessageRow(  # by position, in the order of its fields
        arrival.id, gate.site, key, digest, answer, arrival.at_us,
        device, subject, kind, len(arrival.raw), state, reason,
    )  # fmt: skip


def _held(gate: Gate, arrival: Arrival, device: str, why: Reason, where: str, links: str) -> HeldRow:
    return HeldRow(
        arrival.id, gate.site, arrival.at_us, device, peer_text(arrival.peer), why.code, where, links
    )


def _held_record(held: HeldRow, subject: str, links: tuple[str, ...]) -> Leaf:
    body: dict[str, Any] = {"device": held.device, "reason": held.reason, "where": held.place}
    return prepare(Record("message.quarantined", body, held.at_us, subject, links, held.message))


def _original(gate: Gate, arrival: Arrival, subject: str) -> Original:
    return Original(
        arrival.id,
        subject,
        QUARANTINE,
        gate.sealer.seal_original(subject, arrival.id, QUARANTINE, arrival.raw),
    )


def _card_act(gate: Gate, part: Part, device: Device) -> Any:
    subject, card, at_us = part.resolution.card, part.card, part.arrival.at_us
    assert card is not None
    sealed = Card(subject, part.arrival.id, card.key_id, card.data, device.id, at_us)
    return partial(patients.put_card, site=gate.site, card=sealed)
