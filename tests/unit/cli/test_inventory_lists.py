"""`oathward inventory import` and `reconcile` on a real data folder: a list taken in, and compared with what was known."""

import io
import json
import sys
from types import SimpleNamespace

import pytest

from oathward.cli.main import run
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

LIST = """Asset No;Serial;Manufacturer;MAC Address;Room;Last PM
4711;SN1;Acme;00-1b-c5-00-0a-1f;West 3;04/05/2026
4712;SN2;Acme;;West 4;05/06/2026
"""


@pytest.fixture
def oathward(data, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def ask(*arguments: str, code: int = 0):
        assert (
            run(
                [
                    "inventory",
                    *arguments,
                    "--json",
                    *(() if "--wizard" in arguments else ("--data", str(data))),
                ]
            )
            == code
        )
        said = capsys.readouterr()
        return json.loads(said.out if code == 0 else said.err)

    (tmp_path / "l.csv").write_text(LIST)
    return ask


@pytest.fixture
def mapped(oathward, tmp_path):
    proposed = oathward("import", "l.csv", "--wizard", "--mapping", "m.toml")
    assert proposed["undecided"] == ["Last PM"]
    mapping = tmp_path / "m.toml"
    assert (
        oathward("reconcile", "l.csv", "--mapping", "m.toml", code=65)["where"] == "mapping: columns.Last PM"
    )
    mapping.write_text(mapping.read_text().replace('"?"', '"%d/%m/%Y"'))
    return oathward


def test_a_list_is_compared_taken_and_compared_again(mapped, tmp_path):
    again = ("l.csv", "--mapping", "m.toml")
    assert mapped("import", *again, "--dry-run")["counts"] == {"rows": 2, "new": 2}
    assert mapped("import", *again)["taken"]["new"] == 2
    assert mapped("reconcile", *again)["counts"] == {"rows": 2, "same": 2}
    (tmp_path / "l.csv").write_text(LIST.replace("West 3", "East 9").partition("4712")[0] + "x;y\n")
    found = mapped("reconcile", *again)
    assert found["counts"] == {"rows": 1, "differs": 1, "gone": 1, "refused": 1}
    [difference] = found["differences"]
    assert (difference["line"], difference["attribute"], difference["value"]) == (2, "location", "East 9")
    assert difference["others"] == [{"value": "West 3", "source": "cmms"}]
    assert [one["tag"] for one in found["gone"]] == ["4712"]
    assert found["refused"][0]["line"] == 3
    assert "gone" not in mapped("reconcile", *again, "--realm", "north")["counts"]
    assert mapped("import", *again, "--as-of", "2999-01-01", code=65)["error"] == "observation.time"


def test_a_type_in_other_words_is_no_difference(mapped, tmp_path):
    typed = [
        line + cell
        for line, cell in zip(LIST.splitlines(), (";Type", ";CT scanner", ";ventilator"), strict=True)
    ]
    (tmp_path / "l.csv").write_text("\n".join(typed))
    mapped("import", "l.csv", "--wizard", "--mapping", "t.toml")
    mapping = tmp_path / "t.toml"
    mapping.write_text(mapping.read_text().replace('"?"', '"%d/%m/%Y"'))
    mapped("import", "l.csv", "--mapping", "t.toml")
    (tmp_path / "l.csv").write_text(
        "\n".join(typed).replace("CT scanner", "Computertomograph").replace("ventilator", "ecg")
    )
    found = mapped("reconcile", "l.csv", "--mapping", "t.toml")
    assert [(one["attribute"], one["value"]) for one in found["differences"]] == [("type", "ecg")]


def test_a_tag_of_two_devices_is_told_and_hides_neither(mapped, tmp_path):
    retired = "4711;SN9;Acme;;Store;04/05/2026\n"
    (tmp_path / "l.csv").write_text(LIST + retired)
    again = ("l.csv", "--mapping", "m.toml")
    assert mapped("reconcile", *again)["counts"]["disputed"] == 1
    found = mapped("import", *again)
    assert ([one["disputed"] for one in found["duplicates"]], found["conflicts"]) == ([True], 1)
    listed = [one for one in mapped("list")["endpoints"] if one["tag"] == "4711"]
    assert {(one["serial"], one["location"], one["conflicts"]) for one in listed} == {
        ("SN1", "West 3", 1),
        ("SN9", "Store", 1),
    }
    assert mapped("import", *again)["counts"]["same"] == 3


def test_what_the_site_says_stands_beside_what_another_source_says(mapped, tmp_path):
    device = {"id": 1, "asset_tag": "4711", "device_type": {"model": "P1"}, "location": {"name": "Store"}}
    (tmp_path / "n.json").write_text(json.dumps({"results": [device]}))
    mapped("import", "l.csv", "--mapping", "m.toml")
    found = mapped("import", "n.json")
    assert (found["counts"]["differs"], found["taken"].get("new", 0)) == (1, 0)
    assert found["differences"][0]["others"] == [{"value": "West 3", "source": "cmms"}]


def test_what_is_no_list_says_what_would_be(oathward, tmp_path, monkeypatch):
    (tmp_path / "x").write_bytes(b"\0\1\2")
    assert oathward("import", "x", code=65)["error"] == "message.format-unsupported"
    assert oathward("import", "l.csv", code=65)["error"] == "observation.columns"
    assert oathward("import", "none.csv", code=66)["where"] == "none.csv"
    assert oathward("import", "l.csv", "--format", "cmsm", code=65)["where"] == "--format"
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(), isatty=lambda: False))
    assert oathward("import", "-", code=65)["error"] == "message.empty"


