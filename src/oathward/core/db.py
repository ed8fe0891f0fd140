"""One door to the database: SQLite in the data folder, or PostgreSQL by URL.

Rules:
- SQLite runs ``WAL`` with ``synchronous=FULL``: an acknowledged row survives a power cut.
- Every writer of a SQLite file takes one advisory ``flock`` beside it, then ``BEGIN IMMEDIATE``, for
  one bounded group, and yields after it; SQLite's own busy wait starves the smaller writer.
- Functions take ``db: Connection`` first; the transaction is one ``with write(engine)`` in the caller.
- No transaction spans I/O. Readers use ``read(engine)`` and keep no snapshot over seconds.
- Tables are declared on the shared ``METADATA`` by the module that owns them; no other touches them.

Deliberately absent: an ORM, retries (the caller knows whether a retry is safe).
"""

from __future__ import annotations

import fcntl
import operator
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, CursorResult, Engine, MetaData, Table, create_engine, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

from oathward.core.errors import StorageError
from oathward.core.reasons import Reason

METADATA = MetaData()

# The driver looks for a way to adapt every value whose type it does not know by heart, bytes, None and bool among
# them; saying "as it is" beforehand costs a quarter of that (measured: 0.7 µs a value, 8 of them in a message's rows).
sqlite3.register_adapter(bytes, bytes.__bytes__)
sqlite3.register_adapter(bool, operator.index)
sqlite3.register_adapter(type(None), {}.get)  # type: ignore[arg-type]  # gives None for None

PIECE_ROWS = 1_024
"""Rows that go in one transaction where many do."""

GROUP_ROWS_MAX = 256
"""The most messages (or records) one write transaction may hold."""

_BUSY_TIMEOUT_MS = 30_000
_WAL_PAGES_MAX = 200_000
"""A writer checkpoints by itself only past this; ``checkpoint()`` runs off the commit path before."""

_SCHEMA_LOCK = 0x0A7_4A12D
_COLUMNS = {
    "sqlite": "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'",
    "postgresql": "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()",
}
"""Every table with its columns, a row each."""

_CHUNKS = (256, 128, 64, 32, 16, 8, 4, 2, 1)
"""Row counts of one statement: few texts, so that each stays prepared."""

_locks: dict[str, _WriterLock] = {}
_locks_guard = threading.Lock()


class _WriterLock:
    """Serialise writers of one SQLite file: threads by a lock, processes by ``flock``."""

    def __init__(self, path: Path) -> None:
        self._thread = threading.Lock()
        self._path = path
        self._fd = -1
        self._pid = -1

    def __enter__(self) -> None:
        self._thread.acquire()
        try:
            if self._pid != os.getpid():  # an fd inherited over fork shares its lock: open our own
                self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
                self._pid = os.getpid()
            fcntl.flock(self._fd, fcntl.LOCK_EX)
        except BaseException:
            self._thread.release()
            raise

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_UN)
        self._thread.release()
        os.sched_yield()


