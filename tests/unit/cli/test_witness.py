"""``oathward witness``: options before and behind the subcommand, and the file with its public key."""

import json
import subprocess
import sys

import pytest
from tests.unit.ledger.sample import LOG

from oathward.cli.main import run
from oathward.cli.witness import _publish
from oathward.ledger import note, witness
from oathward.vault.sign import Signer, Verifier


@pytest.mark.parametrize("before", [True, False])
def test_the_folder_may_be_named_before_or_behind_the_subcommand(tmp_path, monkeypatch, capsys, before):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "wit"
    named, key = ["--data", "wit"], note.encode_key(LOG)
    assert run(["witness", *named, "trust", key] if before else ["witness", "trust", key, *named]) == 0
    assert list(witness.trusted(folder, Verifier)) == [LOG.name]
    assert not (tmp_path / "oathward-witness").exists()
    capsys.readouterr()
    assert run(["witness", "--data", "nowhere", "--json", "trust", key, *named]) == 0  # the nearer one counts
    assert json.loads(capsys.readouterr().out) == {"origin": LOG.name}
    assert not (tmp_path / "nowhere").exists()
    assert run(["witness", "--data", "nowhere", "show"]) == 66


def test_the_environment_and_the_default_still_name_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["witness", "trust", note.encode_key(LOG)]) == 0
    assert (tmp_path / "oathward-witness").is_dir()
    monkeypatch.setenv("OATHWARD_WITNESS_DATA", str(tmp_path / "e"))
    assert run(["witness", "trust", note.encode_key(LOG)]) == 0
    assert (tmp_path / "e").is_dir()


def test_a_witness_writes_its_public_key_and_says_where(tmp_path, capsys):
    folder = tmp_path / "w"
    command = [
        sys.executable,
        "-m",
        "oathward.cli",
        "witness",
        "--data",
        str(folder),
        "--listen",
        "127.0.0.1:0",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        lines = [process.stdout.readline() for _ in range(3)]
        process.terminate()
        process.wait(10)
    assert lines[2] == f"  also in {folder / 'witness.pub'}\n"
    assert run(["witness", "--data", str(folder), "show", "--json"]) == 0
    assert (folder / "witness.pub").read_text().strip() == json.loads(capsys.readouterr().out)["key"]


def test_a_file_of_another_key_is_not_written_over(tmp_path):
    path = tmp_path / "witness.pub"
    mine, other = (note.encode_key(Signer.create(n), note.COSIGNATURE) for n in ("a", "b"))
    assert _publish(path, mine) == path
    assert _publish(path, mine) == path
    assert _publish(path, other) is None
    assert path.read_text().strip() == mine
