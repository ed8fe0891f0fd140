"""The few cryptographic functions the vault is built from, each one choice of a standard.

Rules:
- One suite for public-key wrapping: HPKE base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
- Context that binds (site, subject, message, …) is always built by ``bind``: no two contexts share bytes.
- A failed check raises ``VaultError`` with ``SEAL_BROKEN``; which check failed is not told.

Deliberately absent: algorithm choice at run time, passwords, home-made constructions.

Source: RFC 9180 (HPKE), RFC 5869 (HKDF), RFC 7748 (X25519), NIST SP 800-38D (GCM).
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from oathward.core.errors import VaultError
from oathward.core.reasons import Reason

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
ENC_BYTES = 32
"""Length of HPKE's encapsulated X25519 key, which stands before the ciphertext."""

WRAPPED_BYTES = ENC_BYTES + KEY_BYTES + TAG_BYTES
"""Length of a data key wrapped by ``wrap``."""

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def bind(tag: str, *parts: str) -> bytes:
    """Encode words so that no other list of words gives the same bytes (netstrings after a tag)."""
    fields = [tag.encode()]
    for part in parts:
        raw = part.encode()
        fields.append(b"%d:%b" % (len(raw), raw))
    return b",".join(fields)


def wrap(key: bytes, public: X25519PublicKey, info: bytes) -> bytes:
    """HPKE-wrap a data key: 32 bytes ``enc``, then the sealed key.

    Raises:
        VaultError: ``KEY_UNAVAILABLE``; the public key is a point with which there is no secret.
    """
    try:
        return _SUITE.encrypt(key, public, info)
    except ValueError as error:
        raise VaultError("public key", "is no usable X25519 key") from error


def unwrap(wrapped: bytes, private: X25519PrivateKey, info: bytes, where: str) -> bytes:
    """Invert ``wrap``.

    Raises:
        VaultError: ``SEAL_BROKEN``; another key, another context, or changed bytes.
    """
    if len(wrapped) != WRAPPED_BYTES:
        raise VaultError(where, "not a wrapped key", reason=Reason.SEAL_BROKEN)
    try:
        return _SUITE.decrypt(wrapped, private, info)
    except (InvalidTag, ValueError) as error:
        raise VaultError(where, "the wrapped key does not open", reason=Reason.SEAL_BROKEN) from error


def decrypt(key: AESGCM, nonce: bytes, data: bytes, context: bytes, where: str) -> bytes:
    """Open AES-256-GCM.

    Raises:
        VaultError: ``SEAL_BROKEN``; another key, another context, or changed bytes.
    """
    try:
        return key.decrypt(nonce, data, context)
    except (InvalidTag, ValueError) as error:
        raise VaultError(where, "the seal does not open", reason=Reason.SEAL_BROKEN) from error


def derive(secret: bytes, salt: bytes, info: bytes, length: int = KEY_BYTES) -> bytes:
    """Derive a key with HKDF-SHA256."""
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


def x25519_public(raw: bytes, where: str) -> X25519PublicKey:
    """Read a raw public key.

    Raises:
        VaultError: not 32 bytes.
    """
    if len(raw) != KEY_BYTES:
        raise VaultError(where, "an X25519 public key has 32 bytes")
    return X25519PublicKey.from_public_bytes(raw)
