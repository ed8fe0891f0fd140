"""Keep the lanes of one link filled from its outbox rows.

Rules:
- Rows are read in order of ``seq``; at most ``waiting_rows_max`` of a link are in memory.
- A sender whose oldest row is ``blocked`` is not read until a person has decided.
- A row that must not be sent any more is settled here, never handed to a lane.
- It reads when it is told that rows were added (``look.py``); a read that fails is tried again.
- Every few seconds the whole link is read again from its start: rows a person put back, and rows that
  another writer committed late (PostgreSQL), are found without any signal.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import NamedTuple
from zlib import crc32

from sqlalchemy import Engine

from oathward.core.db import read
from oathward.core.errors import OathwardError, StorageError
from oathward.core.points import point
from oathward.core.reasons import Reason
from oathward.core.settings import Courier as Limits
from oathward.courier.lane import Lane, Wire
from oathward.courier.model import Failed, Item, Result
from oathward.courier.record import Settled
from oathward.messages import sql as messages
from oathward.messages.model import Delivery, OutboxRow

_RESCAN_S = 2.0
_DRAIN_POLL_S = 0.01
_FAILED_PAUSE_S = 0.5

Ready = Callable[[list[OutboxRow]], list[Item | Settled]]
"""Opens rows that may still be sent; gives a settled failure for those that may not, and leaves out what cannot be
told now. Runs in a thread."""


class _Batch(NamedTuple):
    """What one read gave.

    ``blocked``: senders nothing was taken of. ``opened``: of ``rows``, without what cannot be told now. ``last_seq``:
    how far it looked. ``more``: there may be something behind that.
    """

    blocked: set[str]
    rows: list[OutboxRow]
    opened: list[Item | Settled]
    last_seq: int
    more: bool


class Feed:
    """One link's rows in memory and its lanes.

    Args:
        wires: one a lane.
        ready: see ``Ready``.
        settle: takes final results to the recorder.
        settling: rows whose outcome is known and not yet recorded; a feed before this one may have sent them.
        ordered: the link's rule is ``block``.
        may_start: whether anything of this link may be sent now.
    """

    def __init__(
        self,
        engine: Engine,
        link: str,
        wires: list[Wire],
        limits: Limits,
        ready: Ready,
        settle: Callable[[Settled], None],
        settling: AbstractSet[int],
        *,
        ordered: bool,
        may_start: Callable[[], bool] = lambda: True,
    ) -> None:
        self.apart = False
        """Whether the last lane is for notices alone; said before it runs."""
        self._engine, self.link, self._limits = engine, link, limits
        self._ready, self._settle, self._settling, self._ordered = ready, settle, settling, ordered
        self._closing = False
        self._turn = 0
        self.lanes = [
            Lane(wire, limits, self._settled, self._dropped, ordered=ordered, may_start=may_start)
            for wire in wires
        ]
        self._loaded: set[int] = set()
        self._gone: set[int] = set()
        self._blocked: set[str] = set()
        self._blocking: dict[int, str] = {}  # blocked by an outcome that is not recorded yet
        self._postponed: set[str] = set()
        self._after = 0
        self._rescan_at_s = 0.0
        self._look_again = asyncio.Event()
        self.trouble = ""
        """Reason code of a read that failed; empty when the last one did not."""

    async def run(self) -> None:
        """Feed until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for lane in self.lanes:
                tasks.create_task(lane.run())
            tasks.create_task(self._feed())

    def arrived(self) -> None:
        """Note that rows of this link may have been added."""
        self._look_again.set()

    def recorded(self, seq: int) -> None:
        """Note that a row's outcome is durable: it may be forgotten."""
        self._gone.add(seq)
        self._loaded.discard(seq)

    def reconsider(self) -> None:
        """Drop what is not yet on the wire and read it again: policy or consent has changed."""
        self._turn += 1
        self._read_from_start()
        for lane in self.lanes:
            self._dropped(lane.clear())

    def on_wire(self) -> list[OutboxRow]:
        """List what was sent and is not answered."""
        return [row for lane in self.lanes for row in lane.on_wire()]

    async def withdraw(self, seqs: set[int], seen_s: float) -> None:
        """Break off what of these rows is not answered soon after it was seen that they may not be sent.

        Args:
            seen_s: when that was, of the monotonic clock.
        """
        lanes = [lane for lane in self.lanes if not seqs.isdisjoint(row.seq for row in lane.on_wire())]
        for lane in lanes:
            lane.withdraw(seqs)
        for lane in sorted(lanes, key=lambda lane: lane.grace_s):
            await asyncio.sleep(seen_s + lane.grace_s - time.monotonic())
            lane.break_off()
        while not seqs.isdisjoint(row.seq for row in self.on_wire()):  # noqa: ASYNC110  a wire says it to its lane alone
            await asyncio.sleep(_DRAIN_POLL_S)

    def interrupt(self, seqs: set[int]) -> None:
        """Break off these rows: whether they may be sent cannot be told. They are read, and decided, again."""
        for lane in self.lanes:
            if not seqs.isdisjoint(row.seq for row in lane.on_wire()):
                lane.break_off(seqs)

    async def drain(self, patience_s: float) -> None:
        """Send nothing more and wait for the answers that are outstanding: a broken wait is a delivery twice."""
        self._closing = True
        self.reconsider()
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + patience_s
        while any(lane.in_flight for lane in self.lanes) and loop.time() < deadline_s:  # noqa: ASYNC110  once, at the end
            await asyncio.sleep(_DRAIN_POLL_S)

    async def _feed(self) -> None:
        limits = self._limits
        least = max(
            1, min(limits.batch_rows, limits.waiting_rows_max) // 2
        )  # what a read is worth its while for
        while not self._closing:
            if limits.waiting_rows_max - len(self._loaded) < least:
                await asyncio.sleep(limits.poll_s)
                continue
            self._look_again.clear()
            try:
                more = await self._load()
                self.trouble = ""
            except StorageError as error:
                # From the start again: what lies behind may have been dropped, and nothing may overtake it.
                self.trouble, self._rescan_at_s = error.reason.code, 0.0
                await asyncio.sleep(_FAILED_PAUSE_S)
                continue
            if not more:
                await self._rest()

    async def _rest(self) -> None:
        """Wait until rows may have been added, or it is time to read from the start."""
        left_s = max(0.0, self._rescan_at_s - time.monotonic())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left_s):
                await self._look_again.wait()

    async def _load(self) -> bool:
        """Read rows, have them checked and opened, give them to their lanes; says whether there may be more."""
        turn = self._turn
        # What was recorded before this read begins, the read itself shows.
        for seq in self._gone:
            self._blocking.pop(seq, None)
        self._gone.clear()
        now_s = time.monotonic()
        from_start = now_s >= self._rescan_at_s
        if from_start:
            self._rescan_at_s = now_s + _RESCAN_S
            self._postponed.clear()
        # What a person released the database says; what is not recorded yet, or cannot be told, only we know.
        blocked = set(self._blocking.values()) if from_start else set(self._blocked)
        got = await asyncio.to_thread(self._read, blocked, from_start=from_start)
        if turn != self._turn:
            return True  # everything is to be read anew, and in order
        self._blocked = got.blocked | set(self._blocking.values()) | self._postponed
        # A read from the start that did not reach the end goes on from where it came to: rows of one sender may
        # lie on both sides of the old position.
        self._after = got.last_seq if got.more else max(self._after, got.last_seq)
        self._postpone(got)
        for one in got.opened:
            row = _row_of(one)
            # Not: settled by a feed before this one, overtaken by a block, or behind a row that cannot be told now.
            if self._is_new(row, self._blocked):
                self._loaded.add(row.seq)
                point("courier.read")
                self._put(one)
        return got.more

    def _postpone(self, got: _Batch) -> None:
        """Nothing overtakes a row that cannot be told now, until the next look."""
        if len(got.opened) == len(got.rows):
            return
        told = {_row_of(one).seq for one in got.opened}
        self._postponed.update(row.sender for row in got.rows if row.seq not in told)
        self._blocked = self._blocked | self._postponed

    def _is_new(self, row: OutboxRow, blocked: AbstractSet[str]) -> bool:
        # A row recorded while we read was still in our snapshot: it must not go out twice.
        known = row.seq in self._settling or row.seq in self._loaded or row.seq in self._gone
        return not known and row.sender not in blocked

    def _read(self, blocked: set[str], *, from_start: bool) -> _Batch:
        """Read what is there, choose what is new and have it opened; runs in a thread, in one go.

        What it leaves out as known is only work that is spared: the loop looks again at each row before it goes on.
        """
        room = self._limits.waiting_rows_max - len(self._loaded)
        limit = self._limits.waiting_rows_max if from_start else min(room, self._limits.batch_rows)
        after = 0 if from_start else self._after
        with read(self._engine) as db:
            if from_start:
                blocked |= messages.blocked_senders(db, self.link)
            found = messages.pending(db, self.link, after, limit, skip_senders=blocked)
        new = [row for row in found if self._is_new(row, blocked)]
        rows = new[:room]
        if len(new) > room:
            last_seq, more = rows[-1].seq, True
        else:
            last_seq, more = (found[-1].seq if found else after), len(found) >= limit
        return _Batch(blocked, rows, self._ready(rows) if rows else [], last_seq, more)

    def _put(self, one: Item | Settled) -> None:
        if isinstance(one, Item):
            self._lane_of(one.row).put(one)
        else:
            self._settle(one)

    def _lane_of(self, row: OutboxRow) -> Lane:
        """Choose by sender; notices have a lane to themselves where there is one, and hold up nothing else."""
        if self.apart and row.is_notice:
            return self.lanes[-1]
        return self.lanes[crc32(row.sender.encode()) % (len(self.lanes) - self.apart)]

    def _settled(self, item: Item, result: Result) -> None:
        state = Delivery.DEAD
        over = item.row.is_notice or (
            isinstance(result, Failed) and result.reason is Reason.CONSENT_WITHDRAWN_IN_FLIGHT
        )
        if isinstance(result, Failed) and self._ordered and not over:
            state = Delivery.BLOCKED
            self._blocked.add(item.row.sender)
            self._blocking[item.row.seq] = item.row.sender
        self._settle((item, result, state))

    def _dropped(self, items: list[Item]) -> None:
        # What was dropped lies behind what was read, and behind what is being read: only a read from the start
        # finds it, in order.
        self._turn += 1
        self._read_from_start()
        self._loaded.difference_update(item.row.seq for item in items)

    def _read_from_start(self) -> None:
        self._rescan_at_s = 0.0
        self._look_again.set()


def settled_error(row: OutboxRow, error: OathwardError) -> Settled:
    """Turn a row that cannot be opened or may not be sent into its outcome."""
    return Item(row, b""), Failed(error.reason), Delivery.DEAD


def _row_of(one: Item | Settled) -> OutboxRow:
    return one.row if isinstance(one, Item) else one[0].row
