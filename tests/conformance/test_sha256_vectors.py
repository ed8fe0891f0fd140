"""NIST's byte vectors of SHA-256, through the function every leaf and node is made with."""

import re

import pytest
from tests.corpus import CORPUS, needs_corpus

from oathward.ledger import merkle

FOLDER = CORPUS / "proofs-identity" / "cryptography-vectors" / "hashes" / "SHA2"
VECTOR = re.compile(r"Len = (\d+)\s+Msg = ([0-9a-f]+)\s+MD = ([0-9a-f]{64})")


@needs_corpus
@pytest.mark.corpus
@pytest.mark.parametrize("name", ["SHA256ShortMsg.rsp", "SHA256LongMsg.rsp"])
def test_vectors(name):
    found = VECTOR.findall((FOLDER / name).read_text())
    assert len(found) >= 60
    for bits, message, digest in found:
        raw = bytes.fromhex(message)[: int(bits) // 8]
        assert merkle.sha256(raw).hexdigest() == digest
