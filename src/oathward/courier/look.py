"""One look at the outbox for all links of a site: which of them have something new.

Rules:
- On SQLite a look is one short query behind the last ``seq`` seen, on a connection and a thread of its own: where nobody can
  read, the event loop goes on, and care with it.
- On PostgreSQL rows are not committed in the order of their ``seq``: every look sends every feed to read for itself.
- A look that fails knows nothing: every feed is sent, and the next look begins at the end of the outbox again.
- When nothing has come for a while, looks are a little rarer.

Deliberately absent: reading the rows (``feed.py``), and rows that were put back (a feed reads its link from the start
every few seconds).
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from oathward.messages import sql as messages

_IDLE_AFTER_LOOKS = 50
_IDLE_S = 0.05


class Look:
    """Look every ``poll_s`` until cancelled.

    Args:
        tell: called with the links that have new rows; ``None`` means any may have.
    """

    def __init__(self, engine: Engine, poll_s: float, tell: Callable[[Iterable[str] | None], None]) -> None:
        self._engine, self._poll_s, self._tell = engine, poll_s, tell
        self._in_order = engine.dialect.name == "sqlite"
        self._db: Connection | None = None
        self._after = 0
        self._thread = ThreadPoolExecutor(1, "look")

    async def run(self) -> None:
        """Look and tell."""
        empty, loop = 0, asyncio.get_running_loop()
        try:
            while True:
                links = await loop.run_in_executor(self._thread, self.added)
                if links is None or links:
                    self._tell(links)
                    empty = 0
                else:
                    empty += 1
                idle = empty > _IDLE_AFTER_LOOKS
                await asyncio.sleep(max(_IDLE_S, self._poll_s) if idle else self._poll_s)
        finally:
            self._thread.submit(self._close)
            self._thread.shutdown(wait=False)

    def added(self) -> Iterable[str] | None:
        """Give the links that got rows since the last call; ``None`` where that is not known."""
        if not self._in_order:
            return None
        try:
            if self._db is None:
                self._db = self._engine.connect()
                self._after = messages.last_seq(self._db)
                return None
            found = messages.arrived(self._db, self._after)
        except (sqlite3.Error, DBAPIError):
            self._close()
            return None
        if found:
            self._after = max(found.values())
        return found

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None
