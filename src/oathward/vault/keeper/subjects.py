"""Subjects in the key store: seeds for shaping, data keys taken in, and erasing.

Rules:
- A subject's key and secret are random and made when first needed; nothing derives them.
- A data key stands wrapped under its subject's key: destroying that one key closes everything.
- Erasing leaves a tombstone, by key id and by a digest of the subject id; an erased subject gets no seed,
  no key is taken in for it, and nothing of it opens, whatever an old database says.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from oathward.core.errors import KeeperError, VaultError
from oathward.core.ids import uuid7
from oathward.core.points import point
from oathward.core.reasons import Reason
from oathward.vault.keeper import keyring
from oathward.vault.keeper.store import Store
from oathward.vault.keeper.tombstones import Tombstone
from oathward.vault.primitives import KEY_BYTES, NONCE_BYTES, bind, decrypt, derive, unwrap
from oathward.vault.seal import IntakeKey, intake_context


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of wrapped data keys: ids held in the store, refused as broken, of erased subjects."""

    held: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    erased: tuple[str, ...] = ()


def subject_digest(site: str, subject: str) -> bytes:
    """Name a subject in a tombstone without its id."""
    return hashlib.sha256(bind("oathward tombstone 1", site, subject)).digest()


def is_erased(store: Store, site: str, subject: str) -> bool:
    """Say whether a subject's keys were destroyed."""
    return store.one("SELECT 1 FROM tombstone WHERE digest = ?", subject_digest(site, subject)) is not None


def check_not_erased(store: Store, site: str, subject: str) -> None:
    """Pass only a subject that was not erased.

    Raises:
        KeeperError: ``KEY_DESTROYED``.
    """
    if is_erased(store, site, subject):
        raise KeeperError("subject", "its keys were destroyed", reason=Reason.KEY_DESTROYED)


def seed(store: Store, site: str, subject: str, project: str) -> bytes:
    """Derive the shaping seed of a subject in a project: the same each time, unlinkable between projects.

    Raises:
        KeeperError: ``KEY_DESTROYED``.
    """
    with store.transaction():
        _, own = _keys(store, site, subject)
        salt = keyring.project_key(store, project)
    return _seed(site, subject, project, own, salt)


def seeds_after(store: Store, site: str, project: str, after: str, limit: int) -> list[tuple[str, bytes]]:
    """Derive the seeds of the next subjects that have keys, by their ids; an erased one has none. Makes no key.

    Nothing where the project never named anybody.
    """
    with store.guard:
        if store.one("SELECT 1 FROM project WHERE id = ?", project) is None:
            return []
        salt = keyring.project_key(store, project)
        rows = store.rows("SELECT id, secret FROM subject WHERE id > ? ORDER BY id LIMIT ?", after, limit)
        return [
            (one, _seed(site, one, project, store.unwrap("subject", "secret", one, wrapped), salt))
            for one, wrapped in rows
        ]


def device_key(store: Store, site: str, project: str) -> bytes:
    """Derive the key of a project's device aliases."""
    return derive(keyring.project_key(store, project), site.encode(), b"oathward device 1")


def own_key(store: Store, site: str, subject: str) -> bytes:
    """Give a subject's own key: for words about them that stand in this store and go with it.

    Raises:
        KeeperError: ``KEY_DESTROYED``.
    """
    return _keys(store, site, subject)[0]


def take_in(store: Store, site: str, rows: Sequence[IntakeKey], now_us: int) -> Taken:
    """Move wrapped data keys into the store, under their subjects' keys; again does nothing."""
    held, broken, erased = [], [], []
    private = {
        key.id: X25519PrivateKey.from_private_bytes(key.private) for key in keyring.exchanges(store, "intake")
    }
    with store.transaction():
        for row in rows:
            if row.site == site and is_erased(store, site, row.subject):
                erased.append(row.id)
            elif _take_one(store, site, row, private.get(row.intake), now_us):
                held.append(row.id)
            else:
                broken.append(row.id)
        point("intake.taken")
    return Taken(tuple(held), tuple(broken), tuple(erased))


def data_key(store: Store, site: str, subject: str, key_id: str) -> bytes:
    """Give the data key of an original.

    Raises:
        KeeperError: ``KEY_DESTROYED``; the subject was erased.
        VaultError: ``KEY_UNAVAILABLE``; this store never took it, or holds it for another subject.
    """
    check_not_erased(store, site, subject)
    found = store.one("SELECT value FROM data_key WHERE id = ? AND subject = ?", key_id, subject)
    if found is None:
        raise VaultError("data key", "the keeper does not have it")
    key, _ = _keys(store, site, subject)
    context = _data_context(site, subject, key_id)
    return decrypt(AESGCM(key), found[0][:NONCE_BYTES], found[0][NONCE_BYTES:], context, "data key")


