"""A status speaks for the role it is named after: its folder may be a captured process's own."""

import json
import os

import pytest

from oathward.core.process import Status, statuses


@pytest.fixture
def run(tmp_path):
    for role in ("gateway", "courier"):
        (tmp_path / role).mkdir()
    return tmp_path


def test_each_is_found_in_the_folder_or_in_its_own(run):
    Status(run, "supervisor").write("ready")
    Status(run / "gateway", "gateway").write("ready")
    assert {role: found["state"] for role, found in statuses(run).items()} == {
        "supervisor": "ready",
        "gateway": "ready",
    }


def test_nobody_speaks_for_another(run):
    Status(run, "supervisor").write("ready", hung=[])
    told = {"role": "supervisor", "state": "ready", "hung": [{"id": "x", "silent_s": "no number"}]}
    (run / "gateway" / "gateway.json").write_text(json.dumps(told))
    assert statuses(run)["supervisor"]["hung"] == []
    assert "gateway" not in statuses(run)


def test_what_has_no_end_is_not_read(run):
    os.mkfifo(run / "gateway" / "gateway.json")
    (run / "courier" / "courier.json").symlink_to("/dev/zero")
    assert statuses(run) == {}
