"""A passkey's authenticator in software, from the standard alone: what a browser would send, and what a wrong one would.

Source: W3C Web Authentication Level 2 §6.1 (authenticator data), §5.8.1 (client data), §6.5.1 (attested credential data).
"""

import hashlib
import json
import os
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def data(value: str) -> bytes:
    return urlsafe_b64decode(value + "=" * (-len(value) % 4))


@dataclass
class Authenticator:
    """One passkey. Fields are what a hostile one would change."""

    origin: str = "http://localhost:2579"
    host: str = "localhost"
    flags: int = PRESENT | VERIFIED
    count: int = 0
    step: int = 1
    algorithm: int = -7
    id: bytes = field(default_factory=lambda: os.urandom(32))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    handle: bytes = b""

    def create(self, options, *, kind="webauthn.create", fmt="none", statement=None, challenge=None) -> str:
        """Answer ``navigator.credentials.create``."""
        self.handle = data(options["user"]["id"])
        client = self.client_data(kind, challenge or options["challenge"])
        attested = bytes(16) + struct.pack(">H", len(self.id)) + self.id + cbor2.dumps(self.public())
        whole = self.authenticator_data(ATTESTED) + attested
        body = cbor2.dumps({"fmt": fmt, "attStmt": statement or {}, "authData": whole})
        return self.answer({"attestationObject": text(body), "clientDataJSON": text(client)})

    def get(self, options, *, kind="webauthn.get", challenge=None, handle=None, key=None) -> str:
        """Answer ``navigator.credentials.get``."""
        client = self.client_data(kind, challenge or options["challenge"])
        self.count += self.step
        signed = self.authenticator_data(0)
        signature = (key or self.key).sign(
            signed + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256())
        )
        shown = self.handle if handle is None else handle
        return self.answer(
            {
                "authenticatorData": text(signed),
                "clientDataJSON": text(client),
                "signature": text(signature),
                **({"userHandle": text(shown)} if shown else {}),
            }
        )

    def answer(self, response) -> str:
        id_ = text(self.id)
        return json.dumps({"id": id_, "rawId": id_, "type": "public-key", "response": response})

    def client_data(self, kind: str, challenge: str) -> bytes:
        return json.dumps(
            {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        ).encode()

    def authenticator_data(self, more: int) -> bytes:
        return hashlib.sha256(self.host.encode()).digest() + struct.pack(">BI", self.flags | more, self.count)

    def public(self):
        numbers = self.key.public_key().public_numbers()
        return {1: 2, 3: self.algorithm, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
