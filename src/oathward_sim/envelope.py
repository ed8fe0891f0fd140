"""Open a sealed envelope as a stranger would: from ``docs/reference/envelope.md`` and an HPKE library.

Layout: ``OWE1`` ‖ suite (1 byte) ‖ site ‖ link ‖ outgoing id (each two bytes of length, then UTF-8) ‖ first 8
bytes of SHA-256 of the recipient's public key ‖ HPKE-wrapped data key (80 bytes) ‖ nonce (12 bytes) ‖
AES-256-GCM ciphertext; everything before the ciphertext is its additional data. Over MLLP it travels in base64 as ZOW-2, over
FHIR as the data of a Binary.

Source: RFC 9180 (base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM), NIST SP 800-38D.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

_BEGIN = b"OWE1\x01"
_FINGERPRINT, _WRAPPED, _NONCE = 8, 80, 12
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class NotForUsError(Exception):
    """Not an envelope, not to this key, or changed on the way."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What an envelope says outside and holds inside.

    Args:
        clear: all that anyone on the way can read: what carried the envelope, and its bytes before the ciphertext. Of the
            ciphertext it is proven by opening it that it is ``data`` sealed; what it looks like is chance.
    """

    site: str
    link: str
    outgoing_id: str
    data: bytes
    clear: bytes = b""


class Reader:
    """A recipient's key and its use; unwraps a data key that comes again only once."""

    def __init__(self) -> None:
        self._private = X25519PrivateKey.generate()
        self.public = self._private.public_key().public_bytes_raw()
        """To be named in the bundle."""
        self._keys: dict[tuple[bytes, bytes], bytes] = {}

    def save(self, path: Path) -> None:
        """Write the private key, raw, for the owner alone."""
        path.touch(0o600)
        path.write_bytes(self._private.private_bytes_raw())

    def open(self, data: bytes) -> Letter:
        """Open one envelope.

        Raises:
            NotForUsError: not an envelope, to another key, or it does not open.
        """
        came, data = data, _carried(data)
        if not data.startswith(_BEGIN):
            raise NotForUsError("not an envelope")
        site, at = _field(data, len(_BEGIN))
        link, at = _field(data, at)
        outgoing_id, at = _field(data, at)
        wrapped_at = at + _FINGERPRINT
        nonce_at = wrapped_at + _WRAPPED
        end = nonce_at + _NONCE
        if data[at:wrapped_at] != hashlib.sha256(self.public).digest()[:_FINGERPRINT]:
            raise NotForUsError("to another key")
        try:
            key = self._key(data[wrapped_at:nonce_at], site, link)
            inside = AESGCM(key).decrypt(data[nonce_at:end], data[end:], data[:end])
        except (InvalidTag, ValueError) as error:
            raise NotForUsError("does not open") from error
        clear = _carrier(came, data) + data[:end]
        return Letter(site.decode(), link.decode(), outgoing_id.decode(), inside, clear)

    def _key(self, wrapped: bytes, site: bytes, link: bytes) -> bytes:
        info = b"oathward envelope 1,%d:%b,%d:%b" % (len(site), site, len(link), link)
        found = self._keys.get((wrapped, info))
        if found is None:
            found = self._keys[wrapped, info] = _SUITE.decrypt(wrapped, self._private, info)
        return found


def unopened(data: bytes) -> bytes:
    """Give a delivery that its recipient could not open as anyone can read it: base64 is read as what it stands for."""
    envelope = _carried(data)
    return _carrier(data, envelope) + envelope if envelope else data


def _carrier(came: bytes, envelope: bytes) -> bytes:
    """Give what stands around an envelope, and a line's end; nothing around one that came as it is."""
    return b"" if envelope is came else came.replace(base64.b64encode(envelope), b"") + b"\n"


def _carried(data: bytes) -> bytes:
    """Take an envelope out of what carries it: over MLLP ZOW-2, over FHIR the data of a Binary, both in base64."""
    if data.startswith(b"{"):
        try:
            return base64.b64decode(json.loads(data)["data"], validate=True)
        except (ValueError, KeyError, TypeError):  # binascii.Error is one of these
            return b""
    if not data.startswith(b"MSH"):
        return data
    for line in data.split(b"\r"):
        if line.startswith(b"ZOW|"):
            try:
                return base64.b64decode(line.split(b"|")[2], validate=True)
            except (IndexError, binascii.Error):
                break
    return b""


def _field(data: bytes, at: int) -> tuple[bytes, int]:
    length = int.from_bytes(data[at : at + 2], "big")
    return data[at + 2 : at + 2 + length], at + 2 + length
