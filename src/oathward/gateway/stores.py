"""Where sealed bodies of this gateway go: segment files, or a table where the database is PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import Connection

from oathward.messages import sql as messages
from oathward.vault import kept
from oathward.vault.bodies import SegmentStore
from oathward.vault.opened import Opened
from oathward.vault.table_store import TableStore


class Stores:
    """The two stores of one writer: originals for the keeper, deliveries for the courier.

    Args:
        writer: ``gateway`` or ``replay``; each writes files of its own.
    """

    def __init__(self, site: Opened, writer: str) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="flush")
        root = site.settings.data / "bodies"
        self.kept: SegmentStore | TableStore
        self.outbox: SegmentStore | TableStore
        if site.engine.dialect.name == "sqlite":
            self.kept, self.outbox = SegmentStore(root, "kept", writer), SegmentStore(root, "outbox", writer)
        else:
            self.kept = TableStore(site.engine, site.site, "kept", writer, alone=True)
            self.outbox = TableStore(site.engine, site.site, "outbox", writer, alone=True)

    def flush(self, *, kept: bool, outbox: bool) -> None:
        """Make what was appended durable; both at once, since a flush is mostly waiting.

        Raises:
            StorageError: one of them failed; neither may be relied on.
        """
        other = self._pool.submit(self.kept.flush) if kept and outbox else None
        if outbox:
            self.outbox.flush()
        elif kept:
            self.kept.flush()
        if other is not None:
            other.result()

    def discard_tails(self, db: Connection) -> None:
        """At start: remove what was written but never named by a committed row."""
        self.kept.discard_tail(kept.last_ref(db, self.kept.store))
        self.outbox.discard_tail(messages.last_body(db, self.outbox.store))

    def drop_used_up(self, db: Connection) -> int:
        """Delete finished segments that no row needs any more; gives how many."""
        dropped = 0
        pairs = (
            (self.outbox, messages.bodies_in_use(db, self.outbox.store)),
            (self.kept, kept.segments_in_use(db, self.kept.store)),
        )
        for store, in_use in pairs:
            if isinstance(store, SegmentStore):
                for number, _ in store.segments()[:-1]:
                    if number not in in_use:
                        store.drop(number)
                        dropped += 1
        return dropped

    @property
    def broken(self) -> bool:
        """Whether a flush failed: this process must not write bodies any more."""
        return bool(getattr(self.kept, "broken", False) or getattr(self.outbox, "broken", False))

    def close(self) -> None:
        """Close files and give up their locks."""
        self._pool.shutdown()
        self.kept.close()
        self.outbox.close()
