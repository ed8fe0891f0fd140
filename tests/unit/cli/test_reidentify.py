"""``oathward reidentify``: one asks, another agrees, the first is shown the patient's number, once, with the files of jobs."""

import io
import json

import pytest
from tests.unit.vault.keeper.test_breaking import admitted, mrn
from tests.unit.vault.keeper.test_reidentifying import PROJECT, job, name_of, nothing_asked, world

from oathward.cli import reidentify
from oathward.cli.main import run as oathward
from oathward.core.ids import uuid7
from oathward.policy.reidentify import REASONS

__all__ = ["mrn", "nothing_asked", "world"]


@pytest.fixture
def run(world, monkeypatch, capsys):
    """Run a command as somebody; gives its exit code and what it printed."""

    def command(who, *given, as_json=True):
        monkeypatch.setattr(reidentify, "proof_of", lambda *_: world.enter(who))
        told = ["--json"] if as_json else []
        code = oathward(["reidentify", *given, "--data", str(world.site.folder), *told])
        out = "".join(capsys.readouterr())
        return code, json.loads(out) if as_json and code < 2 else out

    return command


@pytest.fixture
def asked(run, world, mrn):
    subject, _ = admitted(world, mrn)
    job(world, subject)
    terms = ["--project", PROJECT, "--reason", "incidental-finding", "--why", "a nodule, left"]
    code, told = run("p-privacy", "request", name_of(world, subject), *terms)
    assert (code, told["state"]) == (0, "waiting")
    return told["id"], subject, mrn


def test_it_goes_from_a_pseudonym_to_a_number(run, world, asked):
    id_, subject, number = asked
    _, told = run("p-security", "look", id_)
    assert (told["pseudonym"], told["words"]) == (name_of(world, subject), "a nodule, left")
    assert run("p-security", "approve", id_, "--why", "fits the letter")[0] == 0
    code, found = run("p-privacy", "show", id_)
    assert (code, found["found"], found["subject"]) == (0, "one", subject)
    assert [(one["value"], one["authority"], one["type"]) for one in found["numbers"]] == [
        (number, "HOSP", "MR")
    ]
    assert [one["file"] for one in found["files"]] == ["AAAA"]
    assert run("p-privacy", "show", id_)[0] != 0
    assert run("p-privacy", "list")[1]["requests"] == []
    [row] = run("p-privacy", "list", "--all")[1]["requests"]
    assert (row["state"], row["second"]) == ("shown", "Person p-security")


def test_people_read_it_in_words(run, asked):
    id_, subject, number = asked
    assert "waiting" in run("p-auditor", "list", as_json=False)[1]
    assert "a nodule, left" in run("p-privacy-2", "look", id_, as_json=False)[1]
    assert "Approved." in run("p-privacy-2", "approve", id_, "--why", "fits", as_json=False)[1]
    told = run("p-privacy", "show", id_, as_json=False)[1]
    assert f"subject  {subject}" in told
    assert f"number   {number}  HOSP  MR" in told
    assert "shown once" in told


def test_nobody_is_exit_code_one(run, world, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("0" * 16 + "\n"))
    terms = ["--project", PROJECT, "--reason", "law", "--why", "w"]
    _, told = run("p-privacy", "request", "-", *terms)
    run("p-privacy-2", "look", told["id"])
    run("p-privacy-2", "approve", told["id"], "--why", "court's letter")
    code, found = run("p-privacy", "show", told["id"])
    assert (code, found["found"], found["numbers"], found["files"]) == (1, "nobody", [], [])


def test_a_refused_request_shows_nothing(run, asked):
    id_, subject, number = asked
    assert run("p-privacy-2", "refuse", id_, "--why", "no letter")[0] == 0
    code, out = run("p-privacy", "show", id_)
    assert code > 1
    assert subject not in out
    assert number not in out


def test_who_asked_takes_it_back(run, asked):
    assert run("p-privacy", "withdraw", asked[0])[1]["state"] == "withdrawn"
    assert run("p-privacy-2", "approve", asked[0], "--why", "x")[0] > 1


@pytest.mark.parametrize("words", [("look",), ("approve", "--why", "mine")])
def test_of_ones_own_it_says_who_it_takes(run, asked, words):
    code, out = run("p-privacy", words[0], asked[0], *words[1:])
    assert code > 1
    assert "access.own" in out
    assert "another person: a privacy officer or a security analyst" in out


def test_no_words_are_told_by_their_option(run):
    terms = ["--project", PROJECT, "--reason", "law", "--why", " "]
    code, out = run("p-privacy", "request", "0" * 16, *terms)
    assert code > 1
    assert '"where":"--why"' in out


def test_an_unknown_reason_says_which_there_are(run):
    terms = ["--project", PROJECT, "--reason", "curious", "--why", "w"]
    code, out = run("p-privacy", "request", "0" * 16, *terms)
    assert code > 1
    assert "incidental-finding" in out


def test_the_help_of_a_request_names_the_reasons(capsys):
    assert oathward(["reidentify", "request", "--help"]) == 0
    told = "".join(capsys.readouterr().out.split())
    assert all(code in told for code in REASONS)


def test_a_project_that_is_none_is_refused_with_what_was_meant(run):
    terms = ["--project", "lung-studi", "--reason", "law", "--why", "w"]
    code, out = run("p-privacy", "request", "0" * 16, *terms)
    assert code > 1
    assert "did you mean `lung-study`?" in out


@pytest.mark.parametrize("of_job", [True, False])
def test_without_a_number_it_says_what_leads_on(run, world, of_job):
    subject = uuid7()
    pseudonym = name_of(world, subject)
    if of_job:
        job(world, subject)
    terms = ["--project", PROJECT, "--reason", "law", "--why", "w"]
    id_ = run("p-privacy", "request", pseudonym, *terms)[1]["id"]
    run("p-privacy-2", "look", id_)
    run("p-privacy-2", "approve", id_, "--why", "fits")
    told = run("p-privacy", "show", id_, as_json=False)[1]
    assert "Nothing is kept that says the patient's number" in told
    on = "trace back FILE --in FOLDER" if of_job else f"trace subject {subject}"
    assert on in told
