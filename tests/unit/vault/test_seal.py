"""Promises of sealing originals: what is bound, when keys change, what stays in memory."""

import os
import pickle

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from tests.unit.vault.sites import Time

from oathward.core.errors import VaultError
from oathward.core.reasons import Reason
from oathward.vault import seal
from oathward.vault.primitives import unwrap
from oathward.vault.seal import PublicKey, SealedMessage, Sealer, intake_context, open_original

FAR_US = 2**60


class Keys:
    """The keeper's side: private keys of intake and outbox."""

    def __init__(self) -> None:
        self.intake, self.outbox = X25519PrivateKey.generate(), X25519PrivateKey.generate()

    def public(self, kind: str, not_after_us: int = FAR_US) -> PublicKey:
        return PublicKey(f"{kind}-1", getattr(self, kind).public_key().public_bytes_raw(), not_after_us)

    def sealer(self, **options) -> Sealer:
        return Sealer("demo", self.public("intake"), self.public("outbox"), **options)

    def data_key(self, row) -> bytes:
        return unwrap(row.wrapped, self.intake, intake_context(row), "test")


def test_only_the_keeper_opens_and_only_in_its_place():
    keys = Keys()
    sealer = keys.sealer()
    sealed = sealer.seal_original("s1", "m1", "keep", b"PID|1")
    (row,) = sealer.pending_keys()
    key = keys.data_key(row)
    assert row.id == sealed.key_id
    assert row.subject == "s1"
    assert row.site == "demo"
    assert open_original(key, "demo", "s1", "m1", "keep", sealed.data) == b"PID|1"
    for site, subject, message, purpose in (
        ("other", "s1", "m1", "keep"),
        ("demo", "s2", "m1", "keep"),
        ("demo", "s1", "m2", "keep"),
        ("demo", "s1", "m1", "quarantine"),
        ("demo", "s1m", "1", "keep"),
        ("demo", "s1", "m1", "keep,2:m1"),
    ):
        with pytest.raises(VaultError) as refused:
            open_original(key, site, subject, message, purpose, sealed.data)
        assert refused.value.reason is Reason.SEAL_BROKEN


def test_words_that_run_together_are_bound_apart():
    contexts = {
        seal.original_context(*parts)
        for parts in (("a", "b", "c"), ("ab", "", "c"), ("a", "bc", ""), ("a,1:b", "", "c"), ("", "ab", "c"))
    }
    assert len(contexts) == 5


@pytest.mark.parametrize(
    "data", [b"", b"\x01", b"\x01" + bytes(11), b"\x02" + bytes(40), b"\x01" + bytes(28)]
)
def test_what_was_never_sealed_does_not_open(data):
    with pytest.raises(VaultError) as refused:
        open_original(bytes(32), "demo", "s", "m", "keep", data)
    assert refused.value.reason is Reason.SEAL_BROKEN


def test_a_row_of_another_subject_does_not_unwrap():
    import dataclasses

    keys = Keys()
    sealer = keys.sealer()
    sealer.seal_original("s1", "m1", "keep", b"x")
    (row,) = sealer.pending_keys()
    for change in ({"subject": "s2"}, {"id": "k"}, {"site": "x"}, {"intake": "i"}, {"epoch": "e"}):
        with pytest.raises(VaultError):
            keys.data_key(dataclasses.replace(row, **change))


def test_one_key_per_subject_purpose_and_epoch_and_one_nonce_per_body():
    time = Time()
    sealer = Keys().sealer(epoch_s=60, monotonic=lambda: time.wall_s)
    first = [sealer.seal_original("s", f"m{n}", "keep", b"x") for n in range(5)]
    assert len({body.key_id for body in first}) == 1
    assert len({body.data[1:13] for body in first}) == 5
    assert sealer.seal_original("s", "m", "quarantine", b"x").key_id != first[0].key_id
    assert sealer.seal_original("t", "m", "keep", b"x").key_id != first[0].key_id
    time.pass_(seconds=59)
    assert sealer.seal_original("s", "m", "keep", b"x").key_id == first[0].key_id
    time.pass_(seconds=1)
    assert sealer.seal_original("s", "m", "keep", b"x").key_id != first[0].key_id


def test_an_epoch_is_an_hour_at_most():
    for epoch_s in (0, -1, 3_601):
        with pytest.raises(VaultError):
            Keys().sealer(epoch_s=epoch_s)


def test_a_key_is_replaced_before_its_nonces_run_out():
    sealer = Keys().sealer(key_uses_max=3)
    used = [sealer.seal_original("s", f"m{n}", "keep", b"x") for n in range(7)]
    assert len({body.key_id for body in used}) == 3
    assert len({(body.key_id, body.data[1:13]) for body in used}) == 7


