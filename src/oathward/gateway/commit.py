"""Make prepared messages durable in groups, then let their answers go.

Steps of one group (step 11 of ARCHITECTURE):
1. append and flush the sealed bodies that its rows will name;
2. one transaction: find duplicates, insert rows, append the ledger records last, COMMIT;
3. hand every message its outcome; only now may an acknowledgement leave.

Rules:
- A group that fails is retried message by message; one whose commit outcome is unknown is looked up first.
- A full disk fails the messages, not the process; a body that could not be flushed ends the writing for good.
- A group goes to the writer when a turn of the event loop brought nothing more for it, and not sooner than
  ``gateway.group_delay_ms`` after the one before: many share the cost of a transaction (measured: at 800 messages a
  second with three recipients, groups that went at once cost the gateway 990 µs a message). One alone after one alone
  never waits.
- Nothing here decides, shapes or seals.

Deliberately absent: sockets and replies. ``Committer`` runs one thread and calls back with whole groups.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from oathward import ledger
from oathward.core.db import read, write
from oathward.core.errors import StorageError
from oathward.core.points import point
from oathward.core.reasons import Reason
from oathward.gateway import once
from oathward.gateway.arrival import Outcome, Prepared
from oathward.gateway.wires.wire import Identity
from oathward.ledger import Record, prepare
from oathward.messages import sql as messages
from oathward.messages.model import MessageRow
from oathward.patients import actions as patients
from oathward.vault import intake, kept

if TYPE_CHECKING:
    from oathward.gateway.gate import Gate


_ALONE = 2
"""Messages of this group and the last one together, up to which nobody waits: a sender that waits for each answer."""


class Committer:
    """One writer thread over a queue of prepared messages.

    Args:
        done: called on the writer's thread with a finished group; must only hand it over.
        loop: whose turns gather a group; without one, what is there is a group.
    """

    def __init__(
        self,
        gate: Gate,
        done: Callable[[list[Prepared]], None],
        *,
        group_max: int,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._gate, self._done, self._group_max = gate, done, group_max
        self._loop = loop
        self._gathering, self._seen, self._since_s = False, 0, 0.0
        self._due_s, self._last = 0.0, 0  # when the next group may go, and how many the last one had
        self._delay_s = gate.opened.settings.gateway.group_delay_ms / 1000
        self._queue: deque[Prepared] = deque()
        self._wake = threading.Event()
        self._stopping = False
        self.fatal: StorageError | None = None
        """Set once bodies can no longer be written; nothing is stored after it."""
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    def submit(self, prepared: Prepared) -> None:
        """Queue one message, on the event loop if there is one; its outcome comes through ``done``."""
        self._queue.append(prepared)
        if self._loop is None or not self._delay_s:
            self._wake.set()
        elif not self._gathering:
            self._gathering, self._seen, self._since_s = True, 0, time.monotonic()
            self._loop.call_soon(self._gather)

    def _gather(self) -> None:
        """Let the writer have the group, unless the turn that has just ended brought more to it, or it comes too soon."""
        count, now_s = len(self._queue), time.monotonic()
        assert self._loop is not None
        if count < self._group_max:
            if count != self._seen and now_s - self._since_s <= self._delay_s:
                self._seen = count
                self._loop.call_soon(self._gather)
                return
            if now_s < self._due_s and count + self._last > _ALONE:
                self._seen = count
                self._loop.call_later(self._due_s - now_s, self._gather)
                return
        self._gathering = False
        self._due_s, self._last = now_s + self._delay_s, count
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
        try:
            self._work()
        finally:
            if not self._stopping:  # a bug of ours: nobody may wait for answers that will not come
                self.fatal = self.fatal or StorageError(
                    "committer", "ended by itself", reason=Reason.INTERNAL
                )

    def _work(self) -> None:
        queue = self._queue
        while queue or not self._stopping:
            if not self._stopping:
                self._wake.wait()
                self._wake.clear()
            group = [queue.popleft() for _ in range(min(len(queue), self._group_max))]
            if group:
                self._commit(group)
                self._done(group)
            if queue and not self._gathering:
                self._wake.set()

    def _commit(self, group: list[Prepared]) -> None:
        try:
            if self.fatal is not None:
                raise self.fatal
            commit_group(self._gate, group)
        except StorageError as error:
            self._gate.unhealthy(error)
            if self._gate.stores.broken:
                self.fatal = error
            if self.fatal or error.reason is Reason.STORAGE_FULL or len(group) == 1:
                self._fail(group, error)
            else:
                self._one_by_one(group)

    def _one_by_one(self, group: list[Prepared]) -> None:
        for prepared in group:
            try:
                if not _stored_already(self._gate, prepared):
                    commit_group(self._gate, [prepared])
            except StorageError as error:
                self._fail([prepared], error)

    def _fail(self, group: list[Prepared], error: StorageError) -> None:
        clash = "IntegrityError" in error.why
        for prepared in group:
            for resolution in prepared.resolutions:
                self._gate.resolver.rolled_back(resolution)
            prepared.outcome = Outcome.AGAIN if clash else Outcome.FAILED
        self._gate.counts["message.not-stored"] += len(group)


def commit_group(gate: Gate, group: list[Prepared]) -> None:
    """Make one group durable and set each message's outcome.

    Raises:
        StorageError: nothing of the group is known to be stored.
    """
    kept_rows = _append_bodies(gate, group)
    point("gateway.bodies-flushed")
    new_keys = gate.sealer.pending_keys()
    with write(gate.engine) as db:
        fresh = _without_duplicates(gate, db, group)
        intake.insert_keys(db, new_keys)
        for prepared in fresh:
            for resolution in prepared.resolutions:
                if resolution.ticket:
                    patients.apply(db, gate.site, resolution)
        messages.insert_messages(db, [p.message for p in fresh if not p.arrival.release])
        messages.put_created(
            db, [row for p in fresh if p.once or p.identity.once for row in once.rows(gate, p)]
        )
        outgoing = [o for p in fresh for o in p.outgoing]
        messages.insert_outbox(db, [o.row for o in outgoing], [o.body for o in outgoing if o.body])
        messages.insert_held(db, [p.held for p in fresh if p.held is not None])
        kept.insert_rows(db, [row for p in fresh for row in kept_rows.get(id(p), ())])
        for prepared in fresh:
            for act in prepared.acts:
                act(db)
        told = [leaf for p in fresh for tell in p.tells for leaf in tell(db)]
        facts: dict[bytes, bytes] = {}
        for prepared in fresh:
            facts |= prepared.facts
        point("gateway.before-append")
        ledger.append(db, gate.site, [leaf for p in fresh for leaf in p.leaves] + told, facts)
        point("gateway.before-commit")
    point("gateway.committed")
    gate.sealer.confirm_keys(new_keys)
    for prepared in fresh:
        prepared.outcome, prepared.answer = Outcome.STORED, prepared.message.answer
        prepared.stored_id, prepared.version = prepared.message.id, version_of(prepared.message.digest)
        for resolution in prepared.resolutions:
            gate.resolver.committed(resolution)
    gate.traffic.count(group)


def _append_bodies(gate: Gate, group: list[Prepared]) -> dict[int, list[tuple[Any, ...]]]:
    """Append and flush what the group's rows will name; gives the rows of originals by prepared message."""
    outgoing = [o for p in group for o in p.outgoing]
    if outgoing:
        refs = gate.stores.outbox.append([o.sealed.data for o in outgoing])
        for one, ref in zip(outgoing, refs, strict=True):
            one.body = ref
    originals = [(id(p), p.arrival.at_us, o) for p in group for o in p.originals]
    bodies, digests = [o.sealed.data for _, _, o in originals], [o.sealed.sha256 for _, _, o in originals]
    refs = gate.stores.kept.append(bodies, digests) if originals else []
    rows: dict[int, list[tuple[Any, ...]]] = {}
    for (owner, at_us, o), ref in zip(originals, refs, strict=True):
        row = kept.row(gate.site, o.message, o.subject, o.purpose, o.sealed, ref, at_us)
        rows.setdefault(owner, []).append(row)
    point("gateway.bodies-appended")
    gate.stores.flush(kept=bool(originals), outbox=bool(outgoing))
    return rows


