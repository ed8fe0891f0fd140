"""A configured witness: what verify and doctor say of one that does not answer, and of a key that is not there."""

import json

import pytest

from oathward.app import create
from oathward.cli.main import run
from oathward.core.settings import load
from oathward.ledger import note, witness_client
from oathward.ledger.checkpoint import Checkpoint
from oathward.vault.keeper import keyring
from oathward.vault.keeper.store import Store
from oathward.vault.keeper.witnessing import witness_key
from oathward.vault.sign import Signer


@pytest.fixture
def data(tmp_path):
    """A site whose witness does not listen."""
    data = tmp_path / "d"
    create(load(data))
    text = f'[witness]\naddress = "unix:{tmp_path}/nobody"\npublic_key_file = "trust/witness.pub"\n'
    (data / "oathward.toml").write_text(text)
    key = Signer.create("witness.example/w1")
    (data / "trust" / "witness.pub").write_text(note.encode_key(key, note.COSIGNATURE))
    return data


def test_verify_goes_on_without_a_witness_and_says_so(data, capsys):
    assert run(["ledger", "verify", "--data", str(data)]) == 0
    assert f"witness not asked: witness.unavailable: unix:{data.parent}/nobody" in capsys.readouterr().out
    assert run(["ledger", "verify", "--data", str(data), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"]
    assert found["witness_not_asked"].startswith("witness.unavailable")
    assert run(["ledger", "verify", "--data", str(data), "--witness", "none", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["witness_not_asked"] is None
    # Asked for by name, it must answer.
    assert run(["ledger", "verify", "--data", str(data), "--witness", f"unix:{data}/nobody"]) != 0


def test_what_a_witness_holds_still_counts(data, capsys, monkeypatch):
    store = Store(data / "keeper")
    key = keyring.signer(store, "ledger", "demo")
    store.close()
    ahead = note.sign(Checkpoint(key.name, 9, bytes(32)).text, key)
    monkeypatch.setattr(witness_client, "ask_held", lambda *_: ahead)
    assert run(["ledger", "verify", "--data", str(data), "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert (found["problem"], found["witness_not_asked"]) == ("ledger.rolled-back", None)


def test_with_json_a_log_line_goes_to_stderr(data):
    import subprocess
    import sys

    command = [sys.executable, "-m", "oathward.cli", "keys", "status", "--json", "--data", str(data)]
    done = subprocess.run(command, capture_output=True, check=True)
    assert json.loads(done.stdout)["site"] == "demo"
    assert json.loads(done.stderr)["event"].startswith("witness not asked")


def test_doctor_shows_a_witness_that_does_not_answer(data, capsys):
    assert run(["doctor", "--data", str(data), "--json"]) == 1
    lines = json.loads(capsys.readouterr().out)["lines"]
    [line] = [line for line in lines if line["about"] == "witness"]
    assert line["level"] == "bad"
    assert "witness.unavailable" in line["what"]


@pytest.mark.parametrize("content", [None, "", "not a key", "name+00000000+AAAA"])
def test_a_key_file_that_is_no_key_is_named(data, capsys, content):
    path = data / "trust" / "witness.pub"
    path.unlink()
    if content is not None:
        path.write_text(content)
    for command in (["ledger", "verify"], ["keys", "status"], ["ledger", "verify", "--witness", "none"]):
        assert run([*command, "--data", str(data)]) == 78
        said = capsys.readouterr().err
        assert "settings.invalid" in said
        assert str(path) in said


def test_a_path_is_one_in_the_data_folder_or_absolute(data, tmp_path):
    found = witness_key(load(data))
    (data / "trust" / "witness.pub").rename(tmp_path / "w.pub")
    text = (data / "oathward.toml").read_text().replace("trust/witness.pub", str(tmp_path / "w.pub"))
    (data / "oathward.toml").write_text(text)
    assert witness_key(load(data)).public == found.public
    (data / "oathward.toml").write_text('[witness]\naddress = "127.0.0.1:1"\n')
    assert run(["keys", "status", "--data", str(data)]) == 78
