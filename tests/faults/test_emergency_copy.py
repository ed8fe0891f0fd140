"""kill -9 at every named place of an emergency copy's making: the last good copy stays, and the next run goes on from it."""

import os
import signal
import subprocess
import sys

import pytest
from tests import emergency
from tests.care import peopled
from tests.site import Site, bundle, local

from oathward.vault.emergency import copies

SCRIPT = """
import sys
from pathlib import Path
from oathward.core.settings import load
from oathward.vault.keeper import client
from oathward.vault.keeper.checkpoints import sign_next
from oathward.vault.keeper.proof import admin_proof
with client.connect(load(sys.argv[1]), "admin") as admin:
    sign_next(admin._transport._keeper)
    print(admin.copies.make(Path(sys.argv[2]), admin_proof("ada"))["file"])
"""


def run(site, folder, place=""):
    environment = os.environ | ({"OATHWARD_KILL_AT": place} if place else {})
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, str(site.folder), str(folder)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("place", ["emergency.section:1", "emergency.section:2", "emergency.written"])
def test_killed_while_it_is_made_the_last_good_copy_stays_and_the_next_run_cleans_up(tmp_path, place):
    folder, safe = tmp_path / "copies", tmp_path / "safe"
    folder.mkdir()
    safe.mkdir()
    site = Site.make(tmp_path / "site", more='[emergency]\npublic_key_file = "emergency.pub"\n')
    site.activate(bundle({"ehr": "mllp://127.0.0.1:9"}))
    site.add(local("adt-1", "ADT1", kind="registration", authoritative_adt=True), local("mon-1", "MON1"))
    with peopled(site, []) as world:
        key = emergency.give_key(world.keeper, safe)
        here = {emergency.admitted(world.gate).subject for _ in range(2)}
        emergency.make(world.keeper, folder)
    good = (folder / "copy-00000001.oathward").read_bytes()

    killed = run(site, folder, place)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert list(copies.generations(folder)) == [1], "half a copy is none"
    assert (folder / "copy-00000001.oathward").read_bytes() == good
    with copies.open_copy(folder / "copy-00000001.oathward", key.trust) as copy:
        copies.check_sections(copy)
        assert {one.subject for one in copy.manifest.sections} == here

    again = run(site, folder)
    assert again.stdout.strip() == "copy-00000002.oathward", again.stderr
    assert not list(folder.glob(".*.part")), "what the killed run left is gone"
    with copies.open_copy(folder / "copy-00000002.oathward", key.trust) as copy:
        copies.check_sections(copy)
        assert {one.state for one in copy.manifest.sections} == {"proved"}
