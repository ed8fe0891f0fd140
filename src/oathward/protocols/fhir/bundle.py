"""A request body, cut into what can be stored and decided by itself.

Rules:
- A resource and a transaction are one piece. So is a batch whose entries are good and about one patient.
- Another batch is cut: an entry that is bad is a piece with its error, as a batch of that entry alone; the good
  ones are a piece for each patient, in the order in which they came.
- What is whole is not written again, and what was read is not read again.

Deliberately absent: what becomes of a piece; a batch of batches.

Source: FHIR R4 §3.1.0.11.1 (batch: entries are independent).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason
from oathward.protocols.fhir.json import dumps
from oathward.protocols.fhir.limits import LIMITS, Limits
from oathward.protocols.fhir.message import Message, Request, Resource
from oathward.protocols.fhir.persons import part_body, parts, too_much
from oathward.protocols.fhir.reader import Checked, Read, decode, open_request, read_bundle, request_bytes

_BASE = Request("POST", "")


@dataclass(frozen=True, slots=True)
class Piece:
    """One part of a request.

    Args:
        raw: the request of this part alone; ``decode`` gives ``message`` of it, or ``error`` with its own places.
        indices: which entries of the bundle that came are in it; of one resource ``(0,)``.
        error: what is wrong with it, with the place in what came; None for nothing.
        message: it, decoded; None where it is wrong.
    """

    raw: bytes = field(repr=False)
    indices: tuple[int, ...]
    error: DecodeError | None
    message: Message | None = field(repr=False)


def pieces(raw: bytes, limits: Limits = LIMITS) -> list[Piece]:
    """Cut one request; never empty.

    Args:
        raw: as ``reader.request_bytes`` writes it.

    What is wrong with the whole (no JSON, no request, a bad transaction) is one piece with its error.
    """
    try:
        return _cut(raw, limits)
    except DecodeError as error:
        return [Piece(raw, (), error, None)]


def _cut(raw: bytes, limits: Limits) -> list[Piece]:
    if not raw.startswith(b"POST \n"):
        return [Piece(raw, (0,), None, decode(raw, limits))]
    request, body = open_request(raw, limits)
    kind, reads = read_bundle(body, limits)
    bad = [i for i, read in enumerate(reads) if read.error is not None]
    if bad and kind == "transaction":
        raise reads[bad[0]].error or DecodeError("Bundle")
    message = _checked(raw, request, body, kind, reads)
    if kind == "transaction":
        return [Piece(raw, tuple(range(len(reads))), None, message)]
    groups = parts(message, limits) if message.entries else []
    if not bad and len(groups) == 1:
        return [Piece(raw, tuple(range(len(reads))), None, message)]
    made = [_refused(body, i, reads[i], limits) for i in bad]
    room = len(raw) + limits.repeated_bytes_max
    for group in groups:
        made.append(_part(message, group))
        room -= len(made[-1].raw)
        if room < 0:
            raise too_much(limits)
    return sorted(made, key=lambda piece: piece.indices)


def _checked(raw: bytes, request: Request, body: Resource, kind: str, reads: list[Read]) -> Checked:
    good = [read for read in reads if read.entry is not None]
    entries = tuple(read.entry for read in good if read.entry is not None)
    return Checked(raw, request, body, kind, entries, tuple(read.found for read in good))


def _refused(body: Resource, i: int, read: Read, limits: Limits) -> Piece:
    alone = dumps({"resourceType": "Bundle", "type": "batch", "entry": [body["entry"][i]]})
    if len(alone) > limits.message_bytes_max:
        error = DecodeError(f"Bundle.entry[{i}]", "a smaller entry", reason=Reason.LIMIT_EXCEEDED)
        return Piece(b"", (i,), error, None)
    return Piece(request_bytes(_BASE, alone), (i,), read.error, None)


def _part(message: Checked, group: tuple[int, ...]) -> Piece:
    """Make a batch of one patient; its entries are numbered anew, as if it had come so."""
    part = part_of(message, group)
    part.raw = request_bytes(_BASE, dumps(part.body))
    return Piece(part.raw, tuple(message.entries[i].index for i in group), None, part)


def part_of(message: Checked, group: tuple[int, ...]) -> Checked:
    """Give some entries of a bundle as one of their own, numbered anew; what was read is not read again.

    Its ``raw`` is empty.
    """
    entries = tuple(replace(message.entries[i], index=n) for n, i in enumerate(group))
    found = tuple(message.found[i] for i in group)
    return Checked(b"", _BASE, part_body(message, group), message.bundle, entries, found)
