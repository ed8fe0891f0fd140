"""A process of a site that starts while its keeper is away waits for it, and never takes its place."""

import os
import subprocess
import sys
import time

import pytest
from tests.site import Site

from oathward.core.errors import KeeperError
from oathward.core.process import statuses
from oathward.core.reasons import Reason
from oathward.vault.keeper import client
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.server import Server


@pytest.fixture
def settings(tmp_path):
    return Site.make(tmp_path / "s").settings


@pytest.mark.turns(3, "role")  # the gateway: all wait by one function
@pytest.mark.parametrize("role", ["gateway", "courier", "app"])
def test_a_part_waits_for_its_keeper(settings, role):
    command = [sys.executable, "-m", "oathward.app", role, "--data", str(settings.data)]
    part = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"OATHWARD_SUPERVISED": "1"},
    )
    try:
        time.sleep(1.5)  # it has had time to find nobody
        keeper = Server(settings)  # the store is free
        try:
            until_s = time.monotonic() + 20
            while statuses(settings.run_folder).get(role, {}).get("pid") != part.pid:
                assert part.poll() is None
                assert time.monotonic() < until_s
                time.sleep(0.05)
            part.stdin.close()
            assert part.wait(20) == 0
        finally:
            keeper.stop()
    finally:
        part.kill()
        part.wait()


def test_it_gives_up_in_the_end(settings, monkeypatch):
    monkeypatch.setattr(client, "START_S_MAX", 0.1)
    with pytest.raises(KeeperError) as caught:
        client.connect(settings, "gateway", become=False)
    assert caught.value.reason is Reason.KEEPER_UNAVAILABLE


def test_were_it_to_take_the_place_no_keeper_could_start(settings):
    with client.connect(settings, "gateway"), pytest.raises(KeeperError) as caught:
        Keeper(settings)
    assert caught.value.reason is Reason.CONFLICT
