"""HPKE base mode by the letter of RFC 9180 §4, §5 and §7, from X25519, HMAC and AES-GCM alone: a stranger's library.

It shares no line with the product, which uses the HPKE of its cryptography library.
"""

import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

KEM_X25519, KDF_SHA256 = 0x0020, 0x0001
AEADS = {1: (16, AESGCM), 2: (32, AESGCM), 3: (32, ChaCha20Poly1305)}


def extract(salt: bytes, ikm: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), ikm, hashlib.sha256)


def expand(prk: bytes, info: bytes, length: int) -> bytes:
    out = block = b""
    counter = 1
    while len(out) < length:
        block = hmac.digest(prk, block + info + bytes([counter]), hashlib.sha256)
        out, counter = out + block, counter + 1
    return out[:length]


def labeled_extract(suite: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    return extract(salt, b"HPKE-v1" + suite + label + ikm)


def labeled_expand(suite: bytes, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
    return expand(prk, length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info, length)


def shared_secret(private: bytes, enc: bytes) -> bytes:
    """Decapsulate (§4.1)."""
    key = X25519PrivateKey.from_private_bytes(private)
    exchanged = key.exchange(X25519PublicKey.from_public_bytes(enc))
    suite = b"KEM" + KEM_X25519.to_bytes(2, "big")
    prk = labeled_extract(suite, b"", b"eae_prk", exchanged)
    context = enc + key.public_key().public_bytes_raw()
    return labeled_expand(suite, prk, b"shared_secret", context, 32)


def schedule(shared: bytes, info: bytes, aead: int) -> tuple[bytes, bytes]:
    """Derive key and base nonce of base mode (§5.1)."""
    suite = b"HPKE" + b"".join(n.to_bytes(2, "big") for n in (KEM_X25519, KDF_SHA256, aead))
    psk_id_hash = labeled_extract(suite, b"", b"psk_id_hash", b"")
    info_hash = labeled_extract(suite, b"", b"info_hash", info)
    context = b"\x00" + psk_id_hash + info_hash
    secret = labeled_extract(suite, shared, b"secret", b"")
    key = labeled_expand(suite, secret, b"key", context, AEADS[aead][0])
    return key, labeled_expand(suite, secret, b"base_nonce", context, 12)


def open_base(
    private: bytes, enc: bytes, info: bytes, aad: bytes, sealed: bytes, *, aead: int = 2, sequence: int = 0
) -> bytes:
    """Open one message (§5.2)."""
    key, base = schedule(shared_secret(private, enc), info, aead)
    nonce = (int.from_bytes(base, "big") ^ sequence).to_bytes(12, "big")
    return AEADS[aead][1](key).decrypt(nonce, sealed, aad)