def connect(url: str, *, reads_only: bool = False) -> Engine:
    """Open the database a URL names.

    Args:
        url: ``sqlite:///path/to/oathward.db`` or ``postgresql+psycopg://…``.
        reads_only: the database refuses every statement that writes.

    Raises:
        StorageError: the URL is of another kind.
    """
    kind = make_url(url).get_backend_name()
    if kind == "postgresql":
        only = {"options": "-c default_transaction_read_only=on"} if reads_only else {}
        return create_engine(url, pool_size=4, max_overflow=4, connect_args=only)
    if kind != "sqlite":
        raise StorageError("database.url", "use sqlite:///… or postgresql+psycopg://…")
    engine = create_engine(
        url,
        connect_args={
            "check_same_thread": False,
            "timeout": _BUSY_TIMEOUT_MS / 1000,
            "cached_statements": 512,
        },
        pool_reset_on_return=None,  # ``read`` and ``write`` end what they began; asking again costs a fifth of both
    )

    @event.listens_for(engine, "connect")
    def _on_connect(raw: sqlite3.Connection, _record: object) -> None:
        raw.isolation_level = None  # we say BEGIN ourselves, below
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "temp_store=MEMORY",
            "cache_size=-32768",
            f"wal_autocheckpoint={_WAL_PAGES_MAX}",
            f"query_only={'ON' if reads_only else 'OFF'}",
        ):
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _on_begin(db: Connection) -> None:
        immediate = db.get_execution_options().get("oathward_write")
        raw = _raw(db)
        if raw.in_transaction:  # a rollback failed: what it left must not be taken for the next one's
            raw.rollback()
        raw.execute("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


@contextmanager
def write(engine: Engine) -> Iterator[Connection]:
    """Run one bounded group of writes as one durable transaction.

    Raises:
        StorageError: ``storage.full`` or ``storage.failed``; nothing was committed, or (connection lost
            during COMMIT on PostgreSQL) the outcome is unknown and the caller must look it up.
    """
    try:
        if engine.dialect.name == "sqlite":
            with _lock_of(engine), _writing(engine).connect() as db, db.begin():
                yield db
        else:
            with engine.begin() as db:
                yield db
    except (DBAPIError, sqlite3.Error) as error:
        raise storage_error(error) from error


@contextmanager
def read(engine: Engine) -> Iterator[Connection]:
    """Read one consistent snapshot; keep it short."""
    try:
        with engine.connect() as db, db.begin():
            yield db
    except (OperationalError, sqlite3.OperationalError) as error:
        raise storage_error(error) from error


def in_pieces(engine: Engine, piece: Callable[[Connection, int], int], rows: int = PIECE_ROWS) -> int:
    """Do bounded pieces (of at most ``rows``, each gives how many it did) one a transaction until one is not full; gives the sum."""
    done = 0
    while True:
        with write(engine) as db:
            some = piece(db, rows)
        done += some
        if some < rows:
            return done


def storage_error(error: DBAPIError | sqlite3.Error) -> StorageError:
    """Wrap a driver error once, without the statement's values."""
    text = str(error.orig if isinstance(error, DBAPIError) else error).lower()
    full = "full" in text or "no space" in text
    constraint = type(error).__name__
    return StorageError("database", constraint, reason=Reason.STORAGE_FULL if full else Reason.STORAGE_FAILED)


def hold_alone(db: Connection, name: str) -> None:
    """Let nobody else hold what has this name until the transaction ends; on SQLite the writer is alone anyway."""
    if db.dialect.name != "sqlite":
        key = int.from_bytes(sha256(name.encode()).digest()[:8], "big", signed=True)
        direct(db, "SELECT pg_advisory_xact_lock(?)", (key,))


def create_tables(engine: Engine) -> None:
    """Create every declared table that is absent; import the owners first.

    Raises:
        StorageError: ``storage.schema``: a table that is there has other columns, as another version made it.
    """
    with write(engine) as db:
        if db.dialect.name == "postgresql":
            # Processes start together: without a lock both find a table absent and one of them fails.
            db.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_SCHEMA_LOCK})")
        # One look for all of them, at each start of each process: a statement a table took fifteen milliseconds.
        here: dict[str, set[str]] = {}
        for table, column in db.exec_driver_sql(_COLUMNS[db.dialect.name]):
            here.setdefault(table, set()).add(column)
        _check_columns(here)
        if db.dialect.name == "postgresql":
            METADATA.create_all(db)
            return
        for table in METADATA.tables.values():
            if table.name not in here:
                for statement in _written(table):
                    db.exec_driver_sql(statement)


def _check_columns(here: dict[str, set[str]]) -> None:
    """Refuse tables that other columns are in: what asks for one would fail much later, and only then (ADR 0011)."""
    for table in METADATA.tables.values():
        other = here.get(table.name, set(table.columns.keys())) ^ set(table.columns.keys())
        if other:
            where = f"{table.name}.{min(other)}"
            why = "is of another version; it needs the program that made it, or a new data folder"
            raise StorageError(where, why, reason=Reason.STORAGE_SCHEMA)


