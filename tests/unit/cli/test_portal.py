"""Promises of ``oathward portal``: access is given by a file and a letter, listed by codes, ended at once."""

import json

import pytest
from tests.site import Site, bundle, local

from oathward.cli.main import run
from oathward.core.ids import uuid7
from oathward.vault.keeper.client import connect

MORE = (
    '[portal]\nurl = "https://patients.example"\n[mail]\nsender = "file"\nsent_from = "portal@example.org"\n'
)
HOLDER = 'name = "Rosa Lind"\naddress = "rosa.lind@example.org"\n'


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = Site.make(tmp_path_factory.mktemp("s"), more=MORE)
    made.activate(bundle({"ehr": "mllp://127.0.0.1:9"}))
    made.add(local("mon-1", "MON1"))
    return made


@pytest.fixture
def patient(site, tmp_path, capsys):
    """A patient somebody has heard of; gives the file with the number."""
    path = tmp_path / "number"
    path.write_text(f"{uuid7()[-10:]}^^^HOSP^MR")
    arguments = ["--deny", "--purpose", "HRESCH", "--recipient", "*", "--identifier-file", str(path)]
    assert run(["consent", "record", *arguments, "--data", str(site.folder)]) == 0
    capsys.readouterr()
    return str(path)


def command(site, capsys, *arguments):
    code = run(["portal", *arguments, "--data", str(site.folder), "--json"])
    out, err = capsys.readouterr()
    assert "rosa" not in (out + err).lower(), "nothing of whom is printed"
    return code, json.loads(out or err)


def holder(tmp_path, text=HOLDER):
    path = tmp_path / "holder.toml"
    path.write_text(text)
    return "--holder-file", str(path)


def test_invite_list_and_end(site, patient, tmp_path, capsys):
    whose = "--identifier-file", patient
    code, made = command(site, capsys, "invite", *holder(tmp_path), *whose)
    assert code == 0
    code, rows = command(site, capsys, "list", "--subject", made["subject"])
    (row,) = rows
    assert (row["access"], row["standing"], row["basis"]) == (made["access"], "in-force", "self")
    assert (row["scope"], row["enrolled"], row["until"]) == (["choose", "request", "see"], False, "")
    assert run(["portal", "list", "--data", str(site.folder)]) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"{made['access']}  {made['subject']}  in-force  self: "), (
        "a list of everybody says whose"
    )
    assert f", since {row['since'][:16].replace('T', ' ')}, has not signed in yet" in told
    with connect(site.settings, "app") as keeper:
        letters = [one for one in keeper.portal.letters_take() if one.kind == "invitation"]
    assert [one.address.reveal() for one in letters] == ["rosa.lind@example.org"]
    assert command(site, capsys, "resend", made["access"])[0] == 0
    with connect(site.settings, "app") as keeper:
        again = [one for one in keeper.portal.letters_take() if one.kind == "invitation"]
    assert again[-1].values.reveal()["key"] != letters[0].values.reveal()["key"]
    assert command(site, capsys, "end", made["access"])[0] == 0
    assert [one["standing"] for one in command(site, capsys, "list", *whose)[1]] == ["ended"]
    assert command(site, capsys, "resend", made["access"])[0] != 0, "what is over is not sent again"


def test_a_proxy_has_a_basis_a_scope_and_an_end(site, patient, tmp_path, capsys):
    child = holder(tmp_path, HOLDER + "born = 2021-05-06\n")
    said = "--proxy", "--basis", "parent", "--scope", "see", "--until", "2031-01-01"
    code, made = command(site, capsys, "invite", *child, "--identifier-file", patient, *said)
    assert code == 0
    (row,) = command(site, capsys, "list", "--subject", made["subject"])[1]
    assert (row["basis"], row["scope"], row["until"][:10]) == ("parent", ["see"], "2031-01-02")


@pytest.mark.parametrize(
    ("text", "more", "where"),
    [
        (HOLDER, ["--proxy"], "--basis"),
        (HOLDER, ["--basis", "wish"], "--basis"),
        ('name = "Rosa"\n', [], "--holder-file"),
        (HOLDER + 'phone = "1"\n', [], "--holder-file"),
        ("Rosa Lind", [], "--holder-file"),
        (HOLDER, ["--proxy", "--basis", "parent"], "born"),
        (HOLDER, ["--proxy", "--basis", "cousin"], "access"),
        (HOLDER, ["--subject", "x"], "options"),
    ],
)
def test_what_cannot_be_meant_is_named_and_gives_nothing(site, patient, tmp_path, capsys, text, more, where):
    code, error = command(
        site, capsys, "invite", *holder(tmp_path, text), "--identifier-file", patient, *more
    )
    assert code != 0
    assert where in json.dumps(error)


def test_a_patient_nobody_heard_of_and_an_access_nobody_has(site, tmp_path, capsys):
    path = tmp_path / "number"
    path.write_text("424242^^^HOSP^MR")
    code, error = command(site, capsys, "invite", *holder(tmp_path), "--identifier-file", str(path))
    assert (code != 0, "not-found" in json.dumps(error)) == (True, True)
    assert command(site, capsys, "end", "none")[0] != 0
    capsys.readouterr()
    assert run(["portal", "list", "--data", str(site.folder)]) == 0
