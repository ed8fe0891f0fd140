"""One FHIR request through the path, the same in the gateway and in the process beside it.

Rules:
- A batch is cut into what is about one patient each and what is bad, each a message of its own; a transaction is one
  message, and a resource is one.
- What became of a message is told as codes, ids and places (``Told``), so that it can cross to another process; the
  answer is written from it alone.
- What the definitions refuse is looked at once more, so that all that is wrong with it is told (``mistakes``).
- What is bad of a batch is kept as it is alone, and told with its place in what came.

Deliberately absent: sockets and HTTP (``listener``, ``http``), decisions (``gateway/path.py``).

Source: FHIR R4 §3.1.0.11 (batch and transaction).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from oathward.core.errors import OathwardError
from oathward.core.ids import uuid7
from oathward.core.reasons import BY_CODE, Reason
from oathward.gateway import once, path
from oathward.gateway.arrival import Arrival, Outcome, Prepared
from oathward.gateway.path import handle
from oathward.gateway.wires import FHIR
from oathward.inventory.model import Peer
from oathward.protocols.fhir.bundle import Piece, pieces
from oathward.protocols.fhir.check import Issue
from oathward.protocols.fhir.mistakes import mistakes_of

if TYPE_CHECKING:
    from oathward.gateway.gate import Gate

_BUNDLE = b"POST \n"
_ENTRY = "Bundle.entry"
_BY_DEFINITION = frozenset(
    reason.code
    for reason in (
        Reason.ELEMENT_TYPE,
        Reason.ELEMENT_UNKNOWN,
        Reason.ELEMENT_REPEATED,
        Reason.ELEMENT_MISSING,
        Reason.VALUE_INVALID,
        Reason.CODE_NOT_ALLOWED,
        Reason.TARGET_NOT_ALLOWED,
        Reason.RULE_BROKEN,
        Reason.TYPE_UNKNOWN,
    )
)
"""Mistakes of which there may be several."""
_GOOD = frozenset(("200", "201"))
"""Answers that the wire gives for what it could read."""


class Told(NamedTuple):
    """What became of one message, as far as its sender is told.

    Args:
        outcome: a value of ``arrival.Outcome``.
        requests: ``POST Observation``, ``PUT Observation/123`` for each resource in it; empty where it is bad.
        indices: places of those in the bundle that came; empty for no bundle.
        bundle: ``batch``, ``transaction`` or empty.
        reason: code of why it was not taken as it is; empty for nothing wrong. ``where``: its place.
        created: there was nothing before under the same id.
        waits: it is stored, and waits for a person before anything is decided.
        there: of entries that were to be created where there is none, and are: their place in ``requests`` and the id
            they have; without one where several are.
        issues: all that is wrong with it, as reason, place and what was expected; the first is ``reason``.
    """

    outcome: str
    requests: tuple[str, ...] = ()
    indices: tuple[int, ...] = ()
    bundle: str = ""
    id: str = ""
    version: str = ""
    reason: str = ""
    where: str = ""
    created: bool = False
    waits: bool = False
    there: tuple[tuple[int, str], ...] = ()
    issues: tuple[tuple[str, str, str], ...] = ()

    @property
    def stored(self) -> bool:
        """Whether the sender may forget it."""
        return self.outcome in {Outcome.STORED.value, Outcome.DUPLICATE.value}


def cut(gate: Gate, raw: bytes) -> list[Piece]:
    """Cut a request into its messages; one resource is decoded where everything foreign is, in ``path.handle``."""
    return path.cut(gate, raw, pieces, _whole) if raw.startswith(_BUNDLE) else [_whole(raw)]


def _whole(raw: bytes) -> Piece:
    return Piece(raw, (), None, None)


def begin(gate: Gate, piece: Piece, peer: Peer) -> Prepared:
    """Take one message through the path.

    Raises:
        OathwardError: it cannot be kept: nothing may be promised.
    """
    return handle(gate, Arrival(uuid7(), piece.raw, peer, gate.now_us(), FHIR, piece.message))


def told_of(gate: Gate, prepared: Prepared, piece: Piece) -> Told:
    """Say what became of a message that has its outcome."""
    outcome, held, row = prepared.outcome, prepared.held, prepared.message
    assert outcome is not None
    bundle = _bundle_of(piece)
    if outcome in {Outcome.FAILED, Outcome.AGAIN}:
        return Told(Outcome.FAILED.value, (), piece.indices, bundle, reason=Reason.STORAGE_FAILED.code)
    if outcome is Outcome.MISMATCH:
        why, where = prepared.mismatch
        return Told(outcome.value, (), piece.indices, bundle, reason=why.code, where=where)
    if row.answer not in _GOOD:
        where = piece.error.where if piece.error is not None else held.place if held is not None else ""
        issues = _issues(gate, prepared.arrival.raw, piece, row.reason, where)
        return Told(outcome.value, (), piece.indices, bundle, reason=row.reason, where=where, issues=issues)
    return Told(
        outcome.value,
        _requests(prepared.arrival.raw, piece),
        piece.indices,
        bundle,
        prepared.stored_id,
        prepared.version,
        created=outcome is Outcome.STORED and not prepared.newer,
        waits=held is not None and not held.links,
        there=once.told(prepared),
    )


def unstored(gate: Gate, piece: Piece, peer: Peer, error: OathwardError) -> Told:
    """Say that a message could not be kept, and count it."""
    if error.reason is not Reason.RATE_LIMIT:  # of strangers, who send too much
        gate.unhealthy(error)
    gate.refused(peer, error.reason)
    bundle = _bundle_of(piece)
    return Told(Outcome.FAILED.value, (), piece.indices, bundle, reason=error.reason.code, where=error.where)


def packed(told: Sequence[Told]) -> list[bytes]:
    """Write what became of a request's messages for another process."""
    return [orjson.dumps([*one]) for one in told]


