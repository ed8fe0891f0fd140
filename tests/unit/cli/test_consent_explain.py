"""``oathward consent explain`` on a real data folder, the keeper in this process."""

import io
import json
import sys
from types import SimpleNamespace

import pytest
from tests.site import Site, bundle

from oathward.cli.main import run

SECRET = "31415926"
WHO = f"{SECRET}^^^HOSP^MR\n"
STRANGER = "01a20122-0600-7704-bc29-000000000000"


@pytest.fixture
def command(data, capsys, monkeypatch):
    def go(*arguments, stdin="", plain=False):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(stdin.encode())))
        code = run([*arguments, "--data", str(data), *([] if plain else ["--json"])])
        out, err = capsys.readouterr()
        assert SECRET not in out + err
        return SimpleNamespace(code=code, out=out, value=None if plain or not out else json.loads(out))

    return go


@pytest.fixture
def subject(command, data):
    Site(data).activate(bundle({"ehr": "mllp://127.0.0.1:9"}))
    said = ("--deny", "--purpose", "TREAT", "--recipient", "ehr", "--identifier-file", "-")
    return command("consent", "record", *said, stdin=WHO).value["subject"]


def test_it_says_who_gets_what_by_which_consent(command, subject):
    by_id = command("consent", "explain", subject)
    by_number = command("consent", "explain", "--identifier-file", "-", stdin=WHO)
    assert by_id.code == by_number.code == 0
    assert by_id.value == by_number.value
    ehr = next(one for one in by_id.value["receives"] if one["link"] == "ehr")
    assert ehr["told"]["word"] == "deny"
    assert [one.partition(":")[0] for one in ehr["told"]["decided_by"]] == ["consent"]
    text = command("consent", "explain", subject, plain=True).out
    assert "gets nothing" in text
    assert ehr["told"]["decided_by"][0][:20] in text.replace("\n", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("explain", STRANGER),
        ("explain", "--identifier-file", "-"),
        ("explain", "{subject}", "--message", STRANGER),
    ],
)
def test_whoever_is_not_there_is_no_such_subject(command, subject, arguments):
    found = command("consent", *(one.format(subject=subject) for one in arguments), stdin="77^^^HOSP^MR\n")
    assert found.code != 0


def test_one_patient_is_named_and_in_one_way(command, subject):
    assert command("consent", "explain").code != 0
    assert command("consent", "explain", subject, "--identifier-file", "-", stdin=WHO).code != 0
    assert command("consent", "explain", "--identifier-file", "-", stdin=WHO + WHO).code != 0
