"""Send held messages through the path again: a short-lived process without listener, with one recorded reason.

Rules:
- The bytes are the sealed original's, opened by the keeper for this reason and person.
- Nothing is skipped: the same ``path.handle`` under today's policy; what it holds again stays held, for today's reason: a
  message that was held because nobody knew its sender, and whose sender turns out to lie, is listed as a lie from then on.
- Only the links a message was held for are served; the ids recipients see are the ones they would have seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from oathward import ledger
from oathward.core.db import write
from oathward.core.errors import InputError
from oathward.core.ids import uuid7
from oathward.core.phi import Phi
from oathward.core.reasons import Reason
from oathward.gateway.arrival import QUARANTINE, Arrival, Outcome, peer_of
from oathward.gateway.commit import commit_group
from oathward.gateway.gate import Gate
from oathward.gateway.outcome import NO_SENDER
from oathward.gateway.path import handle
from oathward.gateway.wires import of_raw
from oathward.inventory import strangers
from oathward.ledger import Record, prepare
from oathward.messages import sql as messages
from oathward.messages.model import HeldRow
from oathward.vault import kept

_OF_A_SENDER = (Reason.DEVICE_UNKNOWN.code, Reason.DEVICE_MISMATCH.code)


@dataclass(frozen=True, slots=True)
class Released:
    """What became of one held message."""

    message: str
    released: bool
    reason: str
    links: tuple[str, ...]


def release(
    gate: Gate, held: Sequence[tuple[HeldRow, Phi[bytes]]], *, by: str, reason: str
) -> list[Released]:
    """Send held messages through the path again.

    Args:
        held: rows still held, each with its opened original.
        by: the person who asks. reason: their words, without patient data.

    Raises:
        InputError: no reason was given.
        StorageError: nothing of the current message was stored; those before it were.
    """
    if not reason.strip():
        raise InputError("reason", "say why the message is released")
    release_id = uuid7()
    return [_one(gate, row, original, by, reason, release_id) for row, original in held]


def _one(gate: Gate, row: HeldRow, original: Phi[bytes], by: str, reason: str, release_id: str) -> Released:
    links = frozenset(row.links.split()) or None
    raw = original.reveal()
    arrival = Arrival(
        row.message, raw, peer_of(row.peer), gate.now_us(), of_raw(raw), only_links=links, release=release_id
    )
    prepared = handle(gate, arrival)
    if prepared.held is not None:
        for resolution in prepared.resolutions:
            gate.resolver.rolled_back(resolution)
        if (prepared.held.reason, prepared.held.place) != (row.reason, row.place):
            _held_for(gate, row, prepared.held, arrival, {"by": by, "release": release_id, "was": row.reason})
        return Released(row.message, released=False, reason=prepared.held.reason, links=())
    body = {"by": by, "release": release_id, "reason": reason, "was": row.reason}
    served = tuple(one.row.link for one in prepared.outgoing)
    prepared.leaves.append(prepare(Record("message.released", body, arrival.at_us, "", served, row.message)))
    prepared.acts.append(partial(messages.set_held_state, message_id=row.message, state="released"))
    prepared.acts.append(partial(kept.drop, message=row.message, purpose=QUARANTINE))
    commit_group(gate, [prepared])
    assert prepared.outcome is Outcome.STORED
    return Released(row.message, released=True, reason="", links=served)


def _held_for(gate: Gate, row: HeldRow, now: HeldRow, arrival: Arrival, order: dict[str, Any]) -> None:
    """Note what holds a message now, where people look for it and in the ledger."""
    body = {**order, "device": now.device, "reason": now.reason, "where": now.place}
    leaf = prepare(
        Record("message.quarantined", body, arrival.at_us, "", tuple(row.links.split()), row.message)
    )
    with write(gate.engine) as db:
        messages.hold_for(db, row.message, reason=now.reason, place=now.place, device=now.device)
        if now.reason in _OF_A_SENDER:
            sender = arrival.wire.sender(arrival.wire.decode(arrival.raw)) or NO_SENDER
            strangers.held_for(db, gate.site, arrival.peer, sender, now.reason)
        ledger.append(db, gate.site, [leaf])