def _without_duplicates(gate: Gate, db: Connection, group: list[Prepared]) -> list[Prepared]:
    """Settle duplicates of earlier messages or of one another; give the rest."""
    keys = [p.message.duplicate_key for p in group if not p.arrival.release]
    known = messages.known(db, keys + [one.key for p in group for one in p.once])
    created = once.Earlier(gate, db, group, known)
    fresh: list[Prepared] = []
    for prepared in group:
        row = prepared.message
        if prepared.arrival.release:
            fresh.append(prepared)
            continue
        prepared.outcome = None  # of a try before this one that was rolled back
        earlier = known.setdefault(row.duplicate_key, [])
        _settle(gate, db, prepared, earlier, created)
        if prepared.outcome is not None:
            for resolution in prepared.resolutions:
                gate.resolver.rolled_back(resolution)
            continue
        if prepared.identity.versions:
            prepared.newer = bool(earlier)
            for one in earlier:  # only the newest version is compared with
                messages.retire_duplicate_key(db, one[2], gate.random_key())
            earlier.clear()
        elif earlier:
            prepared.leaves.append(_reused_control_id(prepared))
        earlier.append((row.digest, row.answer, row.id, row.received_us, row.subject))
        if prepared.once or prepared.identity.once:
            created.note(prepared)
        fresh.append(prepared)
    return fresh


