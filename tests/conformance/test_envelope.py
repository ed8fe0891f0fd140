"""A stranger opens our envelopes from docs/reference/envelope.md and RFC 9180 alone."""

import json
import os
import struct

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from tests.conformance import rfc9180
from tests.corpus import CORPUS, needs_corpus
from tests.unit.vault.sites import safe

from oathward.vault.primitives import unwrap, wrap
from oathward.vault.seal import PublicKey, Sealer

VECTORS = CORPUS / "proofs-identity" / "cryptography-vectors" / "HPKE" / "subset-base-mode.json"


@needs_corpus
@pytest.mark.corpus
def test_the_stranger_agrees_with_the_published_vectors():
    ours = [v for v in json.loads(VECTORS.read_bytes()) if (v["kem_id"], v["kdf_id"]) == (0x20, 1)]
    assert ours
    checked = 0
    for vector in ours:
        v = {k: bytes.fromhex(x) for k, x in vector.items() if isinstance(x, str)}
        assert rfc9180.shared_secret(v["skRm"], v["enc"]) == v["shared_secret"]
        assert rfc9180.schedule(v["shared_secret"], v["info"], vector["aead_id"]) == (
            v["key"],
            v["base_nonce"],
        )
        for sequence, one in enumerate(vector["encryptions"]):
            e = {k: bytes.fromhex(x) for k, x in one.items()}
            sequence = int.from_bytes(e["nonce"], "big") ^ int.from_bytes(v["base_nonce"], "big")
            opened = rfc9180.open_base(
                v["skRm"], v["enc"], v["info"], e["aad"], e["ct"], aead=vector["aead_id"], sequence=sequence
            )
            assert opened == e["pt"]
            checked += 1
    assert checked >= 4


def test_what_we_wrap_the_stranger_unwraps():
    key = X25519PrivateKey.generate()
    for info in (b"", b"context", os.urandom(300)):
        secret = os.urandom(32)
        wrapped = wrap(secret, key.public_key(), info)
        assert unwrap(wrapped, key, info, "test") == secret
        opened = rfc9180.open_base(key.private_bytes_raw(), wrapped[:32], info, b"", wrapped[32:])
        assert opened == secret


def stranger_opens(private: bytes, data: bytes) -> tuple[list[str], bytes]:
    """Open an envelope as its page describes it, step by step."""
    assert data[:5] == b"OWE1\x01"
    at, words = 5, []
    for _ in range(3):
        (length,) = struct.unpack_from(">H", data, at)
        words.append(data[at + 2 : at + 2 + length].decode())
        at += 2 + length
    enc, wrapped, nonce = data[at + 8 : at + 40], data[at + 40 : at + 88], data[at + 88 : at + 100]
    site, link, _ = (word.encode() for word in words)
    info = b"oathward envelope 1,%d:%s,%d:%s" % (len(site), site, len(link), link)
    key = rfc9180.open_base(private, enc, info, b"", wrapped)
    return words, AESGCM(key).decrypt(nonce, data[at + 100 :], data[: at + 100])


def test_a_stranger_opens_what_was_sealed_end_to_end():
    recipient, other = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    ours = PublicKey("k", other.public_key().public_bytes_raw(), 2**60)
    sealer = Sealer("Clínica", ours, ours)
    message = safe()
    for n in range(3):
        sealed = sealer.seal_outgoing(
            message, "research", f"m{n}", f"out-{n}", recipient.public_key().public_bytes_raw()
        )
        words, opened = stranger_opens(recipient.private_bytes_raw(), sealed.data)
        assert words == ["Clínica", "research", f"out-{n}"]
        assert opened == message.data
