"""Sealed bodies in a table: tier 2, where several hosts share one PostgreSQL.

Rules:
- The same verbs as ``bodies.SegmentStore``: ``append``, ``flush``, ``read``, ``read_many``, ``discard_tail``, ``drop``.
- ``flush`` commits what was appended, before the transaction that names it; the row is the truth.
- Ids count up within one (site, store); one writer a store, as with segments: on PostgreSQL a writer holds an
  advisory lock until it is closed or its connection ends. Without it a process that starts anew would take what one
  that has not quite died writes for a tail, and remove it.

Deliberately absent: large objects, and any use on SQLite beyond tests (segment files are a third of its cost).
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterable, Sequence

from sqlalchemy import BigInteger, Column, Connection, Engine, LargeBinary, Table, Text, delete, func, select
from sqlalchemy.exc import DBAPIError

from oathward.core.db import METADATA, insert_many, read, storage_error, write
from oathward.core.errors import StorageError
from oathward.core.reasons import Reason
from oathward.vault.bodies import BodyRef

body = Table(
    "body",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("store", Text, primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)


class TableStore:
    """Write bodies of one store into the table; reads those of all stores of the site.

    Args:
        alone: be the only writer of this store; a reader need not.

    Raises:
        StorageError: ``CONFLICT`` when another process writes there.
    """

    def __init__(
        self, engine: Engine, site: str, store: str = "kept", writer: str = "main", *, alone: bool = False
    ) -> None:
        self.store = f"{store}/{writer}"
        self._engine, self._site = engine, site
        self._guard = threading.Lock()
        self._waiting: list[tuple[str, str, int, bytes]] = []
        self._lock = self._locked() if alone and engine.dialect.name == "postgresql" else None
        with read(engine) as db:
            query = select(func.max(body.c.id)).where(body.c.site == site, body.c.store == self.store)
            self._last = db.execute(query).scalar() or 0

    def append(self, bodies: Sequence[bytes], digests: Iterable[bytes] | None = None) -> list[BodyRef]:
        """Take bodies for the next ``flush``; ``digests``: their SHA-256, where known."""
        with self._guard:
            refs = []
            for data, digest in zip(
                bodies, digests or (hashlib.sha256(one).digest() for one in bodies), strict=True
            ):
                self._last += 1
                self._waiting.append((self._site, self.store, self._last, data))
                refs.append(BodyRef(self.store, self._last, 0, len(data), digest))
            return refs

    def flush(self) -> None:
        """Commit everything appended so far.

        Raises:
            StorageError: nothing of it is known to be stored; it is tried again at the next flush.
        """
        with self._guard:
            with write(self._engine) as db:
                insert_many(db, body, self._waiting)
            self._waiting = []

    def _locked(self) -> Connection:
        key = int.from_bytes(
            hashlib.sha256(f"{self._site}|{self.store}".encode()).digest()[:8], "big", signed=True
        )
        try:
            lock = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            got = lock.exec_driver_sql("SELECT pg_try_advisory_lock(%s)", (key,)).scalar()
        except DBAPIError as error:
            raise storage_error(error) from error
        if not got:
            lock.close()
            raise StorageError(self.store, "another process writes here", reason=Reason.CONFLICT)
        return lock

    def read(self, ref: BodyRef) -> bytes:
        """Give the body a row names.

        Raises:
            StorageError: ``NOT_FOUND`` if it is gone, ``STORAGE_FAILED`` if it is not what was stored.
        """
        with read(self._engine) as db:
            return self._read(db, ref)

    def read_many(self, refs: Sequence[BodyRef]) -> list[bytes | StorageError]:
        """Give bodies in the order of ``refs``, or why one cannot be given.

        Raises:
            StorageError: the database cannot be asked now; that says nothing of any body.
        """
        found: list[bytes | StorageError] = []
        with read(self._engine) as db:
            for ref in refs:
                try:
                    found.append(self._read(db, ref))
                except StorageError as error:
                    found.append(error)
        return found

    def _read(self, db: Connection, ref: BodyRef) -> bytes:
        where = f"bodies {ref.store}/{ref.id}"
        query = select(body.c.data).where(
            body.c.site == self._site, body.c.store == ref.store, body.c.id == ref.id
        )
        data = db.execute(query).scalar()
        if data is None:
            raise StorageError(where, "the body is gone", reason=Reason.NOT_FOUND)
        data = bytes(data)
        if len(data) != ref.length or hashlib.sha256(data).digest() != ref.sha256:
            raise StorageError(where, "the stored bytes are not the ones that were written")
        return data

    def discard_tail(self, last: BodyRef | None) -> int:
        """Remove what lies behind the last body a committed row names; gives the number of bodies."""
        after = last.id if last else 0
        with self._guard, write(self._engine) as db:
            return db.execute(
                delete(body).where(body.c.site == self._site, body.c.store == self.store, body.c.id > after)
            ).rowcount

    def drop(self, segment: int) -> None:
        """Delete one body; the caller knows that no row needs it."""
        with self._guard, write(self._engine) as db:
            db.execute(
                delete(body).where(
                    body.c.site == self._site, body.c.store == self.store, body.c.id == segment
                )
            )

    def close(self) -> None:
        """Give up what was not flushed, and the lock."""
        self._waiting = []
        if self._lock is not None:
            with contextlib.suppress(
                DBAPIError
            ):  # so that a successor need not wait until the server noticed
                self._lock.exec_driver_sql("SELECT pg_advisory_unlock_all()")
            self._lock.invalidate()  # the connection itself ends: back in the pool it would keep the lock
            self._lock.close()
            self._lock = None
