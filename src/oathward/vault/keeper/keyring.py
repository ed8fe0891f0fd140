"""Secrets, signing keys and exchange keys of the site, made when first asked for.

Rules:
- *Secrets* are 32 random bytes by name; everything derived from one uses its own HKDF label.
- *Signing keys*: ``authority`` (documents, public keys, tombstones), ``ledger`` (its checkpoints) and
  ``tombstones`` (the checkpoints of their list); ``device-ca`` stands beside them.
- *Exchange keys* are X25519: ``intake`` (data keys of originals) and ``outbox`` (rows in flight), one current
  of each kind; a signed document says until when it may be sealed to. A private key is destroyed after
  that time, once nothing waits under it.
"""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass, field
from datetime import datetime

import orjson
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from oathward.core.ids import uuid7
from oathward.vault import certificates
from oathward.vault.authority import Document, signing_input
from oathward.vault.keeper.store import Store
from oathward.vault.primitives import KEY_BYTES, derive
from oathward.vault.sign import Signer

DAY_US = 86_400_000_000
MARGIN_US = 7_200_000_000
"""How long a private exchange key outlives its public key: one epoch, and a commit in flight."""

EXCHANGE_KINDS = ("intake", "outbox")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One X25519 key pair of the keeper."""

    id: str
    kind: str
    serial: int
    private: bytes = field(repr=False)
    public: bytes
    created_us: int
    not_after_us: int


def secret(store: Store, name: str) -> bytes:
    """Give a named secret of the site."""
    with store.transaction():
        found = store.one("SELECT value FROM secret WHERE id = ?", name)
        if found:
            return store.unwrap("secret", "value", name, found[0])
        value = os.urandom(KEY_BYTES)
        store.rows("INSERT INTO secret VALUES (?, ?)", name, store.wrap("secret", "value", name, value))
        return value


def site_keys(store: Store, site: str) -> dict[str, bytes]:
    """Derive the keys the gateway works with: index, word and duplicate keys."""
    root = secret(store, "gateway")
    return {
        name: derive(root, site.encode(), f"oathward {name} 1".encode())
        for name in ("index", "word", "duplicate")
    }


def signer(store: Store, use: str, site: str) -> Signer:
    """Give the signing key for a use (``authority``, ``ledger``, ``tombstones``), named for its site."""
    with store.transaction():
        found = store.one("SELECT name, private FROM signing WHERE id = ?", use)
        if found:
            return Signer(found[0], store.unwrap("signing", "private", use, found[1]))
        key = Signer.create(use)
        key = Signer(key_name(site, use, key.public), key.seed)
        wrapped = store.wrap("signing", "private", use, key.seed)
        store.rows("INSERT INTO signing VALUES (?, ?, ?, ?)", use, key.name, wrapped, key.public)
        return key


def device_ca(store: Store, site: str, now: datetime) -> certificates.Authority:
    """Give the site's device CA."""
    with store.transaction():
        found = store.one("SELECT private, public FROM signing WHERE id = 'device-ca'")
        if found:
            private = store.unwrap("signing", "private", "device-ca", found[0])
            return certificates.Authority(private, found[1])
        made = certificates.new_authority(f"{site} devices (Oathward)", now)
        wrapped = store.wrap("signing", "private", "device-ca", made.private)
        store.rows("INSERT INTO signing VALUES ('device-ca', ?, ?, ?)", site, wrapped, made.certificate)
        return made


def key_name(site: str, use: str, public: bytes) -> str:
    """Name a signing key as signed notes do (one word, no plus sign), unlike that of any other site.

    The ledger's key has the name of the log itself, as C2SP tlog-checkpoint asks.
    """
    word = "-".join(site.replace("+", " ").split()) or "site"
    unique = f"oathward/{word}/{hashlib.sha256(public).hexdigest()[:8]}"
    return unique if use == "ledger" else f"{unique}/{use}"


def project_key(store: Store, project: str) -> bytes:
    """Give the key of a project: the source of its pseudonyms, unlinkable to other projects'."""
    with store.transaction():
        found = store.one("SELECT key FROM project WHERE id = ?", project)
        if found:
            return store.unwrap("project", "key", project, found[0])
        key = os.urandom(KEY_BYTES)
        store.rows("INSERT INTO project VALUES (?, ?)", project, store.wrap("project", "key", project, key))
        return key


def current(store: Store, kind: str, now_us: int, days: int) -> Exchange:
    """Give the exchange key of the day, making a new one when the last is ``days`` old."""
    with store.transaction():
        newest = exchanges(store, kind)[-1:]
        if newest and newest[0].created_us <= now_us < newest[0].created_us + days * DAY_US:
            return newest[0]
        return renew(store, kind, now_us, days)


def renew(store: Store, kind: str, now_us: int, days: int) -> Exchange:
    """Make a new exchange key of a kind; the earlier ones only open from now on."""
    with store.transaction():
        # The serial never goes back, though old rows are gone: gateways refuse an older document.
        serial = int(store.meta(f"{kind}_serial") or 0) + 1
        store.set_meta(f"{kind}_serial", str(serial))
        private = X25519PrivateKey.generate()
        key = Exchange(
            uuid7(now_us // 1000),
            kind,
            serial,
            private.private_bytes_raw(),
            private.public_key().public_bytes_raw(),
            now_us,
            now_us + (days + 1) * DAY_US,
        )
        wrapped = store.wrap("exchange", "private", key.id, key.private)
        store.rows(
            "INSERT INTO exchange VALUES (?, ?, ?, ?, ?, ?, ?)",
            *(key.id, kind, serial, wrapped, key.public, key.created_us, key.not_after_us),
        )
        return key


def exchanges(store: Store, kind: str) -> list[Exchange]:
    """Give every living exchange key of a kind, oldest first."""
    found = store.rows("SELECT * FROM exchange WHERE kind = ? ORDER BY serial", kind)
    return [
        Exchange(
            id_, k, serial, store.unwrap("exchange", "private", id_, wrapped), public, created, not_after
        )
        for id_, k, serial, wrapped, public, created, not_after in found
    ]


def destroy_expired(store: Store, kind: str, in_use: set[str], now_us: int) -> list[str]:
    """Destroy private keys that nobody seals to any more and nothing waits under; gives their ids."""
    with store.transaction():
        newest = max(
            (serial for (serial,) in store.rows("SELECT serial FROM exchange WHERE kind = ?", kind)),
            default=0,
        )
        old = store.rows(
            "SELECT id FROM exchange WHERE kind = ? AND not_after_us + ? < ? AND serial < ?",
            *(kind, MARGIN_US, now_us, newest),
        )
        gone = [id_ for (id_,) in old if id_ not in in_use]
        if gone:
            store.many("DELETE FROM exchange WHERE id = ?", [(id_,) for id_ in gone])
            store.set_meta("vacuum_due", "1")
    return gone


def public_document(site: str, key: Exchange, authority: Signer) -> Document:
    """Sign the public half of an exchange key."""
    body = orjson.dumps({"not_after_us": key.not_after_us, "public": base64.b64encode(key.public).decode()})
    unsigned = Document(site, f"key.{key.kind}", key.id, key.serial, body, b"", key.created_us)
    signature = authority.sign(signing_input(unsigned))
    return Document(site, unsigned.kind, key.id, key.serial, body, signature, key.created_us)
