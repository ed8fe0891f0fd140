"""What was typed and is no text: one line and no traceback; who holds a stopped site's keeper is told."""

import json
import os
from contextlib import contextmanager

import pytest

from oathward.cli import asking, main
from oathward.cli.output import shown
from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason
from oathward.core.settings import load
from oathward.deidentifying.job import LOCKS
from oathward.deidentifying.output import alone

BYTES = os.fsdecode(b"lat\xff")
TERMS = {
    "--profile": "research",
    "--project": "p",
    "--authority": "HOSP",
    "--from": "files",
    "--person": "me",
}


@pytest.mark.parametrize("option", ["--project", "--authority", "--from", "--person"])
def test_words_that_are_no_text_are_refused_by_their_option(option, tmp_path, capsys):
    terms = [word for pair in (TERMS | {option: BYTES}).items() for word in pair]
    out = str(tmp_path / "out")
    assert main.run(["deid", str(tmp_path), "--out", out, *terms, "--data", str(tmp_path), "--json"]) > 1
    told = json.loads(capsys.readouterr().err)
    assert (told["error"], told["where"]) == (Reason.INPUT_INVALID.code, option)


def test_an_error_about_a_path_that_is_no_text_is_told(capsys):
    assert main.run(["jobs", "--data", BYTES, "--json"]) > 1
    assert json.loads(capsys.readouterr().err)["where"].endswith("lat\\udcff")
    assert main.run([BYTES, "--json"]) == 2
    assert "lat\\udcff" in json.loads(capsys.readouterr().err)["why"]


def test_a_path_is_shown_as_text():
    assert shown(f"{BYTES}/Jürgen.hl7") == "lat\\xff/Jürgen.hl7"


@pytest.fixture
def held(tmp_path, monkeypatch):
    def build(*_):
        raise KeeperError("keeper store", "another process holds it", reason=Reason.CONFLICT)

    monkeypatch.setattr("oathward.app.build", build)
    monkeypatch.setattr(asking, "settings_of", lambda _: load(str(tmp_path)))

    @contextmanager
    def by_a_job():
        with alone(tmp_path / LOCKS, tmp_path / "out", "p-9", 1):
            yield

    return by_a_job


def reason():
    with pytest.raises(KeeperError) as no, asking.opened(None):
        pass
    return no.value.reason, no.value.why


def test_while_a_job_holds_the_keeper_a_command_says_so(held):
    with held():
        code, why = reason()
    assert code is Reason.ALREADY_RUNNING
    assert "p-9" in why
    assert "1970-01-01" in why
    assert reason()[0] is Reason.CONFLICT
