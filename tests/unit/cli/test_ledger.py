"""``oathward ledger``: what it prints, and with which code it ends."""

import json

import pytest
from sqlalchemy import text
from tests.unit.ledger import sample
from tests.unit.ledger.sample import LOG, SITE, WITNESS

from oathward.cli.main import run
from oathward.core.db import connect, create_tables, read, write
from oathward.ledger import checkpoint, note, postings
from oathward.vault.sign import Signer, save_verifier


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A data folder with the sample ledger and the pinned key."""
    folder = tmp_path_factory.mktemp("site")
    engine = connect(f"sqlite:///{folder / 'oathward.db'}")
    create_tables(engine)
    block, postings.BLOCK = postings.BLOCK, 128
    last = sample.fill(engine)
    postings.BLOCK = block
    engine.dispose()
    (folder / "oathward.toml").write_text(
        f'[site]\nname = "{SITE}"\n[witness]\npublic_key_file = "witness.pub"\n'
    )
    (folder / "witness.pub").write_text(note.encode_key(WITNESS, note.COSIGNATURE))
    (folder / "trust").mkdir()
    save_verifier(LOG, folder / "trust" / "ledger.pub")
    (folder / "last.note").write_text(last)
    return folder


@pytest.fixture
def data(made, tmp_path, monkeypatch):
    import shutil

    monkeypatch.setattr(postings, "BLOCK", 128)
    return shutil.copytree(made, tmp_path / "data")


def ledger(data, *arguments):
    return run(["ledger", *arguments, "--data", str(data)])


def change(data, sql):
    engine = connect(f"sqlite:///{data / 'oathward.db'}")
    with write(engine) as db:
        db.execute(text(sql))
    engine.dispose()


def test_verify_says_what_holds(data, capsys):
    assert ledger(data, "verify", "--held", str(data / "last.note")) == 0
    said = capsys.readouterr().out
    assert "700 records" in said
    assert "OK: every record" in said
    assert "4 signed checkpoints; 40 records came after" in said
    assert "cosigned by a witness up to 660 records" in said
    assert "retention/90-days: 4" in said


def test_verify_names_the_first_bad_record(data, capsys):
    change(data, "UPDATE ledger_record SET kind = 'x' WHERE idx IN (77, 300)")
    assert ledger(data, "verify", "--json") == 3
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["first_bad_index"], found["problem"]) == (False, 77, "ledger.broken")
    assert [p["first"] for p in found["problems"]] == [77, 300]
    assert ledger(data, "verify") == 3
    assert "BROKEN: first bad record 77" in capsys.readouterr().out


def test_verify_takes_a_data_folder_or_an_export(data, tmp_path, capsys):
    assert run(["ledger", "verify", str(data)]) == 0
    assert ledger(data, "export", str(tmp_path / "out"), "--json") == 0
    capsys.readouterr()
    assert run(["ledger", "verify", str(tmp_path / "out"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["checkpoints"] == 4
    assert run(["ledger", "verify", str(tmp_path / "out")]) == 0
    assert "taken from the export itself" in capsys.readouterr().out
    key = note.encode_key(LOG)
    assert run(["ledger", "verify", str(tmp_path / "out"), "--key", key]) == 0
    assert "itself" not in capsys.readouterr().out
    thief = note.encode_key(Signer(LOG.name, b"\5" * 32))
    assert run(["ledger", "verify", str(tmp_path / "out"), "--key", thief]) == 3


def test_without_a_key_it_says_that_signatures_were_not_checked(data, capsys):
    (data / "trust" / "ledger.pub").unlink()
    assert ledger(data, "verify") == 0
    assert "signatures NOT checked" in capsys.readouterr().out


def test_a_proof_goes_from_one_machine_to_another(data, tmp_path, capsys):
    assert ledger(data, "prove", "300", "--out", str(tmp_path / "p.tlog-proof")) == 0
    capsys.readouterr()
    elsewhere = ["--data", str(tmp_path / "nothing-here")]
    key = ["--key", note.encode_key(LOG)]
    proof = ["--proof", str(tmp_path / "p.tlog-proof")]
    assert run(["ledger", "verify", *proof, *key, "--json", *elsewhere]) == 0
    assert json.loads(capsys.readouterr().out)["index"] == 300
    assert run(["ledger", "verify", *proof, *elsewhere]) == 65  # no key, no trust
    (tmp_path / "p.tlog-proof").write_text(
        (tmp_path / "p.tlog-proof").read_text().replace("index 300", "index 301")
    )
    assert run(["ledger", "verify", *proof, *key, *elsewhere]) == 3


@pytest.mark.parametrize(("index", "code"), [("699", 66), ("5", 66), ("-1", 2)])
def test_what_cannot_be_proved(data, index, code, capsys):
    assert ledger(data, "prove", index) == code


def test_show_and_search(data, capsys):
    assert ledger(data, "show", "303", "--json") == 0
    assert json.loads(capsys.readouterr().out)["links"] == ["ehr", "registry", "cloud"]
    assert ledger(data, "show", "303") == 0
    assert "message.accepted" in capsys.readouterr().out
    assert ledger(data, "show", "6") == 0
    assert "removed under rule retention/90-days" in capsys.readouterr().out
    assert ledger(data, "show", "9999") == 66
    capsys.readouterr()
    query = ["--subject", "subject-3", "--link", "cloud", "--since", "2023-11-14", "--limit", "2"]
    assert ledger(data, "search", *query, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [e["index"] for e in found] == [675, 647]
    assert ledger(data, "search", *query) == 0
    assert "--before 647" in capsys.readouterr().out
    assert ledger(data, "search", "--until", "2023-11-14T22:13:19") == 0
    assert "No record" in capsys.readouterr().out
    assert ledger(data, "search", "--since", "yesterday") == 65


def test_a_folder_without_a_ledger(tmp_path, capsys):
    for command in (["verify"], ["show", "1"], ["prove", "1"], ["search"], ["export", str(tmp_path / "x")]):
        assert ledger(tmp_path / "none", *command) == 66
    assert not (tmp_path / "none").exists()


def test_restore_declare(data, tmp_path, capsys):
    lost = checkpoint.Checkpoint(LOG.name, 705, b"\1" * 32)
    (tmp_path / "lost.note").write_text(note.sign(lost.text, LOG))
    options = ["restore-declare", "--held", str(tmp_path / "lost.note"), "--origin", "oathward/ward/2"]
    assert ledger(data, "verify", "--held", str(tmp_path / "lost.note")) == 3
    assert ledger(data, *options, "--person", "ada") == 65
    assert ledger(data, *options, "--person", "ada", "--person", "ada") == 65
    capsys.readouterr()
    assert ledger(data, *options, "--person", "ada", "--person", "grace", "--json") == 0
    assert json.loads(capsys.readouterr().out)["missing"] == [700, 704]
    engine = connect(f"sqlite:///{data / 'oathward.db'}")
    with read(engine) as db:
        found = checkpoint.propose(db, SITE, None)
    with write(engine) as db:
        checkpoint.store(db, SITE, note.sign(found.text, LOG))  # the keeper, told to begin again
    engine.dispose()
    assert ledger(data, "verify", "--held", str(tmp_path / "lost.note"), "--json") == 0
    assert json.loads(capsys.readouterr().out)["lost"] == [[700, 704]]
