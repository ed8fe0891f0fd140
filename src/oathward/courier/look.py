"""One look at the outbox for all links of a site: which of them have something new.

Rules:
- On SQLite a look is one short query behind the last ``seq`` seen, in the event loop: readers wait for nobody there,
  and an empty look costs a fraction of what a thread would.
- On PostgreSQL rows are not committed in the order of their ``seq``: every look sends every feed to read for itself.
- A look that fails knows nothing: every feed is sent, and the next look begins at the end of the outbox again.

Deliberately absent: reading the rows (``feed.py``), and rows that were put back (a feed reads its link from the start
every few seconds).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from sqlalchemy import Engine

from oathward.core.db import read
from oathward.core.errors import StorageError
from oathward.messages import sql as messages


class Look:
    """Look every ``poll_s`` until cancelled.

    Args:
        tell: called with the links that have new rows; ``None`` means any may have.
    """

    def __init__(self, engine: Engine, poll_s: float, tell: Callable[[Iterable[str] | None], None]) -> None:
        self._engine, self._poll_s, self._tell = engine, poll_s, tell
        self._in_order = engine.dialect.name == "sqlite"
        self._after: int | None = None

    async def run(self) -> None:
        """Look and tell."""
        while True:
            links = self.added()
            if links is None or links:
                self._tell(links)
            await asyncio.sleep(self._poll_s)

    def added(self) -> Iterable[str] | None:
        """Give the links that got rows since the last call; ``None`` where that is not known."""
        if not self._in_order:
            return None
        try:
            with read(self._engine) as db:
                if self._after is None:
                    self._after = messages.last_seq(db)
                    return None
                found = messages.arrived(db, self._after)
        except StorageError:
            self._after = None
            return None
        self._after = max([self._after, *found.values()])
        return found
