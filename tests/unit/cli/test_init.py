"""``oathward init``: the site's name, given once and kept."""

import json
import os
from dataclasses import replace

import pytest
from cryptography import x509

from oathward.app import build, create
from oathward.cli.main import run
from oathward.core import site_name
from oathward.core.errors import SettingsError
from oathward.core.settings import load
from oathward.vault.keeper import client, setup


def test_the_name_goes_into_the_settings_once(tmp_path, capsys):
    data = tmp_path / "d"
    assert run(["init", "--data", str(data), "--site", "st-mary", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["site"] == "st-mary"
    assert load(data).site.name == "st-mary"
    before = (data / "oathward.toml").read_text()
    assert run(["init", "--data", str(data), "--site", "st-mary"]) == 0
    assert run(["init", "--data", str(data)]) == 0
    assert (data / "oathward.toml").read_text() == before
    capsys.readouterr()
    assert run(["init", "--data", str(data), "--site", "other"]) == 78
    assert "settings.invalid" in capsys.readouterr().err
    assert (data / "oathward.toml").read_text() == before


@pytest.mark.parametrize("text", ["", "[mllp]\nport = 0", "[site]  # us\n[mllp]\nport = 0\n"])
def test_what_the_settings_said_stays(tmp_path, text):
    (tmp_path / "oathward.toml").write_text(text)
    assert run(["init", "--data", str(tmp_path), "--site", "north"]) == 0
    settings = load(tmp_path)
    assert settings.site.name == "north"
    assert settings.mllp.port == (0 if "port" in text else 2575)


def test_the_doors_certificate_bears_the_name_that_devices_reach_it_by(tmp_path):
    def names():
        found = x509.load_pem_x509_certificate((tmp_path / "trust" / "mllp.pem").read_bytes())
        return found.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        ).value.get_values_for_type(x509.DNSName)

    assert run(["init", "--data", str(tmp_path), "--site", "north"]) == 0
    assert "gateway.example" not in names()
    with (tmp_path / "oathward.toml").open("a") as file:
        file.write('\n[fhir]\nurl = "https://gateway.example:2578/fhir"\n')
    for name in ("mllp.pem", "mllp.key"):
        (tmp_path / "trust" / name).unlink()
    anchor = (tmp_path / "trust" / "authority.pub").read_bytes()
    assert run(["init", "--data", str(tmp_path)]) == 0
    assert {"gateway.example", "localhost"} <= set(names())
    assert (tmp_path / "trust" / "authority.pub").read_bytes() == anchor


@pytest.mark.parametrize("name", ["", "a b", "a+b", "/x", 'a"', "a" * 64, "-a"])
def test_what_is_no_name_makes_no_folder(tmp_path, name):
    assert run(["init", "--data", str(tmp_path / "d"), f"--site={name}"]) == 65
    assert not (tmp_path / "d").exists()


@pytest.fixture
def renamed(tmp_path):
    """A folder made as `demo` whose settings name another site now."""
    data = tmp_path / "d"
    create(load(data))
    (data / "oathward.toml").write_text('[site]\nname = "north"\n')
    return data


def test_another_name_opens_nothing(renamed, capsys):
    settings = load(renamed)
    for opening in (
        lambda: build(settings, "admin"),
        lambda: client.connect(settings, "keeper"),
        lambda: setup.init(settings),
    ):
        with pytest.raises(SettingsError) as error:
            opening()
        assert error.value.why == "this data folder is site `demo`; its name cannot change"
    for command in (["ledger", "verify"], ["keys", "status"], ["device", "list"], ["init"], ["serve"]):
        assert run([*command, "--data", str(renamed)]) == 78
        assert "this data folder is site `demo`" in capsys.readouterr().err


def test_a_folder_without_the_pin_is_held_to_its_keys(renamed):
    site_name.path_of(load(renamed)).unlink()
    with pytest.raises(SettingsError, match="site `demo`"):
        setup.init(load(renamed))


def test_an_empty_ledger_is_not_ok(renamed, capsys, monkeypatch):
    monkeypatch.setattr(site_name, "check", lambda _settings: None)  # the reverse: without the pin …
    assert run(["ledger", "verify", "--data", str(renamed)]) == 78  # … the records still say whose they are
    assert "has those of `demo`" in capsys.readouterr().err


@pytest.mark.parametrize(("users", "modes"), [("", (0o700, 0o755, 0o700)), ("x", (0o751, 0o755, 0o755))])
def test_folders_get_their_modes_whatever_the_umask(tmp_path, users, modes):
    settings = load(tmp_path / "d")
    settings = replace(settings, users=replace(settings.users, gateway=users))
    before = os.umask(0o077)
    try:
        create(settings)
    finally:
        os.umask(before)
    folders = (settings.data, settings.data / "trust", settings.run_folder)
    assert tuple(folder.stat().st_mode & 0o777 for folder in folders) == modes


def test_a_folder_made_by_the_command_is_its_owners_alone(tmp_path):
    assert run(["init", "--data", str(tmp_path / "a" / "d")]) == 0
    assert (tmp_path / "a" / "d").stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").touch()
    assert run(["init", "--data", str(tmp_path / "file" / "d")]) != 0