def unpacked(parts: Sequence[bytes]) -> list[Told]:
    """Invert ``packed``."""
    rows = (orjson.loads(part) for part in parts)
    return [
        Told._make((outcome, tuple(requests), tuple(indices), *rest, _pairs(there), _pairs(issues)))
        for outcome, requests, indices, *rest, there, issues in rows
    ]


def _pairs(rows: Sequence[Sequence[Any]]) -> tuple[Any, ...]:
    return tuple(map(tuple, rows))


def _issues(
    gate: Gate, raw: bytes, piece: Piece, reason: str, where: str
) -> tuple[tuple[str, str, str], ...]:
    """List what is wrong with a message that the definitions of R4 refuse; its first mistake is known."""
    if reason not in _BY_DEFINITION:
        return ()
    found = path.cut(gate, raw, mistakes_of, lambda _raw: Issue(where, BY_CODE[reason], ""))
    if piece.error is not None and piece.indices:  # it is kept as a batch of its own
        outer, inner = f"{_ENTRY}[{piece.indices[0]}]", f"{_ENTRY}[0]"
        if piece.error.where.startswith(outer):
            found = [one._replace(where=outer + one.where.removeprefix(inner)) for one in found]
    told = tuple((one.reason.code, one.where, one.why) for one in found)
    return told if told and told[0][:2] == (reason, where) else ((reason, where, ""), *told)


def _bundle_of(piece: Piece) -> str:
    if piece.message is not None:
        return piece.message.bundle
    return "batch" if piece.indices else ""


def _requests(raw: bytes, piece: Piece) -> tuple[str, ...]:
    if piece.message is None:
        return (raw.partition(b"\n")[0].decode("latin-1"),)
    entries = piece.message.entries
    return tuple(
        f"{e.method} {e.type}/{e.id}" if e.method == "PUT" else f"{e.method} {e.type}" for e in entries
    )
