"""Promises of the key store: wrapped, bound, held by one, without a trace of what was destroyed."""

import os
import shutil
import sqlite3
from datetime import date

import pytest

from oathward.core.errors import KeeperError, StorageError, VaultError
from oathward.core.reasons import Reason
from oathward.vault.keeper import keyring, site_key, subjects
from oathward.vault.keeper.portal import holders
from oathward.vault.keeper.sign_in import accounts
from oathward.vault.keeper.store import WRAPPED, Store

SITE = "demo"


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "keeper", create=True)
    yield made
    made.close()


def fill(store: Store) -> dict[str, bytes]:
    """Put one of everything into the store; gives the secrets in clear."""
    return {
        "secret": keyring.secret(store, "gateway"),
        "authority": keyring.signer(store, "authority", SITE).seed,
        "ledger": keyring.signer(store, "ledger", SITE).seed,
        "project": keyring.project_key(store, "registry"),
        "intake": keyring.current(store, "intake", 1, 1).private,
        "outbox": keyring.current(store, "outbox", 1, 1).private,
        **dict(zip(("key", "own"), subjects._keys(store, SITE, "s1"), strict=True)),
        "factor": factor_secret(store),
        "card": holder_card(store),
        "asked": asked(store),
    }


def factor_secret(store: Store) -> bytes:
    if not accounts.factors(store, "p1"):
        accounts.add(store, "p1", "totp", b"a secret of 20 bytes", 1)
    return accounts.factors(store, "p1")[0].secret


def holder_card(store: Store) -> bytes:
    """A holder of the portal, with a seat and a letter."""
    if holders.of(store, "h1") is None:
        holders.make(store, "h1", holders.Card("Rosa Lind", "rosa@example.org", "en"), 1)
        holders.add_seat(store, holders.SeatRow("a1", "h1", "s1", date(2020, 1, 2)))
        body = store.wrap("letter", "body", "l1", b"{}")
        store.rows("INSERT INTO letter VALUES ('l1', 'code', 'h1', ?, 1, 2, 0)", body)
    holder = holders.of(store, "h1")
    return f"{holder.card.reveal().address} {holders.seat_rows(store)[0].born}".encode()


def asked(store: Store) -> bytes:
    """What was said by who asks whose a pseudonym is."""
    if store.one("SELECT 1 FROM reidentify_told") is None:
        told = store.wrap("reidentify_told", "value", "r1", b"pseudonym and words")
        store.rows("INSERT INTO reidentify_told VALUES ('r1', ?)", told)
    (value,) = store.one("SELECT value FROM reidentify_told WHERE id = 'r1'")
    return store.unwrap("reidentify_told", "value", "r1", value)


def blobs(path) -> dict[tuple[str, str, str], bytes]:
    """Read every wrapped value straight from a store's file."""
    db = sqlite3.connect(path)
    try:
        return {
            (table, column, row): wrapped
            for table, column in WRAPPED
            for row, wrapped in db.execute(f"SELECT id, {column} FROM {table}")
        }
    finally:
        db.close()


def test_secrets_come_back_after_a_start_and_stand_nowhere_in_clear(store, tmp_path):
    secrets = fill(store)
    folder = store.folder
    store.close()
    back = Store(folder)
    assert fill(back) == secrets
    raw = b"".join(p.read_bytes() for p in folder.iterdir() if p.suffix != ".key" and p.is_file())
    assert not [name for name, value in secrets.items() if value in raw]
    back.close()


def test_modes_keep_others_out(store):
    assert store.folder.stat().st_mode & 0o777 == 0o700
    for path in store.folder.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path.name


@pytest.mark.parametrize("mode", [0o755, 0o710, 0o701, 0o770])
def test_a_folder_others_may_look_into_is_refused(tmp_path, mode):
    Store(tmp_path / "keeper", create=True).close()
    (tmp_path / "keeper").chmod(mode)
    with pytest.raises(VaultError, match="chmod 700"):
        Store(tmp_path / "keeper")


def test_one_process_holds_it(store):
    with pytest.raises(KeeperError) as refused:
        Store(store.folder)
    assert refused.value.reason is Reason.CONFLICT


def test_no_store_is_made_by_accident(tmp_path):
    (tmp_path / "keeper").mkdir(mode=0o700)
    with pytest.raises(VaultError, match="oathward init"):
        Store(tmp_path / "keeper")


def test_a_secret_opens_only_where_it_stands(store):
    wrapped = store.wrap("subject", "key", "s1", b"k" * 32)
    assert store.unwrap("subject", "key", "s1", wrapped) == b"k" * 32
    for place in (("subject", "key", "s2"), ("subject", "secret", "s1"), ("project", "key", "s1")):
        with pytest.raises(VaultError) as refused:
            store.unwrap(*place, wrapped)
        assert refused.value.reason is Reason.SEAL_BROKEN