@cache
def _written(table: Table) -> tuple[str, ...]:
    """Write what makes one table and its indexes on SQLite."""
    dialect = sqlite.dialect()
    made: list[ExecutableDDLElement] = [CreateTable(table)]
    made += [CreateIndex(index) for index in table.indexes]
    return tuple(str(one.compile(dialect=dialect)) for one in made)


def insert_many(db: Connection, table: Table, rows: Sequence[tuple[Any, ...]], *, skip: str = "") -> None:
    """Insert rows given as tuples in the table's column order: the hot way in.

    On SQLite many rows go in one statement: its driver gives up the interpreter lock for every
    statement it steps, and a busy event loop takes milliseconds to give it back.

    Args:
        skip: a column that the database fills (an automatic key); absent from the tuples.
    """
    if db.dialect.name != "sqlite":
        if rows:
            db.exec_driver_sql(_insert_sql(table, db.dialect.name, 1, skip), list(rows))
        return
    raw = _raw(db)
    start = 0
    for size in _CHUNKS:
        while len(rows) - start >= size:
            flat = tuple(chain.from_iterable(rows[start : start + size]))
            raw.execute(_insert_sql(table, "sqlite", size, skip), flat)
            start += size


def direct(db: Connection, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor | CursorResult[Any]:
    """Run one hot statement with ``?`` marks on the driver itself; the answer has ``fetchone``, ``fetchall``, ``rowcount``.

    ``FOR UPDATE`` is left out on SQLite, where the writer is alone anyway.
    """
    dialect = db.dialect.name
    text = for_dialect(sql, dialect)
    return _raw(db).execute(text, values) if dialect == "sqlite" else db.exec_driver_sql(text, tuple(values))


@lru_cache(maxsize=256)
def for_dialect(sql: str, dialect: str) -> str:
    """Write a statement with ``?`` marks as a database's driver wants it."""
    return sql.replace(" FOR UPDATE", "") if dialect == "sqlite" else sql.replace("?", "%s")


def where_in(db: Connection, sql: str, keys: Sequence[Any]) -> Iterator[Any]:
    """Run ``sql`` (with ``{}`` for the list in ``IN ({})``) over any number of keys; yields rows if there are any."""
    sqlite = db.dialect.name == "sqlite"
    mark = "?" if sqlite else "%s"
    start = 0
    for size in _CHUNKS:
        while len(keys) - start >= size:
            text, values = sql.format(",".join([mark] * size)), tuple(keys[start : start + size])
            if sqlite:
                yield from _raw(db).execute(text, values)
            else:
                result = db.exec_driver_sql(text, values)
                if result.returns_rows:
                    yield from result
            start += size


def checkpoint(engine: Engine) -> None:
    """Move SQLite's log into its file without blocking anyone; a no-op elsewhere."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as db:
            raw = db.connection.driver_connection
            if raw is not None:
                raw.execute("PRAGMA wal_checkpoint(PASSIVE)")


def _raw(db: Connection) -> sqlite3.Connection:
    """The driver's own connection: what SQLAlchemy adds to a statement costs ten times the statement."""
    raw = db.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    return raw


@lru_cache(maxsize=512)
def _insert_sql(table: Table, dialect: str, rows: int, skip: str) -> str:
    names = [column.name for column in table.columns if column.name != skip]
    mark = "?" if dialect == "sqlite" else "%s"
    values = f"({', '.join([mark] * len(names))})"
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES {', '.join([values] * rows)}"  # noqa: S608  names from our own metadata


@lru_cache(maxsize=64)
def _writing(engine: Engine) -> Engine:
    """The same engine, pool and all, whose transactions begin with the write lock."""
    return engine.execution_options(oathward_write=True)


@lru_cache(maxsize=64)
def _lock_of(engine: Engine) -> _WriterLock:
    path = str(Path(engine.url.database or "oathward.db").resolve())
    with _locks_guard:
        return _locks.setdefault(path, _WriterLock(Path(path + ".lock")))
