"""Any bytes come back as they were; any change of what was sealed is refused with SEAL_BROKEN."""

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.vault.sites import safe

from oathward.core.errors import StorageError, VaultError
from oathward.core.reasons import Reason
from oathward.vault.bodies import SegmentStore, scan
from oathward.vault.envelope import Opener
from oathward.vault.primitives import bind, unwrap
from oathward.vault.seal import PublicKey, Sealer, intake_context, open_original

PRIVATE = X25519PrivateKey.generate()
PUBLIC = PublicKey("k", PRIVATE.public_key().public_bytes_raw(), 2**60)
SEALER = Sealer("demo", PUBLIC, PUBLIC)
OPENER = Opener({"k": PRIVATE.private_bytes_raw()})
ENVELOPE = SEALER.seal_outgoing(safe(), "research", "m", "out-1", None).data
WORDS = st.text(max_size=40)


def seal(subject: str, message: str, purpose: str, data: bytes) -> tuple[bytes, bytes]:
    """Seal with a fresh key; gives the key and the sealed bytes."""
    sealer = Sealer("demo", PUBLIC, PUBLIC)
    body = sealer.seal_original(subject, message, purpose, data)
    (row,) = sealer.pending_keys()
    return unwrap(row.wrapped, PRIVATE, intake_context(row), "test"), body.data


def flip(data: bytes, bit: int) -> bytes:
    bit %= len(data) * 8
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@given(WORDS, WORDS, WORDS, st.binary(max_size=5_000))
def test_whatever_is_sealed_comes_back(subject, message, purpose, data):
    key, sealed = seal(subject, message, purpose, data)
    assert open_original(key, "demo", subject, message, purpose, sealed) == data
    assert len(sealed) == len(data) + 29


@given(st.binary(max_size=300), st.integers(0, 2**20))
def test_any_changed_bit_is_refused(data, bit):
    key, sealed = seal("s", "m", "keep", data)
    with pytest.raises(VaultError) as caught:
        open_original(key, "demo", "s", "m", "keep", flip(sealed, bit))
    assert caught.value.reason is Reason.SEAL_BROKEN


@given(st.tuples(WORDS, WORDS, WORDS, WORDS), st.tuples(WORDS, WORDS, WORDS, WORDS))
def test_another_place_is_refused(place, other):
    site, subject, message, purpose = place
    sealer = Sealer(site, PUBLIC, PUBLIC)
    body = sealer.seal_original(subject, message, purpose, b"x")
    (row,) = sealer.pending_keys()
    key = unwrap(row.wrapped, PRIVATE, intake_context(row), "test")
    if place == other:
        assert open_original(key, *place, body.data) == b"x"
    else:
        with pytest.raises(VaultError) as caught:
            open_original(key, *other, body.data)
        assert caught.value.reason is Reason.SEAL_BROKEN


@given(st.lists(WORDS, max_size=5), st.lists(WORDS, max_size=5))
def test_different_words_are_bound_differently(words, others):
    assert (bind("t", *words) == bind("t", *others)) is (words == others)


@given(st.integers(0, 2**20))
def test_any_changed_bit_of_an_envelope_is_refused(bit):
    OPENER.open(ENVELOPE)
    with pytest.raises(VaultError) as caught:
        OPENER.open(flip(ENVELOPE, bit))
    # A bit of the key's name makes it an envelope to somebody else; all others break the seal.
    assert caught.value.reason in {Reason.SEAL_BROKEN, Reason.KEY_UNAVAILABLE}


@given(st.integers(0, len(ENVELOPE) - 1))
def test_an_envelope_cut_short_is_refused(length):
    with pytest.raises(VaultError) as caught:
        OPENER.open(ENVELOPE[:length])
    assert caught.value.reason is Reason.SEAL_BROKEN


@given(st.binary(max_size=400))
def test_any_bytes_are_no_envelope(data):
    for raw in (data, b"OWE1\x01" + data):
        with pytest.raises(VaultError):
            OPENER.open(raw)


@given(st.lists(st.lists(st.binary(max_size=2_000), max_size=5), max_size=8), st.integers(0, 10**6))
def test_segments_give_back_what_they_took_and_find_any_change(tmp_path_factory, groups, place):
    root = tmp_path_factory.mktemp("bodies")
    store = SegmentStore(root, "kept", "gateway", segment_bytes_max=4_000)
    refs, sent = [], []
    for group in groups:
        refs += store.append(group)
        sent += group
        store.flush()
    assert [store.read(ref) for ref in refs] == sent
    found = [(offset, length) for _, path in store.segments() for offset, length, good in scan(path) if good]
    assert found == [(ref.offset, ref.length) for ref in refs]
    if sent and sent[place % len(sent)]:
        ref = refs[place % len(refs)]
        path = dict(store.segments())[ref.id]
        raw = bytearray(path.read_bytes())
        raw[ref.offset + 12 + place % ref.length] ^= 1
        path.write_bytes(raw)
        with pytest.raises(StorageError):
            store.read(ref)
    store.close()
