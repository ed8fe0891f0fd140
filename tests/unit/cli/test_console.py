"""`oathward console` says what is missing before it asks anybody."""

import orjson
import pytest

from oathward.app import create
from oathward.cli.main import run
from oathward.core.settings import load


@pytest.fixture
def site(tmp_path):
    create(load(tmp_path))
    return tmp_path


def said(capsys) -> dict:
    return orjson.loads(capsys.readouterr().err.strip().splitlines()[-1])


def test_without_a_running_site_it_says_how_to_start_one(site, capsys):
    assert run(["console", "--as", "Dana", "--data", str(site), "--json"]) == 66
    assert said(capsys)["why"] == "does not run; start it: oathward serve"


def test_where_it_is_off_it_says_which_setting(site, capsys):
    (site / "oathward.toml").write_text("[console]\nport = -1")
    assert run(["console", "--data", str(site), "--json"]) == 66
    assert "[console] port" in said(capsys)["why"]


def test_what_is_no_data_folder_is_none(tmp_path, capsys):
    assert run(["console", "--data", str(tmp_path / "none"), "--json"]) == 66
    assert said(capsys)["error"] == "not-found"
