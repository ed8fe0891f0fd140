"""The keeper's own database: one SQLite file in a folder of its own, every secret wrapped.

Rules:
- Folder 0700, one process at a time (``keeper.lock``).
- Every private key and secret stands wrapped under the site key; AES-GCM binds it to table, column and row.
- ``secure_delete``, no write-ahead log, and ``VACUUM`` after keys were destroyed: the file holds no trace
  of them. A due ``VACUUM`` that a crash prevented is made at the next start.
- Transactions are short and serialised; every module of the keeper uses ``transaction`` and ``rows``.

Deliberately absent: data of patients but what holders of the portal sign in with, sealed (``portal/holders``), and SQLAlchemy (this file is never PostgreSQL).
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from oathward.core.errors import KeeperError, StorageError, VaultError
from oathward.core.points import point
from oathward.core.reasons import Reason
from oathward.vault.keeper import site_key
from oathward.vault.primitives import NONCE_BYTES, bind, decrypt

FILE_NAME = "keeper.db"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS secret (id TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS signing (id TEXT PRIMARY KEY, name TEXT NOT NULL, private BLOB NOT NULL,
  public BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS project (id TEXT PRIMARY KEY, key BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS exchange (id TEXT PRIMARY KEY, kind TEXT NOT NULL, serial INTEGER NOT NULL,
  private BLOB NOT NULL, public BLOB NOT NULL, created_us INTEGER NOT NULL, not_after_us INTEGER NOT NULL,
  UNIQUE (kind, serial)) STRICT;
CREATE TABLE IF NOT EXISTS subject (id TEXT PRIMARY KEY, key_id TEXT NOT NULL UNIQUE, digest BLOB NOT NULL UNIQUE,
  key BLOB NOT NULL, secret BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS data_key (id TEXT PRIMARY KEY, subject TEXT NOT NULL REFERENCES subject (id),
  epoch TEXT NOT NULL, value BLOB NOT NULL, taken_us INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS data_key_subject ON data_key (subject);
CREATE TABLE IF NOT EXISTS tombstone (serial INTEGER PRIMARY KEY, key_id TEXT NOT NULL UNIQUE,
  digest BLOB NOT NULL UNIQUE, at_us INTEGER NOT NULL, reason TEXT NOT NULL, recorded INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS signed (kind TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
  digest BLOB NOT NULL, stored INTEGER NOT NULL, PRIMARY KEY (kind, id)) STRICT;
CREATE INDEX IF NOT EXISTS signed_unstored ON signed (kind, id) WHERE stored < version;
CREATE TABLE IF NOT EXISTS opening (at_us INTEGER NOT NULL, person TEXT NOT NULL, messages INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS opening_at ON opening (at_us);
CREATE TABLE IF NOT EXISTS account (id TEXT PRIMARY KEY, login TEXT UNIQUE, handle BLOB NOT NULL UNIQUE,
  made_us INTEGER NOT NULL, used_us INTEGER NOT NULL, invited_by TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS factor (id TEXT PRIMARY KEY, person TEXT NOT NULL, kind TEXT NOT NULL, label TEXT NOT NULL,
  ref TEXT UNIQUE, secret BLOB NOT NULL, counter INTEGER NOT NULL, drift INTEGER NOT NULL, made_us INTEGER NOT NULL,
  used_us INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS factor_person ON factor (person);
CREATE TABLE IF NOT EXISTS invitation (id TEXT PRIMARY KEY, person TEXT NOT NULL UNIQUE, login TEXT NOT NULL,
  invited_by TEXT NOT NULL, until_us INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS wrong (id TEXT PRIMARY KEY, count INTEGER NOT NULL, until_us INTEGER NOT NULL,
  last_us INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS provider_key (id TEXT PRIMARY KEY, seen_us INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS assertion (id TEXT PRIMARY KEY, until_us INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS opening_ask (id TEXT PRIMARY KEY, person TEXT NOT NULL, reason TEXT NOT NULL,
  at_us INTEGER NOT NULL, state TEXT NOT NULL, by TEXT NOT NULL, until_us INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS glass (id TEXT PRIMARY KEY, once TEXT NOT NULL UNIQUE, person TEXT NOT NULL,
  subject TEXT NOT NULL, code TEXT NOT NULL, purpose TEXT NOT NULL, session TEXT NOT NULL, begun_us INTEGER NOT NULL,
  until_us INTEGER NOT NULL, ended_us INTEGER NOT NULL, why TEXT NOT NULL, openings INTEGER NOT NULL,
  often INTEGER NOT NULL, words BLOB NOT NULL, outcome TEXT NOT NULL, by TEXT NOT NULL, reviewed_us INTEGER NOT NULL,
  said TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS glass_reach (id TEXT PRIMARY KEY) STRICT;
CREATE TABLE IF NOT EXISTS glass_miss (person TEXT NOT NULL, at_us INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS glass_person ON glass (person, begun_us);
CREATE INDEX IF NOT EXISTS opening_ask_person ON opening_ask (person, state);
CREATE TABLE IF NOT EXISTS proposal (id TEXT PRIMARY KEY, kind TEXT NOT NULL, body BLOB NOT NULL, state TEXT NOT NULL,
  proposer TEXT NOT NULL, proposed_us INTEGER NOT NULL, approver TEXT NOT NULL, approved_us INTEGER NOT NULL,
  version INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS proposal_state ON proposal (state, proposed_us);
CREATE INDEX IF NOT EXISTS proposal_version ON proposal (kind, version);
CREATE TABLE IF NOT EXISTS holder (id TEXT PRIMARY KEY, login TEXT NOT NULL UNIQUE, handle BLOB NOT NULL UNIQUE,
  card BLOB NOT NULL, made_us INTEGER NOT NULL, used_us INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS holder_seat (id TEXT PRIMARY KEY, holder TEXT NOT NULL, subject TEXT NOT NULL,
  born BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS holder_seat_holder ON holder_seat (holder);
CREATE INDEX IF NOT EXISTS holder_seat_subject ON holder_seat (subject);
CREATE TABLE IF NOT EXISTS holder_opening (at_us INTEGER NOT NULL, holder TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS holder_opening_at ON holder_opening (at_us);
CREATE TABLE IF NOT EXISTS holder_invitation (id TEXT PRIMARY KEY, holder TEXT NOT NULL UNIQUE,
  until_us INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS letter (id TEXT PRIMARY KEY, kind TEXT NOT NULL, holder TEXT NOT NULL, body BLOB NOT NULL,
  due_us INTEGER NOT NULL, until_us INTEGER NOT NULL, tries INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS letter_due ON letter (due_us);
CREATE TABLE IF NOT EXISTS report (id TEXT PRIMARY KEY, once TEXT NOT NULL, holder TEXT NOT NULL, subject TEXT NOT NULL,
  kind TEXT NOT NULL, about INTEGER NOT NULL, at_us INTEGER NOT NULL, words BLOB NOT NULL, state TEXT NOT NULL,
  by TEXT NOT NULL, taken_us INTEGER NOT NULL, outcome TEXT NOT NULL, settled_us INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS report_once ON report (holder, once);
CREATE INDEX IF NOT EXISTS report_subject ON report (subject);
CREATE TABLE IF NOT EXISTS copy_request (id TEXT PRIMARY KEY, once TEXT NOT NULL, link TEXT NOT NULL UNIQUE,
  holder TEXT NOT NULL, subject TEXT NOT NULL, at_us INTEGER NOT NULL, until_us INTEGER NOT NULL,
  fetched INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS copy_request_once ON copy_request (holder, once);
CREATE INDEX IF NOT EXISTS copy_request_subject ON copy_request (subject);
CREATE TABLE IF NOT EXISTS reidentify (id TEXT PRIMARY KEY, project TEXT NOT NULL, code TEXT NOT NULL,
  digest TEXT NOT NULL, person TEXT NOT NULL, at_us INTEGER NOT NULL, until_us INTEGER NOT NULL, state TEXT NOT NULL,
  by TEXT NOT NULL, decided_us INTEGER NOT NULL, said TEXT NOT NULL, signature BLOB NOT NULL, ended_us INTEGER NOT NULL,
  subject TEXT NOT NULL, words BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS reidentify_state ON reidentify (state, person);
CREATE TABLE IF NOT EXISTS reidentify_told (id TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS reidentify_looked (id TEXT NOT NULL, person TEXT NOT NULL, PRIMARY KEY (id, person)) STRICT;
CREATE TABLE IF NOT EXISTS job_seed (day INTEGER NOT NULL, person TEXT NOT NULL, project TEXT NOT NULL,
  seeds INTEGER NOT NULL, PRIMARY KEY (day, person, project)) STRICT;
CREATE TABLE IF NOT EXISTS letter_told (holder TEXT NOT NULL, about TEXT NOT NULL, at_us INTEGER NOT NULL,
  PRIMARY KEY (holder, about)) STRICT;
"""

