"""Ed25519 signers and verifiers, and their key files.

Rules:
- A verifier raises or returns nothing; it never answers with a bool.
- A key file is text in the form of signed notes, so that strangers' tools read it:
  public ``name+hash+base64(0x01 ‖ key)``, private ``PRIVATE+KEY+name+hash+base64(0x01 ‖ seed)``.
- A private key file is made with mode 0600, and one that group or others may touch is refused.

Deliberately absent: other algorithms, passphrases (the keeper wraps its keys under the site key).

Source: RFC 8032 (Ed25519); C2SP signed-note (key names, key hash, encoded keys).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import stat
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from oathward.core.errors import AuthorityError, VaultError

ALGORITHM_ED25519 = b"\x01"
_PRIVATE_HEAD = "PRIVATE+KEY"
_KEY_BYTES = 32


class Verifier:
    """Check signatures of one named key."""

    __slots__ = ("_key", "name", "public")

    def __init__(self, name: str, public: bytes) -> None:
        _check_name(name)
        if len(public) != _KEY_BYTES:
            raise AuthorityError(name, "an Ed25519 public key has 32 bytes")
        self.name = name
        self.public = public
        self._key = Ed25519PublicKey.from_public_bytes(public)

    def verify(self, signature: bytes, data: bytes) -> None:
        """Return nothing when the signature is this key's over these bytes.

        Raises:
            AuthorityError: ``SIGNATURE_INVALID`` in every other case.
        """
        try:
            self._key.verify(signature, data)
        except InvalidSignature as error:
            raise AuthorityError(self.name, "the signature does not verify") from error


class Signer(Verifier):
    """Sign with one named key."""

    __slots__ = ("_private",)

    def __init__(self, name: str, seed: bytes) -> None:
        if len(seed) != _KEY_BYTES:
            raise VaultError(name, "an Ed25519 private key has 32 bytes")
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        super().__init__(name, self._private.public_key().public_bytes_raw())

    @classmethod
    def create(cls, name: str) -> Signer:
        """Make a new random key."""
        return cls(name, os.urandom(_KEY_BYTES))

    @property
    def seed(self) -> bytes:
        """The private key itself, 32 bytes: for the keeper's store and ``save_signer`` alone."""
        return self._private.private_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        """Sign; 64 bytes."""
        return self._private.sign(data)


def key_hash(name: str, public: bytes) -> bytes:
    """Give the four bytes by which a signed note names a key."""
    return hashlib.sha256(name.encode() + b"\n" + ALGORITHM_ED25519 + public).digest()[:4]


def encode_verifier(key: Verifier) -> str:
    """Write a public key as one line."""
    return _encode(key.name, key.public, key.public)


def decode_verifier(text: str, where: str = "public key") -> Verifier:
    """Read one line written by ``encode_verifier``.

    Raises:
        AuthorityError: another form, or the hash is not this key's.
    """
    name, hashed, public = _decode(text, where)
    if key_hash(name, public) != hashed:
        raise AuthorityError(where, "the key does not match its own hash")
    return Verifier(name, public)


def save_verifier(key: Verifier, path: Path) -> None:
    """Write a public key file, readable by all, replacing atomically."""
    write_file(path, (encode_verifier(key) + "\n").encode(), 0o644)


def load_verifier(path: Path) -> Verifier:
    """Read a public key file.

    Raises:
        AuthorityError: absent, or not a public key.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise AuthorityError(path.name, "the public key file cannot be read") from error
    return decode_verifier(text, path.name)


def save_signer(key: Signer, path: Path) -> None:
    """Write a private key file with mode 0600, replacing atomically and durably."""
    write_file(path, f"{_PRIVATE_HEAD}+{_encode(key.name, key.public, key.seed)}\n".encode(), 0o600)


def load_signer(path: Path) -> Signer:
    """Read a private key file.

    Raises:
        VaultError: absent, not a private key, or open to group or others.
    """
    raw = read_private(path)
    head = f"{_PRIVATE_HEAD}+"
    text = raw.decode("ascii", "replace")
    if not text.startswith(head):
        raise VaultError(path.name, "not a private key file")
    try:
        name, hashed, seed = _decode(text.removeprefix(head), path.name)
    except AuthorityError as error:
        raise VaultError(path.name, "not a private key file") from error
    key = Signer(name, seed)
    if key_hash(name, key.public) != hashed:
        raise VaultError(path.name, "the key does not match its own hash")
    return key


def read_private(path: Path) -> bytes:
    """Read a file that only its owner may touch.

    Raises:
        VaultError: absent, unreadable, not a plain file, or open to group or others.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        raise VaultError(path.name, "the key file cannot be read") from error
    with os.fdopen(fd, "rb") as file:
        mode = os.fstat(fd).st_mode
        if not stat.S_ISREG(mode) or mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise VaultError(path.name, "others may touch this key file: chmod 600")
        return file.read(65_536)


def write_file(path: Path, data: bytes, mode: int) -> None:
    """Write a small file durably: temporary file with its final mode, flush, rename, flush the folder."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    partial.unlink(missing_ok=True)
    fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(fd, "wb") as file:
        os.fchmod(fd, mode)
        file.write(data)
        file.flush()
        os.fsync(fd)
    partial.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _check_name(name: str) -> None:
    if not name or "+" in name or any(c.isspace() for c in name):
        raise AuthorityError("key name", "must be one word without a plus sign")


def _encode(name: str, public: bytes, key: bytes) -> str:
    return f"{name}+{key_hash(name, public).hex()}+{base64.b64encode(ALGORITHM_ED25519 + key).decode()}"


def _decode(text: str, where: str) -> tuple[str, bytes, bytes]:
    name, _, rest = text.strip().partition("+")
    hashed, _, key = rest.partition("+")
    try:
        raw = base64.b64decode(key, validate=True)
        digest = bytes.fromhex(hashed)
    except (binascii.Error, ValueError) as error:
        raise AuthorityError(where, "not an encoded key") from error
    if raw[:1] != ALGORITHM_ED25519 or len(raw) != 1 + _KEY_BYTES:
        raise AuthorityError(where, "not an Ed25519 key")
    return name, digest, raw[1:]
