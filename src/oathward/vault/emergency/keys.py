"""The emergency copy's key: the private half under a passphrase in a file for a safe, the public half with whom to trust.

Rules:
- The private half is made once, wrapped with Argon2id, written to one file and kept by no process: on the machine that
  makes copies stands the public half alone.
- Both files name the site and the public keys that a copy's signatures are checked with, as the site pinned them that
  day: who opens a copy needs nothing of the site, and nothing the copy says of itself is trusted.
- What is named is bound to the wrapped key: a key file in which somebody put other public keys does not open.
- A wrong passphrase and a changed file are told alike.

Deliberately absent: recovery. Without file and passphrase no copy opens.

Source: RFC 9106 (Argon2id, second recommended option: 64 MiB, 3 passes, 4 lanes).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from argon2.low_level import Type, hash_secret_raw
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from oathward.core.errors import AuthorityError, InputError, VaultError
from oathward.core.reasons import Reason
from oathward.vault.primitives import KEY_BYTES, NONCE_BYTES, bind, decrypt
from oathward.vault.sign import Verifier, decode_verifier, encode_verifier, read_private, write_file

FORM = "oathward emergency key 1"
MEMORY_KIB, PASSES, LANES = 65_536, 3, 4
_MEMORY_KIB_MAX, _PASSES_MAX, _LANES_MAX = 1_048_576, 16, 16
PASSPHRASE_MIN = 15
_SALT_BYTES = 16
_FILE_BYTES_MAX = 65_536


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose copies are believed: a site, the copy's public key, the keys that must have signed.

    ``witness``: None where the site had none; then copies are not independently witnessed.
    """

    site: str
    public: bytes
    authority: Verifier
    ledger: Verifier
    witness: Verifier | None

    @property
    def key_id(self) -> str:
        """By which a copy names the key it is sealed to."""
        return hashlib.sha256(self.public).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Unlocked:
    """A key file that was opened. ``private``: 32 bytes, in memory alone."""

    trust: Trust
    private: bytes = field(repr=False)

    @property
    def log_key(self) -> bytes:
        """Under which the log of readings is chained."""
        return hashlib.blake2b(bind("oathward emergency log 1", self.trust.site), key=self.private, digest_size=32).digest()  # fmt: skip


def create(path: Path, public_path: Path, passphrase: str, who: Trust) -> Trust:
    """Make a key: the private file (mode 0600) and the public one.

    Args:
        who: the site and whom it trusts; its ``public`` is replaced by that of the new key.

    Raises:
        InputError: a file exists, or the passphrase is too short.
    """
    for one in (path, public_path):
        if one.exists():
            raise InputError(one.name, "exists; a key is never written over", reason=Reason.CONFLICT)
    if len(passphrase) < PASSPHRASE_MIN:
        raise InputError("passphrase", f"must have at least {PASSPHRASE_MIN} characters")
    key = X25519PrivateKey.generate()
    trust = Trust(who.site, key.public_key().public_bytes_raw(), who.authority, who.ledger, who.witness)
    figures = (os.urandom(_SALT_BYTES), MEMORY_KIB, PASSES, LANES)
    wrapping = AESGCM(_derived(passphrase, *figures))
    data = wrapping.encrypt(bytes(NONCE_BYTES), key.private_bytes_raw(), _bound(trust))
    salt, memory, passes, lanes = figures
    wrapped = {"data": _b64(data), "lanes": lanes, "memory_kib": memory, "passes": passes, "salt": _b64(salt)}
    write_file(public_path, _written(_plain(trust)), 0o644)
    write_file(path, _written(_plain(trust) | {"wrapped": wrapped}), 0o600)
    return trust


def load_trust(path: Path) -> Trust:
    """Read whom to trust, from either file; no passphrase is needed.

    Raises:
        InputError: it cannot be read, or is no such file.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_FILE_BYTES_MAX)
    except OSError as error:
        raise InputError(path.name, "cannot be read", reason=Reason.NOT_FOUND) from error
    return _trust(_table(raw, path.name), path.name)


def unlock(path: Path, passphrase: str) -> Unlocked:
    """Open a key file.

    Raises:
        InputError: it cannot be read, or is no key file. VaultError: ``EMERGENCY_PASSPHRASE``.
    """
    try:
        raw = read_private(path)
    except VaultError as error:
        raise InputError(path.name, error.why) from error
    table = _table(raw, path.name)
    trust, wrapped = _trust(table, path.name), table.get("wrapped")
    if not isinstance(wrapped, dict):
        raise InputError(path.name, "is the public half; the private one lies where it was put away")
    figures = [wrapped.get(name) for name in ("memory_kib", "passes", "lanes")]
    for figure, most in zip(figures, (_MEMORY_KIB_MAX, _PASSES_MAX, _LANES_MAX), strict=True):
        if type(figure) is not int or not 1 <= figure <= most:
            raise InputError(path.name, "is no key file")
    salt, data = (_raw(wrapped.get(name), path.name) for name in ("salt", "data"))
    key = AESGCM(_derived(passphrase, salt, *figures))
    try:
        return Unlocked(trust, decrypt(key, bytes(NONCE_BYTES), data, _bound(trust), path.name))
    except VaultError as error:
        why = "the passphrase is wrong, or the file was changed"
        raise VaultError(path.name, why, reason=Reason.EMERGENCY_PASSPHRASE) from error


def _derived(passphrase: str, salt: bytes, memory_kib: Any, passes: Any, lanes: Any) -> bytes:
    return hash_secret_raw(
        passphrase.encode(),
        salt,
        time_cost=passes,
        memory_cost=memory_kib,
        parallelism=lanes,
        hash_len=KEY_BYTES,
        type=Type.ID,
    )


def _bound(trust: Trust) -> bytes:
    return bind(FORM, *_plain(trust).values())


def _plain(trust: Trust) -> dict[str, str]:
    witness = encode_verifier(trust.witness) if trust.witness is not None else ""
    return {
        "form": FORM,
        "site": trust.site,
        "public": _b64(trust.public),
        "authority": encode_verifier(trust.authority),
        "ledger": encode_verifier(trust.ledger),
        "witness": witness,
    }


def _written(table: dict[str, Any]) -> bytes:
    return orjson.dumps(table, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _table(raw: bytes, where: str) -> dict[str, Any]:
    try:
        table = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise InputError(where, "is no key file") from error
    if not isinstance(table, dict) or table.get("form") != FORM:
        raise InputError(where, "is no key file")
    return table


def _trust(table: dict[str, Any], where: str) -> Trust:
    words = [table.get(name) for name in ("site", "authority", "ledger", "witness")]
    if not all(isinstance(word, str) for word in words):
        raise InputError(where, "is no key file")
    site, authority, ledger, witness = (str(word) for word in words)
    public = _raw(table.get("public"), where)
    try:
        keys = [decode_verifier(one, where) for one in (authority, ledger, *([witness] if witness else []))]
    except AuthorityError as error:
        raise InputError(where, "is no key file") from error
    if len(public) != KEY_BYTES:
        raise InputError(where, "is no key file")
    return Trust(site, public, keys[0], keys[1], keys[2] if witness else None)


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _raw(text: object, where: str) -> bytes:
    try:
        return base64.b64decode(text if isinstance(text, str) else "", validate=True)
    except binascii.Error as error:
        raise InputError(where, "is no key file") from error