def test_the_inventory_is_written_out_for_who_may_see_endpoints(oathward, monkeypatch):
    """Whoever sees devices of one maker alone, a vendor, does not see all endpoints: as on their page."""
    asked = []

    def nobody(_site, _person, action):
        asked.append(action)
        raise InputError(action, "policies do not permit it", reason=Reason.NOT_PERMITTED)

    monkeypatch.setattr("oathward.cli.inventory_export.who_may", nobody)
    assert oathward("export", "--out", "out.csv", code=77)["error"] == Reason.NOT_PERMITTED.code
    assert asked == ["inventory.see"]


def test_what_was_taken_in_is_written_out(mapped, tmp_path):
    mapped("import", "l.csv", "--mapping", "m.toml")
    for form in ("csv", "words", "fhir", "netbox"):
        assert mapped("export", "--format", form, "--out", f"out.{form}")["bytes"] > 100
    assert json.loads((tmp_path / "out.fhir").read_text())["entry"][0]["resource"]["resourceType"] == "Device"
    assert len(json.loads((tmp_path / "out.netbox").read_text())["devices"]) == 2
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 3
    assert mapped("export", "--where", "location=West 3", "--out", "some.csv")["endpoints"] == 1
    assert len((tmp_path / "some.csv").read_text().splitlines()) == 2
    assert mapped("export", "--out", "out.csv", code=65)["error"] == "conflict"
    assert mapped("export", "--format", "mud", "--out", "m.json", code=65)["where"] == "options"
    model = (
        "--format",
        "mud",
        "--make",
        "Acme",
        "--model",
        "P9",
        "--url",
        "https://x.example/p",
        "--out",
        "m.json",
    )
    assert mapped("export", *model, code=66)["error"] == "not-found"


def test_a_serial_that_two_of_a_list_have_is_a_finding_until_somebody_settles_it(
    data, mapped, tmp_path, capsys
):
    def go(*arguments):
        code = run([*arguments, "--json", "--data", str(data)])
        said = capsys.readouterr()
        assert code == 0, said.err
        return json.loads(said.out)

    claimed = ("findings", "list", "--kind", "identity.claimed-twice")
    (tmp_path / "l.csv").write_text(LIST.replace("SN2", "SN1"))
    mapped("reconcile", "l.csv", "--mapping", "m.toml")
    assert go(*claimed)["findings"] == []
    assert mapped("import", "l.csv", "--mapping", "m.toml")["conflicts"] == 1
    [one] = go(*claimed)["findings"]
    pair = [one["about"].removeprefix("endpoint:"), one["details"]["other"].removeprefix("endpoint:")]
    assert one["details"]["claimed"] == "serial"
    assert sorted(pair) == sorted(row["id"] for row in go("inventory", "list", "--conflict")["endpoints"])
    row = go("inventory", "show", pair[0])["endpoint"]
    name = row["mac"] or f"tag {row['tag']}"
    assert run(["findings", "show", one["id"], "--data", str(data)]) == 0
    assert f"about {name} ({one['about']})" in capsys.readouterr().out
    merge = go("inventory", "merge", *pair, "--why", "one device, two labels")["merge"]
    assert go(*claimed)["findings"] == []
    assert go("inventory", "list", "--conflict")["endpoints"] == []
    go("inventory", "undo", merge, "--why", "two after all")
