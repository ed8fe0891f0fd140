"""Root gives away folders that a role may have filled: what was put there to be followed is not."""

import os
import stat

import pytest

from oathward.core import users
from oathward.core.settings import load

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")

GATEWAY, KEEPER, GROUP = 61_001, 61_003, 61_000
USERS = f"""
[users]
gateway = "{GATEWAY}"
courier = "61002"
keeper = "{KEEPER}"
app = "61004"
group = "{GROUP}"
"""


@pytest.fixture
def settings(tmp_path):
    data = tmp_path / "site"
    (data / "db").mkdir(parents=True)
    (data / "oathward.toml").write_text(USERS)
    (data / "bodies" / "kept" / "gateway").mkdir(parents=True)
    (data / "bodies" / "kept" / "replay").mkdir()
    (data / "keeper" / "copies").mkdir(parents=True)
    return load(data)


@pytest.fixture
def victim(tmp_path):
    folder = tmp_path / "etc"
    folder.mkdir(mode=0o711)
    folder.chmod(0o711)
    (folder / "shadow").write_text("secret")
    (folder / "shadow").chmod(0o600)
    return folder


def of(path):
    found = path.stat()
    return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)


def test_folders_and_files_are_whose_they_should_be(settings):
    kept = settings.data / "bodies" / "kept"
    for writer in ("gateway", "replay"):
        (kept / writer / "000001.seg").write_bytes(b"x")
    (settings.keeper_folder / "copies" / "keeper.db").write_bytes(b"x")
    users.prepare(settings)
    for path in (kept.parent, kept, kept / "gateway"):
        assert of(path) == (GATEWAY, GROUP, 0o2750)
    assert of(kept / "gateway" / "000001.seg") == (GATEWAY, GROUP, 0o640)
    assert of(kept / "replay") == (0, GROUP, 0o2750)
    assert of(kept / "replay" / "000001.seg") == (0, GROUP, 0o640)
    assert of(settings.keeper_folder / "copies") == (KEEPER, GROUP, 0o700)
    assert of(settings.keeper_folder / "copies" / "keeper.db") == (KEEPER, GROUP, 0o600)


@pytest.mark.parametrize(
    "place",
    ["bodies/link", "bodies/kept/link", "bodies/kept/gateway/link", "keeper/link", "keeper/copies/link"],
)
def test_a_link_to_a_folder_is_not_followed(settings, victim, place):
    (settings.data / place).symlink_to(victim)
    users.prepare(settings)
    assert of(victim) == (0, 0, 0o711)
    assert of(victim / "shadow") == (0, 0, 0o600)


@pytest.mark.parametrize("how", ["symlink_to", "hardlink_to"])
@pytest.mark.parametrize("place", ["bodies/kept/gateway/000001.seg", "keeper/copies/x", "db/oathward.db-x"])
def test_another_file_is_not_given_away(settings, victim, place, how):
    getattr(settings.data / place, how)(victim / "shadow")
    users.prepare(settings)
    assert of(victim / "shadow") == (0, 0, 0o600)


def test_replay_is_no_way_to_roots_files(settings, victim):
    (settings.data / "bodies" / "kept" / "replay").rmdir()
    (settings.data / "bodies" / "kept" / "replay").symlink_to(victim)
    users.prepare(settings)
    assert of(victim) == (0, 0, 0o711)
