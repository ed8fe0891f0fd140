"""The envelope of an outgoing message: one self-describing form for recipients and for the courier.

Rules:
- ``docs/reference/envelope.md`` describes it for strangers; any HPKE library opens it.
- Everything before the ciphertext is in clear and bound: AES-256-GCM's additional data is all of it.
- The data key travels in the envelope, HPKE-wrapped, so nothing else is needed; many envelopes carry the
  same wrapped key, and an ``Opener`` unwraps it once.

Deliberately absent: a signature. HPKE base mode says nothing about the sender: the connection does.

Source: RFC 9180 (HPKE base mode, single-shot), NIST SP 800-38D.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from oathward.core.errors import VaultError
from oathward.core.phi import Phi
from oathward.core.reasons import Reason
from oathward.vault.primitives import NONCE_BYTES, TAG_BYTES, WRAPPED_BYTES, bind, decrypt, unwrap, wrap

MAGIC = b"OWE1"
SUITE = b"\x01"
"""DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM for the key; AES-256-GCM for the message."""

FINGERPRINT_BYTES = 8
OPENER_KEYS_MAX = 4_096


@dataclass(frozen=True, slots=True)
class Opened:
    """What an envelope held; ``site``, ``link`` and ``outgoing_id`` stood in clear, bound to the data."""

    site: str
    link: str
    outgoing_id: str
    data: Phi[bytes]


class Opener:
    """Open envelopes with a set of private keys, unwrapping each data key once; safe in threads.

    Args:
        private_keys: id -> raw X25519 private key, 32 bytes.
    """

    def __init__(self, private_keys: Mapping[str, bytes]) -> None:
        self._guard = threading.Lock()
        self._unwrapped: OrderedDict[tuple[bytes, bytes], tuple[str, str, AESGCM]] = OrderedDict()
        self.renew(private_keys)

    def renew(self, private_keys: Mapping[str, bytes]) -> None:
        """Use these private keys from now on, and no other."""
        loaded = [X25519PrivateKey.from_private_bytes(raw) for raw in private_keys.values()]
        with self._guard:
            self._private = {fingerprint(k.public_key().public_bytes_raw()): k for k in loaded}
            self._unwrapped.clear()

    def open(self, data: bytes) -> Opened:
        """Open one envelope.

        Raises:
            VaultError: ``KEY_UNAVAILABLE`` if it is to another key, ``SEAL_BROKEN`` if it was changed.
        """
        outgoing_at, key_at, nonce_at, end = _places(data)
        # A cached key is found by all that was bound when it was wrapped: site, link, and the key itself.
        name = (data[:outgoing_at], data[key_at:nonce_at])
        with self._guard:
            known = self._unwrapped.get(name)
        site, link, key = known or self._unwrap(*name)
        opened = decrypt(key, data[nonce_at:end], data[end:], data[:end], "envelope")
        return Opened(site, link, _text(data[outgoing_at + 2 : key_at]), Phi(opened))

    def _unwrap(self, before: bytes, after: bytes) -> tuple[str, str, AESGCM]:
        link_at = _next_field(before, len(MAGIC + SUITE))
        site, link = _text(before[len(MAGIC + SUITE) + 2 : link_at]), _text(before[link_at + 2 :])
        private = self._private.get(after[:FINGERPRINT_BYTES])
        if private is None:
            raise VaultError("envelope", "is sealed to a key we do not have")
        key = AESGCM(unwrap(after[FINGERPRINT_BYTES:], private, key_context(site, link), "envelope"))
        with self._guard:
            self._unwrapped[before, after] = (site, link, key)
            if len(self._unwrapped) > OPENER_KEYS_MAX:
                self._unwrapped.popitem(last=False)
        return site, link, key


def open_envelope(private_key: bytes, data: bytes) -> Opened:
    """Open one envelope with a raw X25519 private key: what a recipient needs.

    Raises:
        VaultError: ``KEY_UNAVAILABLE`` if it is to another key, ``SEAL_BROKEN`` if it was changed.
    """
    return Opener({"": private_key}).open(data)


def is_envelope(data: bytes) -> bool:
    """Say whether bytes begin as an envelope does."""
    return data.startswith(MAGIC + SUITE)


def fingerprint(public: bytes) -> bytes:
    """Name a public key in an envelope: the first 8 bytes of its SHA-256."""
    return hashlib.sha256(public).digest()[:FINGERPRINT_BYTES]


def key_context(site: str, link: str) -> bytes:
    """Give HPKE's ``info``: the site and link a data key belongs to."""
    return bind("oathward envelope 1", site, link)


def fixed_parts(site: str, link: str, public: X25519PublicKey, key: bytes) -> tuple[bytes, bytes]:
    """Give what stands before and after the outgoing id in every envelope under one data key."""
    wrapped = wrap(key, public, key_context(site, link))
    before = MAGIC + SUITE + _field(site) + _field(link)
    return before, fingerprint(public.public_bytes_raw()) + wrapped


def _field(text: str) -> bytes:
    raw = text.encode()
    return len(raw).to_bytes(2, "big") + raw


def _next_field(data: bytes, at: int) -> int:
    return at + 2 + int.from_bytes(data[at : at + 2], "big")


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise VaultError("envelope", "has a broken header", reason=Reason.SEAL_BROKEN) from error


def _places(data: bytes) -> tuple[int, int, int, int]:
    """Find where the outgoing id, the key, the nonce and the ciphertext begin.

    Raises:
        VaultError: ``SEAL_BROKEN``; not an envelope, or cut short.
    """
    if not is_envelope(data):
        raise VaultError("envelope", "not an envelope of a known form", reason=Reason.SEAL_BROKEN)
    outgoing_at = _next_field(data, _next_field(data, len(MAGIC + SUITE)))
    key_at = _next_field(data, outgoing_at)
    nonce_at = key_at + FINGERPRINT_BYTES + WRAPPED_BYTES
    end = nonce_at + NONCE_BYTES
    if len(data) < end + TAG_BYTES:
        raise VaultError("envelope", "is cut short", reason=Reason.SEAL_BROKEN)
    return outgoing_at, key_at, nonce_at, end
