"""Keep the lanes of one link filled from its outbox rows.

Rules:
- Rows are read in order of ``seq``; at most ``waiting_rows_max`` of a link are in memory.
- A sender whose oldest row is ``blocked`` is not read until a person has decided.
- A row that must not be sent any more is settled here, never handed to a lane.
- Every few seconds the whole link is read again from its start: rows a person put back, and rows that
  another writer committed late (PostgreSQL), are found without any signal.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from zlib import crc32

from sqlalchemy import Engine

from oathward.core.db import read
from oathward.core.errors import OathwardError
from oathward.core.points import point
from oathward.core.settings import Courier as Limits
from oathward.courier.lane import Lane, Wire
from oathward.courier.model import Failed, Item, Result
from oathward.courier.record import Settled
from oathward.messages import sql as messages
from oathward.messages.model import Delivery, OutboxRow

_RESCAN_S = 2.0
_DRAIN_POLL_S = 0.01

Ready = Callable[[list[OutboxRow]], list[Item | Settled]]
"""Opens rows that may still be sent; gives a settled failure for those that may not, and leaves out what cannot be
told now. Runs in a thread."""


class Feed:
    """One link's rows in memory and its lanes.

    Args:
        wires: one a lane.
        ready: see ``Ready``.
        settle: takes final results to the recorder.
        settling: rows whose outcome is known and not yet recorded; a feed before this one may have sent them.
        ordered: the link's rule is ``block``.
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
    ) -> None:
        self._engine, self.link, self._limits = engine, link, limits
        self._ready, self._settle, self._settling, self._ordered = ready, settle, settling, ordered
        self._closing = False
        self._turn = 0
        self.lanes = [Lane(wire, limits, self._settled, self._dropped, ordered=ordered) for wire in wires]
        self._loaded: set[int] = set()
        self._gone: set[int] = set()
        self._blocked: set[str] = set()
        self._blocking: dict[int, str] = {}  # blocked by an outcome that is not recorded yet
        self._postponed: set[str] = set()
        self._after = 0
        self._rescan_at_s = 0.0

    async def run(self) -> None:
        """Feed until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for lane in self.lanes:
                tasks.create_task(lane.run())
            tasks.create_task(self._feed())

    def recorded(self, seq: int) -> None:
        """Note that a row's outcome is durable: it may be forgotten."""
        self._loaded.discard(seq)
        self._gone.add(seq)

    def reconsider(self) -> None:
        """Drop what is not yet on the wire and read it again: policy or consent has changed."""
        self._turn += 1
        self._rescan_at_s = 0.0
        for lane in self.lanes:
            self._dropped(lane.clear())

    async def drain(self, patience_s: float) -> None:
        """Send nothing more and wait for the answers that are outstanding: a broken wait is a delivery twice."""
        self._closing = True
        self.reconsider()
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + patience_s
        while any(lane.in_flight for lane in self.lanes) and loop.time() < deadline_s:  # noqa: ASYNC110  once, at the end
            await asyncio.sleep(_DRAIN_POLL_S)

    async def _feed(self) -> None:
        while not self._closing:
            rows = await self._load() if len(self._loaded) < self._limits.waiting_rows_max else []
            if len(rows) < self._limits.batch_rows // 2:
                await asyncio.sleep(self._limits.poll_s)

    async def _load(self) -> list[OutboxRow]:
        """Read rows, have them checked and opened, give them to their lanes."""
        turn = self._turn
        # What was recorded before this read begins, the read itself shows.
        for seq in self._gone:
            self._blocking.pop(seq, None)
        self._gone.clear()
        now_s = time.monotonic()
        from_start = now_s >= self._rescan_at_s
        if from_start:
            self._rescan_at_s = now_s + _RESCAN_S
        found, blocked = await asyncio.to_thread(self._read, from_start=from_start)
        if from_start:
            self._postponed.clear()
        self._blocked = blocked | set(self._blocking.values()) | self._postponed
        if turn != self._turn:
            return found  # everything is to be read anew, and in order
        room = self._limits.waiting_rows_max - len(self._loaded)
        rows = [row for row in found if self._is_new(row)][:room]
        self._loaded.update(row.seq for row in rows)
        self._after = max([self._after, *(row.seq for row in rows)])
        opened = await asyncio.to_thread(self._ready, rows) if rows else []
        self._postpone(rows, opened)
        for one in opened:
            row = _row_of(one)
            if turn != self._turn or row.sender in self._blocked:
                self._loaded.discard(row.seq)  # decided under what held before, or overtaken by a block
            else:
                point("courier.read")
                self._put(one)
        return rows

    def _postpone(self, rows: list[OutboxRow], opened: list[Item | Settled]) -> None:
        """Let go of rows that cannot be told now; nothing of their senders overtakes them until the next look."""
        told = {_row_of(one).seq for one in opened}
        left = [row for row in rows if row.seq not in told]
        self._loaded.difference_update(row.seq for row in left)
        self._postponed.update(row.sender for row in left)
        self._blocked = self._blocked | self._postponed

    def _is_new(self, row: OutboxRow) -> bool:
        # A row recorded while we read was still in our snapshot: it must not go out twice.
        known = row.seq in self._loaded or row.seq in self._gone or row.seq in self._settling
        return not known and row.sender not in self._blocked

    def _read(self, *, from_start: bool) -> tuple[list[OutboxRow], set[str]]:
        limit = self._limits.waiting_rows_max if from_start else self._limits.batch_rows
        with read(self._engine) as db:
            blocked = messages.blocked_senders(db, self.link) if from_start else self._blocked
            after = 0 if from_start else self._after
            return messages.pending(db, self.link, after, limit, skip_senders=blocked), blocked

    def _put(self, one: Item | Settled) -> None:
        if isinstance(one, Item):
            self.lanes[crc32(one.row.sender.encode()) % len(self.lanes)].put(one)
        else:
            self._settle(one)

    def _settled(self, item: Item, result: Result) -> None:
        state = Delivery.DEAD
        if isinstance(result, Failed) and self._ordered:
            state = Delivery.BLOCKED
            self._blocked.add(item.row.sender)
            self._blocking[item.row.seq] = item.row.sender
        self._settle((item, result, state))

    def _dropped(self, items: list[Item]) -> None:
        # What was dropped lies behind what was read: only a read from the start finds it, in order.
        self._rescan_at_s = 0.0
        self._loaded.difference_update(item.row.seq for item in items)


def settled_error(row: OutboxRow, error: OathwardError) -> Settled:
    """Turn a row that cannot be opened or may not be sent into its outcome."""
    return Item(row, b""), Failed(error.reason), Delivery.DEAD


def _row_of(one: Item | Settled) -> OutboxRow:
    return one.row if isinstance(one, Item) else one[0].row
