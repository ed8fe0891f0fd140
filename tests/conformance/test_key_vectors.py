"""Published vectors for the functions the vault uses: HKDF-SHA256, Ed25519, AES-256-GCM, X25519."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from tests.corpus import CORPUS, needs_corpus

from oathward.core.errors import AuthorityError, VaultError
from oathward.vault.primitives import decrypt, derive, wrap
from oathward.vault.sign import Signer, Verifier

IDENTITY = CORPUS / "proofs-identity"
WYCHEPROOF = IDENTITY / "wycheproof" / "testvectors_v1"


def wycheproof(name: str):
    path = WYCHEPROOF / name
    if not path.exists():
        pytest.skip(f"the corpus has no {name}")
    return [(group, test) for group in json.loads(path.read_bytes())["testGroups"] for test in group["tests"]]


@needs_corpus
@pytest.mark.corpus
def test_hkdf_of_rfc_5869():
    text = (IDENTITY / "cryptography-vectors" / "KDF" / "rfc-5869-HKDF-SHA256.txt").read_text()
    cases, case = [], {}
    for line in text.splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "COUNT":
            case = {}
            cases.append(case)
        elif value:
            case[name.strip()] = value.strip()
    checked = 0
    for case in cases:
        fields = {name: bytes.fromhex(case.get(name, "")) for name in ("IKM", "salt", "info", "OKM")}
        assert derive(fields["IKM"], fields["salt"], fields["info"], int(case["L"])) == fields["OKM"]
        checked += 1
    assert checked >= 3


@needs_corpus
@pytest.mark.corpus
def test_hkdf_of_wycheproof():
    tests = wycheproof("hkdf_sha256_test.json")
    for _, test in tests:
        ikm, salt, info = (bytes.fromhex(test[name]) for name in ("ikm", "salt", "info"))
        if test["result"] == "valid":
            assert derive(ikm, salt, info, test["size"]).hex() == test["okm"]
        else:
            with pytest.raises(ValueError, match="derive"):
                derive(ikm, salt, info, test["size"])
    assert len(tests) > 50


@needs_corpus
@pytest.mark.corpus
def test_ed25519_of_wycheproof():
    tests = wycheproof("ed25519_test.json")
    for group, test in tests:
        verifier = Verifier("vector", bytes.fromhex(group["publicKey"]["pk"]))
        signature, message = bytes.fromhex(test["sig"]), bytes.fromhex(test["msg"])
        if test["result"] == "valid":
            verifier.verify(signature, message)
        else:
            with pytest.raises(AuthorityError):
                verifier.verify(signature, message)
    assert len(tests) > 100


@needs_corpus
@pytest.mark.corpus
def test_aes_gcm_of_wycheproof():
    for group, test in wycheproof("aes_gcm_test.json"):
        if group["keySize"] != 256 or group["ivSize"] != 96:
            continue
        key, nonce, aad, sealed = (bytes.fromhex(test[name]) for name in ("key", "iv", "aad", "ct"))
        sealed += bytes.fromhex(test["tag"])
        if test["result"] == "valid":
            assert decrypt(AESGCM(key), nonce, sealed, aad, "vector").hex() == test["msg"]
        else:
            with pytest.raises(VaultError):
                decrypt(AESGCM(key), nonce, sealed, aad, "vector")


# The vectors below are short facts of the standards and need no corpus.


def test_ed25519_of_rfc_8032():
    # §7.1, TEST 2
    seed = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    key = Signer("vector", seed)
    assert key.public.hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert key.sign(b"\x72").hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )


def test_aes_256_gcm_of_the_gcm_specification():
    # McGrew and Viega, The Galois/Counter Mode of Operation, test case 14 (and NIST SP 800-38D's validation set)
    opened = decrypt(
        AESGCM(bytes(32)),
        bytes(12),
        bytes.fromhex("cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"),
        b"",
        "vector",
    )
    assert opened == bytes(16)


def test_a_point_of_small_order_gives_no_shared_secret():
    # RFC 7748 §6.1: the check for the all-zero value; X25519 itself is checked through the HPKE vectors.
    own = X25519PrivateKey.generate()
    for point in (bytes(32), b"\x01" + bytes(31)):
        with pytest.raises(ValueError, match="shared key"):
            own.exchange(X25519PublicKey.from_public_bytes(point))
        with pytest.raises(VaultError):
            wrap(bytes(32), X25519PublicKey.from_public_bytes(point), b"")
