"""Promises of copies and tombstones: a restored store cannot bring an erased subject back."""

import os
import shutil

import pytest
from tests.unit.vault.keeper.test_opening import records, refused
from tests.unit.vault.sites import ME, asking, gateway

from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason
from oathward.vault.keeper import backups, keyring, tombstones
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.store import Store
from oathward.vault.sign import Signer


def restore(site, name: str) -> None:
    shutil.copyfile(site.keeper_folder / "backups" / name, site.keeper_folder / "keeper.db")


def test_a_copy_restores_keys_and_buries_what_was_erased_since(site):
    with gateway(site) as gate, asking(site, "admin") as admin:
        erased, stays = gate.keep("gone", b"gone"), gate.keep("stays", b"stays")
        admin.open("gone", [erased], "TREAT", ME)
        admin.open("stays", [stays], "TREAT", ME)
        copy = admin.back_up(ME)
        admin.erase("gone", "gdpr.art17", ME)
    restore(site, copy)
    store = Store(site.keeper_folder)  # reverse: the restored file itself does hold the erased key
    assert store.one("SELECT 1 FROM subject WHERE id = 'gone'")
    store.close()
    with asking(site, "admin") as admin:
        assert refused(lambda: admin.open("gone", [erased], "TREAT", ME)) is Reason.KEY_DESTROYED
        assert admin.open("stays", [stays], "TREAT", ME)[0].data.reveal() == b"stays"
        assert admin.state()["tombstones"] == 1
    assert b"gone" not in (site.keeper_folder / "keeper.db").read_bytes()
    assert [r["body"].get("reason") for r in records(site, "key.destroyed")] == [
        "gdpr.art17",
        "keeper.restored",
    ]


@pytest.mark.parametrize("change", ["edit", "drop", "swap", "foreign"])
def test_a_changed_list_of_erasures_stops_the_keeper(site, change):
    with asking(site, "admin") as admin:
        for subject in "abc":
            admin.erase(subject, "gdpr.art17", ME)
    path = tombstones.path_of(site.data)
    lines = path.read_bytes().splitlines(keepends=True)
    if change == "edit":
        lines[1] = lines[1].replace(b"gdpr.art17", b"gdpr.art18")
    elif change == "drop":
        del lines[0]
    elif change == "swap":
        lines[0], lines[1] = lines[1], lines[0]
    else:
        stone = tombstones.Tombstone(4, "k", bytes(32), 1, "x")
        lines.append(tombstones.line(stone, "demo", Signer.create("another")))
    path.write_bytes(b"".join(lines))
    with pytest.raises(KeeperError) as caught:
        Keeper(site)
    assert caught.value.reason is Reason.SIGNATURE_INVALID


def test_a_store_of_another_history_does_not_serve(site):
    """The list says other subjects were erased than the store says: neither can be believed."""
    with asking(site, "admin") as admin:
        copy = admin.back_up(ME)
        admin.erase("a", "gdpr.art17", ME)
        admin.back_up(ME)
    listed = tombstones.path_of(site.data).read_bytes()
    restore(site, copy)
    tombstones.path_of(site.data).unlink()
    with asking(site, "admin") as admin:
        admin.erase("b", "gdpr.art17", ME)
    tombstones.path_of(site.data).write_bytes(listed)
    with pytest.raises(KeeperError) as caught:
        Keeper(site)
    assert caught.value.reason is Reason.CONFLICT


def test_a_line_a_crash_left_half_written_is_mended(site):
    with asking(site, "admin") as admin:
        admin.erase("a", "gdpr.art17", ME)
        admin.erase("b", "gdpr.art17", ME)
    path = tombstones.path_of(site.data)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    with asking(site, "admin") as admin:
        assert admin.state()["tombstones"] == 2
    assert path.read_bytes() == whole


def test_copies_live_a_week_and_one_is_made_a_day(tmp_path):
    store = Store(tmp_path / "keeper", create=True)
    day = keyring.DAY_US
    for hour in range(0, 24 * 20, 6):
        backups.keep_up(store, 10 * day + hour * day // 24)
    ages = [(29 * day + 18 * day // 24) - backups.made_us(path) for path in backups.copies(store)]
    assert len(ages) == 7
    assert max(ages) < 7 * day
    assert all(path.stat().st_mode & 0o077 == 0 for path in backups.copies(store))
    assert backups.last_expiry_us(store, 0) == backups.made_us(backups.copies(store)[-1]) + 7 * day
    store.close()


def test_a_new_site_key_leaves_no_old_copy(site, admin):
    admin.back_up(ME)
    before = {path.name for path in (site.keeper_folder / "backups").iterdir()}
    admin.rotate_site_key(ME)
    after = {path.name for path in (site.keeper_folder / "backups").iterdir()}
    assert len(after) == 1
    assert not after & before
    admin.close()
    restore(site, after.pop())
    with asking(site, "admin") as again:
        assert again.state()["site_key"] == 2


def test_half_a_copy_is_no_copy(tmp_path):
    store = Store(tmp_path / "keeper", create=True)
    backups.make(store, 5)
    (store.folder / "backups" / "keeper-9.part").write_bytes(os.urandom(100))
    assert [backups.made_us(path) for path in backups.copies(store)] == [5]
    assert len(list((store.folder / "backups").iterdir())) == 1
    store.close()
