"""Make prepared messages durable in groups, then let their answers go.

Steps of one group (DESIGN §3 step 11):
1. append and flush the sealed bodies that its rows will name;
2. one transaction: find duplicates, insert rows, append the ledger records last, COMMIT;
3. hand every message its outcome; only now may an acknowledgement leave.

Rules:
- A group that fails is retried message by message; one whose commit outcome is unknown is looked up first.
- A body that cannot be flushed is fatal for this process: nothing after it is acknowledged.
- Nothing here decides, shapes or seals.

Deliberately absent: the event loop. ``Committer`` runs one thread and calls back with whole groups.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine

from oathward import ledger
from oathward.core.db import write
from oathward.core.errors import StorageError
from oathward.core.reasons import Reason
from oathward.ledger import Leaf
from oathward.messages import sql as messages
from oathward.messages.model import HeldRow, MessageRow, OutboxRow

if TYPE_CHECKING:
    from oathward.gateway.gate import Gate
    from oathward.patients.actions import Resolution
    from oathward.vault.seal import SealedBody, SealedMessage


class Outcome(Enum):
    """How a message's try to become durable ended."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    AGAIN = "again"  # rows clashed with another process: prepare it once more
    FAILED = "failed"  # not stored: no answer, close, the sender tries again


@dataclass(slots=True)
class Outgoing:
    """One sealed delivery with what its outbox row needs besides the body."""

    sealed: SealedMessage
    row: OutboxRow  # body filled in when it has been appended


@dataclass(slots=True)
class Prepared:
    """Everything about one message that must become durable together."""

    message: MessageRow
    leaves: list[Leaf]
    reply: Callable[[str], bytes]  # answer code -> acknowledgement
    facts: dict[bytes, bytes] = field(default_factory=dict)
    outgoing: list[Outgoing] = field(default_factory=list)
    kept: list[tuple[str, SealedBody]] = field(default_factory=list)  # purpose, body
    held: HeldRow | None = None
    resolution: Resolution | None = None
    extra: list[Callable[[Connection], None]] = field(default_factory=list)  # rare writes of contexts
    outcome: Outcome | None = None
    answer: str = ""
    owner: Any = None  # the listener's own


class Committer:
    """One writer thread over a queue of prepared messages.

    Args:
        done: called on the writer's thread with a finished group; must only hand it over.
    """

    def __init__(self, gate: Gate, engine: Engine, done: Callable[[list[Prepared]], None], *, group_max: int) -> None:
        self._gate, self._engine, self._done, self._group_max = gate, engine, done, group_max
        self._queue: deque[Prepared] = deque()
        self._wake = threading.Event()
        self._stopping = False
        self.fatal: StorageError | None = None
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    def submit(self, prepared: Prepared) -> None:
        """Queue one message; its outcome comes through ``done``."""
        self._queue.append(prepared)
        if not self._wake.is_set():
            self._wake.set()

    @property
    def waiting(self) -> int:
        """Messages queued and not yet in a group."""
        return len(self._queue)

    def stop(self) -> None:
        """Finish what is queued, then end the thread."""
        self._stopping = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        queue = self._queue
        while True:
            if not queue:
                if self._stopping:
                    return
                self._wake.wait()
                self._wake.clear()
                continue
            group = [queue.popleft() for _ in range(min(len(queue), self._group_max))]
            self._commit(group)
            self._done(group)

    def _commit(self, group: list[Prepared]) -> None:
        if self.fatal is not None:
            _settle_all(group, Outcome.FAILED)
            return
        try:
            commit_group(self._gate, self._engine, group)
        except StorageError as error:
            if error.reason is not Reason.STORAGE_FULL and self._gate.bodies_broken:
                self.fatal = error
            if error.reason is Reason.STORAGE_FULL or self.fatal or len(group) == 1:
                self._fail(group, error)
            else:
                self._one_by_one(group)

    def _one_by_one(self, group: list[Prepared]) -> None:
        for prepared in group:
            try:
                commit_group(self._gate, self._engine, [prepared])
            except StorageError as error:
                self._fail([prepared], error)

    def _fail(self, group: list[Prepared], error: StorageError) -> None:
        for prepared in group:
            if prepared.resolution is not None:
                self._gate.resolver.rolled_back(prepared.resolution)
            clash = "IntegrityError" in error.why
            prepared.outcome = Outcome.AGAIN if clash else Outcome.FAILED
        self._gate.count("commit.failed", len(group))


def commit_group(gate: Gate, engine: Engine, group: list[Prepared]) -> None:
    """Make one group durable and set each message's outcome.

    Raises:
        StorageError: nothing of the group is known to be stored.
    """
    _append_bodies(gate, group)
    new_keys = gate.sealer.pending_keys()
    with write(engine) as db:
        fresh = _without_duplicates(gate, db, group)
        gate.insert_keys(db, new_keys)
        rows = [p for p in fresh if p.resolution is not None]
        for prepared in rows:
            gate.insert_subject(db, prepared.resolution)
        messages.insert_messages(db, [p.message for p in fresh])
        messages.insert_outbox(db, [o.row for p in fresh for o in p.outgoing])
        messages.insert_held(db, [p.held for p in fresh if p.held is not None])
        gate.insert_kept(db, fresh)
        for prepared in fresh:
            for act in prepared.extra:
                act(db)
        facts: dict[bytes, bytes] = {}
        for prepared in fresh:
            facts |= prepared.facts
        ledger.append(db, gate.site, [leaf for p in fresh for leaf in p.leaves], facts)
    gate.sealer.confirm_keys(new_keys)
    for prepared in rows:
        gate.resolver.committed(prepared.resolution)
    for prepared in fresh:
        prepared.outcome, prepared.answer = Outcome.STORED, prepared.message.answer


def _append_bodies(gate: Gate, group: list[Prepared]) -> None:
    outgoing = [o for p in group for o in p.outgoing if o.row.body is None]
    if outgoing:
        refs = gate.outbox_bodies.append([o.sealed.data for o in outgoing])
        for one, ref in zip(outgoing, refs, strict=True):
            one.row = replace(one.row, body=ref)
        gate.outbox_bodies.flush()
    gate.append_kept(group)


def _without_duplicates(gate: Gate, db: Connection, group: list[Prepared]) -> list[Prepared]:
    """Settle duplicates of earlier messages or of one another; give the rest."""
    known = messages.known(db, [p.message.duplicate_key for p in group])
    fresh: list[Prepared] = []
    for prepared in group:
        row = prepared.message
        earlier = known.setdefault(row.duplicate_key, [])
        same = next((e for e in earlier if e[0] == row.digest), None)
        if same and row.received_us - same[3] > gate.duplicate_window_us:
            messages.retire_duplicate_key(db, same[2], gate.random_key())
            same = None
        if same:
            prepared.outcome, prepared.answer = Outcome.DUPLICATE, same[1]
            if prepared.resolution is not None:
                gate.resolver.rolled_back(prepared.resolution)
            continue
        if earlier:
            gate.note_reused_control_id(prepared)
        earlier.append((row.digest, row.answer, row.id, row.received_us))
        fresh.append(prepared)
    return fresh


def _settle_all(group: list[Prepared], outcome: Outcome) -> None:
    for prepared in group:
        prepared.outcome = outcome