_Earlier = tuple[bytes, str, str, int, str]
"""Digest, answer, id, time and subject of an earlier message of one identity."""


def _settle(
    gate: Gate, db: Connection, prepared: Prepared, known: Sequence[_Earlier], created: once.Earlier
) -> None:
    """Give a message its outcome where it is not to be stored as it is: it was before, or what it asks for is not so."""
    row, identity = prepared.message, prepared.identity
    since_us = 0 if identity.versions else row.received_us - gate.duplicate_window_us
    if identity.once:
        ids = {one[2] for one in known}
        known = [*known, *(one for one in created.of(prepared) if one[2] not in ids)]
    earlier = [one for one in known if one[3] >= since_us]
    same = _the_same(earlier, row, identity)
    for one in known if same is None else ():
        if one[0] == row.digest and one[3] < since_us:
            messages.retire_duplicate_key(db, one[2], gate.random_key())
    if same:
        prepared.outcome, prepared.answer, prepared.stored_id = Outcome.DUPLICATE, same[1], same[2]
        prepared.version = version_of(same[0])
        gate.counts["message.duplicate"] += 1
    elif identity.if_version and identity.if_version != _version(earlier):
        prepared.outcome = Outcome.MISMATCH
        gate.counts["message.version-mismatch"] += 1
    elif identity.once and sum(one[4] == row.subject for one in earlier) > 1:
        _refuse(gate, prepared, "If-None-Exist")
    elif prepared.once and (why := created.refuses(prepared)) is not None:
        if why is Reason.CONFLICT:
            prepared.outcome = Outcome.AGAIN
        else:
            _refuse(gate, prepared, once.where(prepared))


def _refuse(gate: Gate, prepared: Prepared, where: str) -> None:
    """Store nothing: several have the identifier that this was to be created under once."""
    prepared.outcome, prepared.mismatch = Outcome.MISMATCH, (Reason.CONDITION_SEVERAL, where)
    gate.counts["message.condition-several"] += 1


def _the_same(earlier: Sequence[_Earlier], row: MessageRow, identity: Identity) -> _Earlier | None:
    """Choose the earlier message that this one repeats; another patient's is never it, unless its bytes are."""
    if identity.versions:
        newest = max(earlier, key=lambda e: e[3], default=None)
        return newest if newest and newest[0] == row.digest else None
    repeated = next((e for e in earlier if e[0] == row.digest), None)
    if identity.once and repeated is None:
        mine = [e for e in earlier if e[4] == row.subject]
        return mine[0] if len(mine) == 1 else None
    return repeated


def version_of(digest: bytes) -> str:
    """Name a version of a resource, as ``ETag`` and ``If-Match`` do."""
    return digest.hex()


def _version(earlier: Sequence[_Earlier]) -> str:
    return version_of(max(earlier, key=lambda e: e[3])[0]) if earlier else ""


def _reused_control_id(prepared: Prepared) -> ledger.Leaf:
    """The same MSH-10 with other bytes: a new message, and something to look at."""
    row = prepared.message
    body = {"finding": Reason.CONTROL_ID_REUSED.code, "device": row.device}
    return prepare(Record("finding.raised", body, row.received_us, row.subject, (), row.id))


def _stored_already(gate: Gate, prepared: Prepared) -> bool:
    """Look up a message whose commit may have happened although we were not told."""
    if prepared.arrival.release:
        return False
    with read(gate.engine) as db:
        row = messages.message_row(db, prepared.message.id)
    if row is None:
        return False
    prepared.outcome, prepared.answer = Outcome.STORED, row.answer
    prepared.stored_id, prepared.version = row.id, version_of(row.digest)
    for resolution in prepared.resolutions:
        gate.resolver.committed(resolution)
    return True
