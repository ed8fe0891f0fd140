"""The process beside the gateway's: what is heavy goes the same path here, and holds up nobody.

A megabyte of hostile text keeps whoever reads it busy for a second, and a regular expression gives the interpreter
lock to no other thread meanwhile; alarms of other devices must not wait for that.

Rules:
- The same ``path.handle`` and ``commit_group`` as in the gateway, with keys, caches and body files of its own, as a
  release has; a patient both meet for the first time is settled by the database, and prepared again.
- Frames come by standard input, one at a time, each is answered by standard output; the end of input is the end.
- What strangers may still be kept is the gateway's to say, frame by frame.
- A frame that never ends ends the process, also where nobody is left to end it: a successor needs its files.
- What was changed under us is taken in before a frame, not by a clock: nobody waits while nothing comes. Consents are
  looked at before each, and again where deciding took longer than a second.

Deliberately absent: sockets, and any limit: the gateway has them (``listeners/beside.py``).
"""

from __future__ import annotations

import faulthandler
import os
import queue
import sys
import time
from collections import Counter
from typing import IO, Any, NamedTuple

import orjson

from oathward.core.db import read
from oathward.core.errors import OathwardError
from oathward.core.ids import uuid7
from oathward.core.points import point
from oathward.core.reasons import Reason
from oathward.gateway import outcome, path
from oathward.gateway.arrival import Arrival, Outcome, Prepared
from oathward.gateway.commit import Committer
from oathward.gateway.gate import Gate, NotTakenError
from oathward.gateway.listeners.beside import packed as frame
from oathward.gateway.listeners.fhir.work import Told, begin, cut, packed, told_of, unstored
from oathward.gateway.path import handle
from oathward.gateway.wires import FHIR, HL7V2
from oathward.inventory.model import Peer
from oathward.protocols.fhir.bundle import Piece
from oathward.vault.opened import Opened

WRITER = "beside"
_REFRESH_S = 0.5
_HOUSE_S = 30.0
_AGAIN_MAX = 5
_NICE = 10
"""Behind the gateway where there are too few cores for both."""
_ORPHAN_S = 5.0
"""How much longer than the gateway waits for a frame it is worked on."""


class _Gate(Gate):
    """A gate that keeps for strangers what the gateway's has room for."""

    room_bytes = 0
    taken_bytes = 0

    def take_stranger_bytes(self, size: int) -> None:
        """Count what is kept for senders nobody knows.

        Raises:
            NotTakenError: more than there is room for.
        """
        if self.taken_bytes + size > self.room_bytes:
            raise NotTakenError("strangers", "their room for this hour is used up", reason=Reason.RATE_LIMIT)
        self.taken_bytes += size


async def run(site: Opened) -> None:
    """Handle frames until there is no more input."""
    os.nice(_NICE)
    gate = _Gate(site, writer=WRITER)
    with read(gate.engine) as db:
        gate.stores.discard_tails(db)
    finished: queue.SimpleQueue[list[Prepared]] = queue.SimpleQueue()
    group_max = site.settings.gateway.group_messages_max
    committer = Committer(gate, finished.put, group_max=group_max)
    sys.stdout.buffer.write(frame({}, []))  # ready
    sys.stdout.buffer.flush()
    _serve(gate, committer, finished)
    committer.stop()
    gate.close()


def _serve(gate: _Gate, committer: Committer, finished: queue.SimpleQueue[list[Prepared]]) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    last_s = gate.opened.settings.mllp.beside_time_s_max + _ORPHAN_S
    refresh_at_s = time.monotonic() + _REFRESH_S
    house_at_s = time.monotonic() + _HOUSE_S
    while (job := _read(sys.stdin.buffer)) is not None:
        now_s = time.monotonic()
        try:
            if now_s >= refresh_at_s:
                gate.forget_in_time()
                gate.refresh()
                refresh_at_s = time.monotonic() + _REFRESH_S
            else:
                gate.watch.look()
            if now_s >= house_at_s:
                with read(gate.engine) as db:
                    gate.stores.drop_used_up(db)
                house_at_s = now_s + _HOUSE_S
        except (OathwardError, OSError) as error:
            gate.unhealthy(error)
        faulthandler.dump_traceback_later(last_s, exit=True, file=nowhere)  # needs no interpreter lock
        told, replies = _one(gate, committer, finished, *job)
        faulthandler.cancel_dump_traceback_later()
        sys.stdout.buffer.write(frame(told, replies))
        sys.stdout.buffer.flush()
        gate.trouble = ""
        if committer.fatal is not None:
            return  # bodies can no longer be written: the next of us reads the disk anew


