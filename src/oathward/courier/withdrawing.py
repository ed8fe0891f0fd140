"""What is on the wire when consents or merges change is decided again, and broken off where it may not be there.

Rules:
- What is refused is withdrawn: without an answer in time its connection is reset, and it is never sent again.
- What cannot be told (nobody can read, or a fact is not known) is asked again. On a link that is not for care it is broken
  off when the time for an answer is over, and decided before it is sent again; care goes on.
- A bug here breaks off what it was about, is said, and ends the process: its successor decides everything anew.

Deliberately absent: what waits in lanes (``Feed.reconsider``), and how a wire breaks off.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import structlog

from oathward.core.errors import StorageError
from oathward.core.reasons import Reason
from oathward.courier.effects import Change, Effects
from oathward.courier.feed import Feed
from oathward.courier.model import GRACE_S
from oathward.courier.recheck import Later
from oathward.courier.standing import Moved, Standing
from oathward.messages.model import OutboxRow

_AGAIN_S = 0.05

log = structlog.get_logger()


class Withdrawing:
    """Withdraws for one courier, on its event loop."""

    def __init__(self, knows: Standing, effects: Effects) -> None:
        self._knows, self._effects = knows, effects
        self._tasks: set[asyncio.Task[None]] = set()
        self.broken: Exception | None = None
        """A bug that was met: the process must end and start anew."""

    def moved(self, moved: Moved, feeds: Sequence[tuple[Feed, bool]]) -> None:
        """Decide everything anew: what waits by reading it again, what is on the wire where it is.

        Args:
            feeds: each with whether its link is for care.
        """
        change = self._effects.begin(moved.versions)
        for feed, _ in feeds:
            feed.reconsider()
        change.cleared_us = self._effects.now_us()
        flying = [
            asyncio.create_task(self._withdraw(feed, moved.seen_s, change, care=care))
            for feed, care in feeds
            if feed.on_wire()
        ]
        if not flying:
            self._effects.close(change)
            return
        for task in (asyncio.create_task(self._end(flying, change)), *flying):
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """Ask no more; what nobody has told of is broken off."""
        for task in self._tasks:
            task.cancel()

    async def _end(self, flying: list[asyncio.Task[None]], change: Change) -> None:
        found = await asyncio.gather(*flying, return_exceptions=True)
        error = next((one for one in found if isinstance(one, Exception)), None)
        if error is None:
            self._effects.close(change)
        else:
            log.error("courier.withdraw", trouble=type(error).__name__)
            self.broken = error

    async def _withdraw(self, feed: Feed, seen_s: float, change: Change, *, care: bool) -> None:
        unsure = {row.seq for row in feed.on_wire()}
        breaking = []
        try:
            while rows := [row for row in feed.on_wire() if row.seq in unsure]:
                why = await self._refused(rows)
                seqs = {row.seq for row, no in zip(rows, why, strict=True) if isinstance(no, Reason)}
                if seqs:
                    change.refused |= seqs
                    breaking.append(asyncio.create_task(feed.withdraw(seqs, seen_s)))
                unsure = {row.seq for row, no in zip(rows, why, strict=True) if isinstance(no, Later)}
                if unsure and not care and time.monotonic() - seen_s >= GRACE_S:
                    break
                if unsure:
                    await asyncio.sleep(_AGAIN_S)
        finally:
            if not care:
                feed.interrupt(unsure)
            await asyncio.gather(*breaking)

    async def _refused(self, rows: list[OutboxRow]) -> Sequence[Reason | Later | None]:
        try:
            return await asyncio.to_thread(self._knows.refused, rows)
        except StorageError as error:
            return [Later(error.reason)] * len(rows)
