"""Promises of subjects in the key store: seeds, keys taken in, erasing."""

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from oathward.core.errors import KeeperError, VaultError
from oathward.core.reasons import Reason
from oathward.vault.keeper import keyring, subjects
from oathward.vault.keeper.store import Store
from oathward.vault.seal import PublicKey, Sealer, open_original

SITE = "demo"


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "keeper", create=True)
    yield made
    made.close()


def sealer(store: Store, site: str = SITE) -> Sealer:
    key = keyring.current(store, "intake", 1, 1)
    public = PublicKey(key.id, key.public, 2**60)
    return Sealer(site, public, public)


def test_a_seed_is_the_same_each_time_and_unlike_any_other(store):
    pairs = [("s1", "p1"), ("s1", "p2"), ("s2", "p1"), ("s2", "p2"), ("p1", "s1")]
    seeds = [subjects.seed(store, SITE, *pair) for pair in pairs]
    assert len(set(seeds)) == len(pairs)
    assert {len(seed) for seed in seeds} == {32}
    assert [subjects.seed(store, SITE, *pair) for pair in pairs] == seeds
    assert subjects.device_key(store, SITE, "p1") not in seeds
    assert subjects.device_key(store, SITE, "p1") != subjects.device_key(store, SITE, "p2")


def test_keys_taken_in_open_what_was_sealed(store):
    seal = sealer(store)
    sealed = {
        m: seal.seal_original(s, m, "keep", m.encode()) for s, m in (("a", "m1"), ("a", "m2"), ("b", "m3"))
    }
    rows = seal.pending_keys()
    taken = subjects.take_in(store, SITE, rows, 9)
    assert sorted(taken.held) == sorted(row.id for row in rows)
    assert not taken.broken + taken.erased
    assert subjects.take_in(store, SITE, rows, 10).held == taken.held  # again does nothing
    assert store.one("SELECT COUNT(*) FROM data_key") == (2,)
    key = subjects.data_key(store, SITE, "a", sealed["m2"].key_id)
    assert open_original(key, SITE, "a", "m2", "keep", sealed["m2"].data) == b"m2"
    with pytest.raises(VaultError) as refused:
        subjects.data_key(store, SITE, "b", sealed["m1"].key_id)  # another subject's key
    assert refused.value.reason is Reason.KEY_UNAVAILABLE


def test_broken_rows_are_told_apart_and_block_nothing(store):
    import dataclasses

    seal = sealer(store)
    for subject in "abcdefg":
        seal.seal_original(subject, "m", "keep", b"x")
    rows = seal.pending_keys()
    stranger = PublicKey("unknown", X25519PrivateKey.generate().public_key().public_bytes_raw(), 2**60)
    other = Sealer(SITE, stranger, stranger)
    other.seal_original("h", "m", "keep", b"x")
    bad = [
        dataclasses.replace(rows[0], wrapped=b""),
        dataclasses.replace(rows[1], wrapped=bytes(80)),
        dataclasses.replace(rows[2], subject="someone else"),
        dataclasses.replace(rows[3], site="elsewhere"),
        dataclasses.replace(rows[4], subject=""),
        dataclasses.replace(rows[5], subject="x" * 65),
        other.pending_keys()[0],
    ]
    taken = subjects.take_in(store, SITE, [*bad, rows[6]], 9)
    assert taken.held == (rows[6].id,)
    assert sorted(taken.broken) == sorted(row.id for row in bad)


def test_after_erasing_nothing_of_the_subject_is_served_or_taken_in(store):
    seal = sealer(store)
    sealed = seal.seal_original("a", "m1", "keep", b"x")
    old_rows = seal.pending_keys()
    subjects.take_in(store, SITE, old_rows, 1)
    subjects.seed(store, SITE, "a", "p")
    first = subjects.erase(store, SITE, "a", "gdpr.art17", 5)
    for act in (
        lambda: subjects.data_key(store, SITE, "a", sealed.key_id),
        lambda: subjects.seed(store, SITE, "a", "p"),
        lambda: subjects.check_not_erased(store, SITE, "a"),
    ):
        with pytest.raises(KeeperError) as refused:
            act()
        assert refused.value.reason is Reason.KEY_DESTROYED
    seal.seal_original("a", "m2", "quarantine", b"later")
    taken = subjects.take_in(store, SITE, seal.pending_keys(), 9)
    assert len(taken.erased) == 2
    assert not taken.held
    assert subjects.erase(store, SITE, "a", "again", 6) == first
    assert subjects.count(store) == 1
    assert subjects.seed(store, SITE, "b", "p")


def test_erasing_somebody_unknown_keeps_them_out_too(store):
    stone = subjects.erase(store, SITE, "never seen", "gdpr.art17", 5)
    assert stone.serial == 1
    assert stone.key_id
    with pytest.raises(KeeperError):
        subjects.seed(store, SITE, "never seen", "p")


def test_a_tombstone_names_no_subject(store):
    stone = subjects.erase(store, SITE, "subject-1234", "gdpr.art17", 5)
    assert "subject-1234" not in repr(stone)
    assert b"subject-1234" not in store.path.read_bytes()
