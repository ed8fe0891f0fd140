"""Seal something to the emergency copy's key, so that only its private half opens it.

Rules:
- A data key for each thing sealed, HPKE-wrapped to the copy's key; used once for each of its few parts.
- What is bound: what it is (``context``) and which part of it; a part put elsewhere does not open.

Form: wrapped data key, then each part as length (four bytes) and ciphertext; a part opens without those behind it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from oathward.core.errors import VaultError
from oathward.core.reasons import Reason
from oathward.vault.primitives import (
    KEY_BYTES,
    NONCE_BYTES,
    WRAPPED_BYTES,
    bind,
    decrypt,
    unwrap,
    wrap,
    x25519_public,
)

LENGTH = struct.Struct(">I")


def seal(public: bytes, context: Sequence[str], parts: Sequence[bytes]) -> bytes:
    """Seal parts to a public key.

    Raises:
        VaultError: it is no usable key.
    """
    key, info = os.urandom(KEY_BYTES), _info(context)
    found = [wrap(key, x25519_public(public, "emergency key"), info)]
    for number, part in enumerate(parts):
        sealed = AESGCM(key).encrypt(_nonce(number), part, info)
        found += [LENGTH.pack(len(sealed)), sealed]
    return b"".join(found)


def open_parts(private: bytes, context: Sequence[str], sealed: bytes, count: int, where: str) -> list[bytes]:
    """Open the first parts of what was sealed.

    Raises:
        VaultError: ``SEAL_BROKEN``; another key or context, or changed bytes.
    """
    info = _info(context)
    secret = X25519PrivateKey.from_private_bytes(private)
    key = AESGCM(unwrap(sealed[:WRAPPED_BYTES], secret, info, where))
    found, at = [], WRAPPED_BYTES
    for number in range(count):
        if len(sealed) < at + LENGTH.size:
            raise VaultError(where, "is cut short", reason=Reason.SEAL_BROKEN)
        (length,) = LENGTH.unpack_from(sealed, at)
        at += LENGTH.size
        found.append(decrypt(key, _nonce(number), sealed[at : at + length], info, where))
        at += length
    return found


def _info(context: Sequence[str]) -> bytes:
    return bind("oathward emergency 1", *context)


def _nonce(number: int) -> bytes:
    return number.to_bytes(NONCE_BYTES, "big")