def test_every_private_column_is_listed_for_rewrapping(store):
    """A column that is wrapped but not listed would be lost with the next site key."""
    fill(store)
    store.close()
    db = sqlite3.connect(store.path)
    site = site_key.load(store.folder, 1)
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from oathward.vault.keeper.store import _unwrap

    found = set()
    for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
        for row in db.execute(f"SELECT * FROM {table}"):
            for column, value in zip(columns, row, strict=True):
                if isinstance(value, bytes):
                    try:
                        _unwrap(AESGCM(site), table, column, row[0], value)
                    except VaultError:
                        continue
                    found.add((table, column))
    db.close()
    assert found == set(WRAPPED)


def test_rotation_rewraps_everything_and_destroys_the_old_key(store):
    secrets = fill(store)
    old_key, old_blobs = site_key.load(store.folder, 1), blobs(store.path)
    assert store.rotate_site_key() == 2
    assert fill(store) == secrets
    raw = b"".join(path.read_bytes() for path in store.folder.iterdir() if path.is_file())
    assert old_key not in raw
    assert not [place for place, blob in old_blobs.items() if blob in raw]
    assert sorted(p.name for p in store.folder.glob("site-*")) == ["site-000002.key"]
    new_blobs = blobs(store.path)
    assert new_blobs.keys() == old_blobs.keys()
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from oathward.vault.keeper.store import _unwrap

    for place, blob in new_blobs.items():
        with pytest.raises(VaultError):
            _unwrap(AESGCM(old_key), *place, blob)
    for (
        place,
        blob,
    ) in old_blobs.items():  # reverse: the check above can tell, for the old key opened the old blobs
        _unwrap(AESGCM(old_key), *place, blob)


def test_the_old_key_file_is_overwritten_before_its_name_goes(store):
    path = site_key.key_path(store.folder, 1)
    old = path.read_bytes()
    os.link(path, store.folder / "peek")  # a second name for the same blocks
    store.rotate_site_key()
    assert (store.folder / "peek").read_bytes() != old


def test_an_erased_subject_leaves_no_bytes_in_the_file(store):
    fill(store)
    subjects._keys(store, SITE, "other")
    kept_before = {place: blob for place, blob in blobs(store.path).items() if place[2] == "s1"}
    assert kept_before
    subjects.erase(store, SITE, "s1", "gdpr.art17", 5)
    raw = store.path.read_bytes()
    assert not [place for place, blob in kept_before.items() if blob in raw]
    assert not list(store.folder.glob("*-journal"))
    left = {place[2] for place in blobs(store.path) if place[0] == "subject"}
    assert left == {"other"}


def test_without_the_clean_up_the_bytes_would_still_be_there(tmp_path, monkeypatch):
    """Reverse: SQLite alone leaves deleted keys in the file, so the test above can tell."""
    path = tmp_path / "plain.db"
    db = sqlite3.connect(path)
    db.execute("PRAGMA secure_delete=OFF")
    db.execute("CREATE TABLE t (id TEXT PRIMARY KEY, key BLOB)")
    key = os.urandom(60)
    db.executemany("INSERT INTO t VALUES (?, ?)", [("a", key), ("b", os.urandom(60))])
    db.commit()
    db.execute("DELETE FROM t WHERE id = 'a'")
    db.commit()
    db.close()
    assert key in path.read_bytes()


def test_a_site_key_that_does_not_fit_is_refused_and_nothing_is_destroyed(store, tmp_path):
    fill(store)
    store.close()
    key = site_key.key_path(store.folder, 1)
    good = key.read_bytes()
    key.write_bytes(os.urandom(32))
    with pytest.raises(VaultError):
        Store(store.folder)
    key.write_bytes(good)
    Store(store.folder).close()
    key.write_bytes(good[:31])
    with pytest.raises(VaultError):
        Store(store.folder)
    key.unlink()
    with pytest.raises(VaultError):
        Store(store.folder)


def test_an_older_store_does_not_make_a_start_destroy_the_newer_key(store):
    fill(store)
    old = store.folder.parent / "old.db"
    store.copy_to(old)
    store.rotate_site_key()
    store.close()
    newer = store.path.read_bytes()
    shutil.copyfile(old, store.path)
    with pytest.raises(VaultError):  # its site key is destroyed, as it should be
        Store(store.folder)
    store.path.write_bytes(newer)
    Store(store.folder).close()


def set_and_fail(store, how):
    with store.transaction():
        store.set_meta("a", "1")
        how()


def test_a_failed_transaction_changes_nothing(store):
    with pytest.raises(StorageError):
        set_and_fail(store, lambda: store.rows("INSERT INTO nowhere VALUES (1)"))
    assert store.meta("a") == ""
    with pytest.raises(ZeroDivisionError):
        set_and_fail(store, lambda: 1 / 0)
    assert store.meta("a") == ""
    with store.transaction(), store.transaction():
        store.set_meta("a", "2")
    assert store.meta("a") == "2"