def test_the_cache_is_bounded_and_an_evicted_key_is_simply_replaced():
    keys = Keys()
    sealer = keys.sealer(keys_cached_max=2)
    a = sealer.seal_original("a", "m1", "keep", b"1")
    sealer.seal_original("b", "m2", "keep", b"2")
    assert sealer.seal_original("a", "m3", "keep", b"3").key_id == a.key_id  # used again: b is the older
    sealer.seal_original("c", "m4", "keep", b"4")
    assert len(sealer._originals) == 2
    assert sealer.seal_original("a", "m5", "keep", b"5").key_id == a.key_id
    b = sealer.seal_original("b", "m6", "keep", b"6")
    rows = {row.id: row for row in sealer.pending_keys()}
    assert len(rows) == 4
    assert open_original(keys.data_key(rows[b.key_id]), "demo", "b", "m6", "keep", b.data) == b"6"


def test_a_wrapped_key_waits_until_it_is_known_to_be_stored():
    sealer = Keys().sealer()
    sealer.seal_original("a", "m1", "keep", b"1")
    first = sealer.pending_keys()
    sealer.seal_original("b", "m2", "keep", b"2")
    assert (
        len(sealer.pending_keys()) == 2
    )  # the first group has not committed yet: the second carries its key too
    sealer.confirm_keys(first)
    assert [row.subject for row in sealer.pending_keys()] == ["b"]
    sealer.confirm_keys(first)
    sealer.forget()
    assert [row.subject for row in sealer.pending_keys()] == ["b"]


def test_nothing_is_sealed_to_an_expired_key():
    time, keys = Time(), Keys()
    sealer = Sealer(
        "demo",
        keys.public("intake", time.now_us + 1),
        keys.public("outbox", time.now_us + 1),
        clock=time.clock,
    )
    sealer.seal_original("s", "m", "keep", b"x")
    time.pass_(seconds=1)
    sealer.seal_original("s", "m", "keep", b"x")  # its key is wrapped already
    with pytest.raises(VaultError) as refused:
        sealer.seal_original("t", "m", "keep", b"x")
    assert refused.value.reason is Reason.KEY_UNAVAILABLE
    sealer.renew(keys.public("intake"), keys.public("outbox"))
    sealer.seal_original("t", "m", "keep", b"x")


def test_keys_that_are_never_stored_stop_the_sealer(monkeypatch):
    monkeypatch.setattr(seal, "KEYS_PENDING_MAX", 3)
    sealer = Keys().sealer()
    for subject in "abc":
        sealer.seal_original(subject, "m", "keep", b"x")
    with pytest.raises(VaultError) as refused:
        sealer.seal_original("d", "m", "keep", b"x")
    assert refused.value.reason is Reason.KEY_UNAVAILABLE
    sealer.seal_original("a", "m2", "keep", b"x")


def test_a_forked_child_forgets_every_key():
    sealer = Keys().sealer()
    before = sealer.seal_original("s", "m", "keep", b"x")
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        after = sealer.seal_original("s", "m", "keep", b"x")
        os.write(write, b"same" if after.key_id == before.key_id else b"other")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 10) == b"other"
    assert sealer.seal_original("s", "m", "keep", b"x").key_id == before.key_id


def test_a_sealed_message_is_made_by_seal_alone():
    import copy
    import dataclasses

    with pytest.raises(TypeError):
        SealedMessage("ehr", "m", "o", b"MSH|", False, "k", object())
    with pytest.raises(TypeError):
        SealedMessage("ehr", "m", "o", b"MSH|", False, "k")
    made = SealedMessage("ehr", "m", "o", b"sealed", False, "k", seal._SEAL)
    for forge in (
        lambda: dataclasses.replace(made, data=b"MSH|"),
        lambda: setattr(made, "data", b"MSH|"),
        lambda: type("Other", (SealedMessage,), {})("ehr", "m", "o", b"MSH|", False, "k", object()),
    ):
        with pytest.raises((TypeError, ValueError, AttributeError)):
            forge()
    assert copy.copy(made) == made


def test_no_key_in_reprs_or_pickles():
    keys = Keys()
    sealer = keys.sealer()
    sealer.seal_original("s", "m", "keep", b"x")
    (row,) = sealer.pending_keys()
    assert keys.data_key(row).hex() not in repr(sealer) + repr(sealer.__dict__)
    with pytest.raises((TypeError, AttributeError)):
        pickle.dumps(sealer)
