"""``oathward demo estate``: writes into an empty folder, says what it wrote, and leaves what is there alone."""

import json

from oathward.cli.main import run

SMALL = ["--devices", "100", "--sites", "1", "--days", "1"]


def test_it_says_what_it_wrote(tmp_path, capsys):
    assert run(["demo", "estate", "--out", str(tmp_path / "here"), *SMALL, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["devices"] >= 100
    assert told["sites"] == 1
    assert (tmp_path / "here" / "README.md").is_file()
    assert (tmp_path / "here" / "north" / "zeek" / "2026-05-04" / "dhcp.log").is_file()


def test_what_is_there_stays(tmp_path, capsys):
    (tmp_path / "mine").write_text("mine")
    assert run(["demo", "estate", "--out", str(tmp_path), *SMALL]) != 0
    assert "not an empty folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