def erase(store: Store, site: str, subject: str, reason: str, now_us: int) -> Tombstone:
    """Destroy a subject's keys and leave a tombstone; again gives the same tombstone.

    The file is rewritten after the commit, so that no deleted key is left in it.
    """
    digest = subject_digest(site, subject)
    with store.transaction():
        found = store.one(
            "SELECT serial, key_id, digest, at_us, reason FROM tombstone WHERE digest = ?", digest
        )
        if found:
            return Tombstone(*found)
        known = store.one("SELECT key_id FROM subject WHERE id = ?", subject)
        # Serials have no gaps: the count of tombstones is the last serial.
        serial = count(store) + 1
        tombstone = Tombstone(serial, known[0] if known else uuid7(now_us // 1000), digest, now_us, reason)
        bury(store, tombstone)
        point("erase.deleted")
    store.forget_deleted()
    return tombstone


def bury(store: Store, tombstone: Tombstone, *, recorded: bool = False) -> None:
    """Destroy the keys a tombstone names, and keep it; inside the caller's transaction.

    Args:
        recorded: the ledger has its record already.
    """
    with store.transaction():
        of_digest = "IN (SELECT id FROM subject WHERE digest = ?)"
        store.rows(f"DELETE FROM data_key WHERE subject {of_digest}", tombstone.digest)  # noqa: S608  our own words
        store.rows("DELETE FROM subject WHERE digest = ?", tombstone.digest)
        store.rows(
            "INSERT INTO tombstone VALUES (?, ?, ?, ?, ?, ?)",
            *(tombstone.serial, tombstone.key_id, tombstone.digest, tombstone.at_us, tombstone.reason),
            int(recorded),
        )
        store.set_meta("vacuum_due", "1")


def count(store: Store) -> int:
    """Count tombstones."""
    found = store.one("SELECT COUNT(*) FROM tombstone")
    return found[0] if found else 0


def tombstones(store: Store, after: int = 0) -> list[Tombstone]:
    """List tombstones behind a serial number."""
    sql = "SELECT serial, key_id, digest, at_us, reason FROM tombstone WHERE serial > ? ORDER BY serial"
    return [Tombstone(*row) for row in store.rows(sql, after)]


def _keys(store: Store, site: str, subject: str) -> tuple[bytes, bytes]:
    """Give a subject's key and secret, making both when they are first needed."""
    with store.transaction():
        check_not_erased(store, site, subject)
        found = store.one("SELECT key, secret FROM subject WHERE id = ?", subject)
        if found:
            key = store.unwrap("subject", "key", subject, found[0])
            return key, store.unwrap("subject", "secret", subject, found[1])
        key, own = os.urandom(KEY_BYTES), os.urandom(KEY_BYTES)
        store.rows(
            "INSERT INTO subject VALUES (?, ?, ?, ?, ?)",
            subject,
            uuid7(),
            subject_digest(site, subject),
            store.wrap("subject", "key", subject, key),
            store.wrap("subject", "secret", subject, own),
        )
        return key, own


def _seed(site: str, subject: str, project: str, own: bytes, salt: bytes) -> bytes:
    return derive(own, salt, bind("oathward seed 1", site, subject, project))


def _take_one(store: Store, site: str, row: IntakeKey, private: X25519PrivateKey | None, now_us: int) -> bool:
    if store.one("SELECT 1 FROM data_key WHERE id = ?", row.id):
        return True
    if private is None or row.site != site or not 0 < len(row.subject) <= 64:
        return False
    try:
        raw = unwrap(row.wrapped, private, intake_context(row), "intake key")
    except VaultError:
        return False
    if len(raw) != KEY_BYTES:
        return False
    key, _ = _keys(store, site, row.subject)
    nonce = os.urandom(NONCE_BYTES)
    wrapped = nonce + AESGCM(key).encrypt(nonce, raw, _data_context(site, row.subject, row.id))
    store.rows("INSERT INTO data_key VALUES (?, ?, ?, ?, ?)", row.id, row.subject, row.epoch, wrapped, now_us)
    return True


def _data_context(site: str, subject: str, key_id: str) -> bytes:
    return bind("oathward data key 1", site, subject, key_id)
