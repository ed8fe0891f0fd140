"""Seal as the reference page says, for the tests of the opening side."""

import hashlib
import os

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite


def seal(public, site, link, outgoing_id, body):
    def words(*parts):
        return b"".join(len(p).to_bytes(2, "big") + p for p in (x.encode() for x in parts))

    key, nonce = os.urandom(32), os.urandom(12)
    info = f"oathward envelope 1,{len(site)}:{site},{len(link)}:{link}".encode()
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    wrapped = suite.encrypt(key, X25519PublicKey.from_public_bytes(public), info)
    head = (
        b"OWE1\x01" + words(site, link, outgoing_id) + hashlib.sha256(public).digest()[:8] + wrapped + nonce
    )
    return head + AESGCM(key).encrypt(nonce, body, head)
