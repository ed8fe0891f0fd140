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
from oathward.core.settings import Courier as Limits
from oathward.courier.lane import Lane, Wire
from oathward.courier.model import Failed, Item, Result
from oathward.courier.record import Settled
from oathward.messages import sql as messages
from oathward.messages.model import Delivery, OutboxRow

_RESCAN_S = 2.0
_DRAIN_POLL_S = 0.01

Ready = Callable[[list[OutboxRow]], list[Item | Settled]]
"""Opens rows that may still be sent; gives a settled failure for the others. Runs in a thread."""


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
        self.lanes = [Lane(wire, limits, self._settled, self._dropped, ordered=ordered) for wire in wires]
        self._loaded: set[int] = set()
        self._gone: set[int] = set()
        self._blocked: set[str] = set()
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
        for lane in self.lanes:
            self._dropped(lane.clear())
        self._rescan_at_s = 0.0

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
            room = self._limits.waiting_rows_max - len(self._loaded)
            rows: list[OutboxRow] = []
            if room > 0:
                self._gone.clear()
                found = await asyncio.to_thread(self._read)
                # A row recorded while we read was still in our snapshot: it must not go out twice.
                known = (self._loaded, self._gone, self._settling)
                rows = [row for row in found if not any(row.seq in seqs for seqs in known)][:room]
                self._loaded.update(row.seq for row in rows)
                self._after = max([self._after, *(row.seq for row in rows)])
                opened = await asyncio.to_thread(self._ready, rows) if rows else []
                if self._closing:
                    return
                for one in opened:
                    self._put(one)
            if len(rows) < self._limits.batch_rows // 2:
                await asyncio.sleep(self._limits.poll_s)

    def _read(self) -> list[OutboxRow]:
        now = time.monotonic()
        with read(self._engine) as db:
            if now < self._rescan_at_s:
                return messages.pending(
                    db, self.link, self._after, self._limits.batch_rows, skip_senders=self._blocked
                )
            self._rescan_at_s = now + _RESCAN_S
            self._blocked = messages.blocked_senders(db, self.link)
            return messages.pending(
                db, self.link, 0, self._limits.waiting_rows_max, skip_senders=self._blocked
            )

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
        self._settle((item, result, state))

    def _dropped(self, items: list[Item]) -> None:
        self._loaded.difference_update(item.row.seq for item in items)


def settled_error(row: OutboxRow, error: OathwardError) -> Settled:
    """Turn a row that cannot be opened or may not be sent into its outcome."""
    return Item(row, b""), Failed(error.reason), Delivery.DEAD