WRAPPED = (
    ("secret", "value"),
    ("signing", "private"),
    ("project", "key"),
    ("exchange", "private"),
    ("subject", "key"),
    ("subject", "secret"),
    ("factor", "secret"),
    ("holder", "card"),
    ("holder_seat", "born"),
    ("letter", "body"),
    ("reidentify_told", "value"),
)
"""Every column under the site key; each table's key column is ``id``. (Data keys stand under their subject's.)"""

_CANARY = b"this site key fits this store"


class Store:
    """The open key store; safe in threads, held by one process.

    Args:
        create: make folder, site key and tables where absent.

    Raises:
        KeeperError: ``CONFLICT``; another process holds it.
        VaultError: there is none, others may look into it, or the site key does not fit.
    """

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        self.folder = folder
        self.path = folder / FILE_NAME
        if create:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _check_folder(folder)
        if not create and not self.path.exists():
            raise VaultError("keeper folder", "has no key store: run `oathward init`")
        self.guard = threading.RLock()
        self._lock_fd = _lock(folder / "keeper.lock")
        self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=5.0)
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file and give up the lock."""
        with self.guard:
            self._db.close()
            if self._lock_fd >= 0:
                os.close(self._lock_fd)
                self._lock_fd = -1

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run one durable transaction; nested use joins the outer one.

        Raises:
            StorageError: the file cannot be written; nothing was changed.
        """
        with self.guard:
            if self._db.in_transaction:
                yield
                return
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                self._rollback()
                full = "full" in str(error)
                reason = Reason.STORAGE_FULL if full else Reason.STORAGE_FAILED
                raise StorageError("keeper store", type(error).__name__, reason=reason) from error
            except BaseException:
                self._rollback()
                raise

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run one statement and give its rows."""
        with self.guard:
            return self._db.execute(sql, values).fetchall()

    def one(self, sql: str, *values: Any) -> tuple[Any, ...] | None:
        """Run one statement and give its first row."""
        found = self.rows(sql, *values)
        return found[0] if found else None

    def many(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run one statement for many rows of values."""
        with self.guard:
            self._db.executemany(sql, rows)

    def meta(self, name: str) -> str:
        """Read one word about the store; empty if there is none."""
        found = self.one("SELECT value FROM meta WHERE name = ?", name)
        return found[0] if found else ""

    def set_meta(self, name: str, value: str) -> None:
        """Write one word about the store."""
        self.rows(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            name,
            value,
        )

    def wrap(self, table: str, column: str, row: str, secret: bytes) -> bytes:
        """Wrap a secret under the site key, bound to where it stands."""
        return _wrap(self._site_key, table, column, row, secret)

    def unwrap(self, table: str, column: str, row: str, wrapped: bytes) -> bytes:
        """Invert ``wrap``.

        Raises:
            VaultError: ``SEAL_BROKEN``; changed, or moved from another place.
        """
        return _unwrap(self._site_key, table, column, row, wrapped)

    def forget_deleted(self) -> None:
        """Rewrite the file without what was deleted, if that is due."""
        with self.guard:
            if self.meta("vacuum_due"):
                self._db.execute("VACUUM")
                self.set_meta("vacuum_due", "")

    @property
    def generation(self) -> int:
        """Number of the site key in force."""
        return int(self.meta("site_key") or 0)

    def rotate_site_key(self) -> int:
        """Put a new site key in force and destroy the old one; gives the new number.

        Steps, each of which may be the last before a crash: new key file durable → one transaction that
        rewraps every secret and names the new key → old key overwritten and unlinked → file rewritten.
        Before the commit the old key is in force, after it the new one; a start destroys the other.
        """
        with self.guard:
            generation = self.generation + 1
            key = AESGCM(site_key.create(self.folder, generation))
            point("site-key.written")
            with self.transaction():
                self._rewrap(key)
                self.set_meta("site_key", str(generation))
                self.set_meta("vacuum_due", "1")
                point("site-key.rewrapped")
            self._site_key = key
            point("site-key.switched")
            site_key.destroy_others(self.folder, generation)
            point("site-key.destroyed")
            self.forget_deleted()
            return generation

    def copy_to(self, path: Path) -> None:
        """Write a consistent copy of the file, mode 0600."""
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with closing(sqlite3.connect(path)) as copy:
            copy.execute("PRAGMA journal_mode=OFF")  # half a copy is no copy: it is renamed when whole
            with self.guard:
                self._db.backup(copy)
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def _open(self) -> None:
        self.path.chmod(0o600)
        for pragma in (
            "journal_mode=DELETE",
            "synchronous=EXTRA",
            "secure_delete=ON",
            "temp_store=MEMORY",
            "foreign_keys=ON",
        ):
            self._db.execute(f"PRAGMA {pragma}").fetchall()
        self._db.executescript(_SCHEMA)
        if not self.generation:
            self._begin()
        self._site_key = AESGCM(site_key.load(self.folder, self.generation))
        found = self.one("SELECT value FROM secret WHERE id = 'canary'")
        if found is None or self.unwrap("secret", "value", "canary", found[0]) != _CANARY:
            raise VaultError("keeper store", "the site key does not fit this store")
        # Only now: the key in force is known to be good.
        site_key.destroy_others(self.folder, self.generation)
        self.forget_deleted()

    def _begin(self) -> None:
        self._site_key = AESGCM(site_key.create(self.folder, 1))
        with self.transaction():
            wrapped = self.wrap("secret", "value", "canary", _CANARY)
            self.rows("INSERT INTO secret VALUES ('canary', ?)", wrapped)
            self.set_meta("site_key", "1")

    def _rewrap(self, key: AESGCM) -> None:
        for table, column in WRAPPED:
            old = self.rows(f"SELECT id, {column} FROM {table}")  # noqa: S608  our own names
            new = [
                (_wrap(key, table, column, row, self.unwrap(table, column, row, wrapped)), row)
                for row, wrapped in old
            ]
            self.many(f"UPDATE {table} SET {column} = ? WHERE id = ?", new)  # noqa: S608  our own names

    def _rollback(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")


def _wrap(key: AESGCM, table: str, column: str, row: str, secret: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + key.encrypt(nonce, secret, bind("oathward keeper 1", table, column, row))


def _unwrap(key: AESGCM, table: str, column: str, row: str, wrapped: bytes) -> bytes:
    context = bind("oathward keeper 1", table, column, row)
    return decrypt(key, wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], context, f"keeper {table}")


def _check_folder(folder: Path) -> None:
    try:
        found = folder.stat()
    except OSError as error:
        raise VaultError("keeper folder", "there is none, or it may not be read") from error
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise VaultError("keeper folder", "others may look into it: chmod 700")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
        raise VaultError("keeper folder", "is not this user's")


def _lock(path: Path) -> int:
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise VaultError("keeper folder", "may not be written") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(fd)
        raise KeeperError("keeper store", "another process holds it", reason=Reason.CONFLICT) from error
    return fd