def _one(
    gate: _Gate,
    committer: Committer,
    finished: queue.SimpleQueue[list[Prepared]],
    head: dict[str, Any],
    raw: bytes,
) -> tuple[dict[str, object], list[bytes]]:
    """Handle one frame; gives what is told of it, and its acknowledgements."""
    gate.room_bytes, gate.taken_bytes = head["room"], 0
    certificate = bytes.fromhex(head["certificate"]) or None
    peer = Peer(head["address"], certificate, tuple(head["names"]), head["key"])
    if not head["unread"]:
        point("beside.frame")
    handled = _fhir if head["wire"] == FHIR.name else _hl7v2
    work = handled(gate, committer, finished, raw, peer, unread=head["unread"])
    counts, gate.counts = gate.counts, Counter()
    findings, gate.findings = gate.findings, []
    told = {
        "stored": work.stored,
        "refused": work.refused.code if work.refused else "",
        "messages": work.messages,
        "strangers": gate.taken_bytes,
        "counts": dict(counts),
        "findings": findings,
        "trouble": gate.trouble,
    }
    return told, work.replies


class _Work(NamedTuple):
    """What became of one frame."""

    stored: bool
    messages: int
    replies: list[bytes]
    refused: Reason | None = None


def _hl7v2(
    gate: _Gate,
    committer: Committer,
    finished: queue.SimpleQueue[list[Prepared]],
    raw: bytes,
    peer: Peer,
    *,
    unread: bool,
) -> _Work:
    """Handle the messages of a frame up to the first that cannot be stored."""
    pieces = [raw] if unread else path.cut(gate, raw, HL7V2.pieces, bytes)
    prepared: list[Prepared] = []
    refused: Reason | None = None
    try:
        for piece in pieces:
            arrival = Arrival(uuid7(), piece, peer, gate.now_us())
            prepared.append(_unread(gate, arrival) if unread else handle(gate, arrival))
            committer.submit(prepared[-1])
    except OathwardError as error:  # not sealed, or no room for strangers: unanswered, the sender keeps it
        refused = error.reason
        if not isinstance(error, NotTakenError):
            gate.unhealthy(error)
    _wait(gate, committer, finished, prepared)
    replies: list[bytes] = []
    stored = refused is None
    for one in prepared:
        if one.outcome not in {Outcome.STORED, Outcome.DUPLICATE}:
            stored = False
            break
        replies += one.reply(one.answer)
    return _Work(stored, len(pieces), replies, refused)


def _fhir(
    gate: _Gate,
    committer: Committer,
    finished: queue.SimpleQueue[list[Prepared]],
    raw: bytes,
    peer: Peer,
    *,
    unread: bool,
) -> _Work:
    """Handle one request; of a batch each message has its own answer."""
    pieces = [Piece(raw, (), None, None)] if unread else cut(gate, raw)
    parts: list[Told | Prepared] = []
    for piece in pieces:
        try:
            if unread:
                one = _unread(gate, Arrival(uuid7(), raw, peer, gate.now_us(), FHIR))
            else:
                one = begin(gate, piece, peer)
        except OathwardError as error:
            parts.append(unstored(gate, piece, peer, error))
        else:
            parts.append(one)
            committer.submit(one)
    prepared = [one for one in parts if isinstance(one, Prepared)]
    _wait(gate, committer, finished, prepared)  # puts what was prepared again in its place
    again = iter(prepared)
    told = [
        told_of(gate, next(again), piece) if isinstance(one, Prepared) else one
        for one, piece in zip(parts, pieces, strict=True)
    ]
    messages = sum(len(piece.indices) or 1 for piece in pieces)
    return _Work(stored=True, messages=messages, replies=packed(told))


def _unread(gate: Gate, arrival: Arrival) -> Prepared:
    """Hold what could not be handled before, without a look into it."""
    return outcome.quarantined(gate, arrival, None, Reason.LIMIT_EXCEEDED, "message")


def _wait(
    gate: Gate,
    committer: Committer,
    finished: queue.SimpleQueue[list[Prepared]],
    prepared: list[Prepared],
) -> None:
    """Wait until everything has its outcome; what clashed with another process is prepared again, in its place."""
    places = {id(one): i for i, one in enumerate(prepared)}
    tries: Counter[int] = Counter()
    left = len(prepared)
    while left:
        for one in finished.get():
            place = places.pop(id(one))
            tries[place] += 1
            if one.outcome is Outcome.AGAIN and tries[place] < _AGAIN_MAX:
                again = prepared[place] = handle(gate, one.arrival)
                places[id(again)] = place
                committer.submit(again)
            else:
                left -= 1


def _read(source: IO[bytes]) -> tuple[dict[str, Any], bytes] | None:
    """Read one frame with its head; none at the end of input."""
    size = source.read(4)
    if len(size) < 4:
        return None
    head = orjson.loads(source.read(int.from_bytes(size, "big")))
    raw = source.read(head["sizes"][0])
    return (head, raw) if len(raw) == head["sizes"][0] else None
