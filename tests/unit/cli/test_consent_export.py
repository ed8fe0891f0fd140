"""``oathward consent export --fhir``: what stands as Consents; and what an import says of editions and dates."""

import io
import json
import stat
import sys
from types import SimpleNamespace

import pytest
from tests.unit.cli.test_consent_fhir import SECRET, SYSTEM, WHO, consent, stands

from oathward.cli.main import run

WHOM = json.dumps({"system": "urn:oid:1.2.3.4", "value": "7001"})
PRIVACY = [
    {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]}
]


@pytest.fixture
def command(data, capsys, monkeypatch):
    def go(*arguments, stdin="", **_):
        text = stdin if isinstance(stdin, str) else json.dumps(stdin)
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text.encode())))
        code = run(["consent", *arguments, "--data", str(data), "--json"])
        out, err = capsys.readouterr()
        assert SECRET not in out + err
        return SimpleNamespace(code=code, value=json.loads(out) if out.strip() else None, error=err)

    return go


def r5(**more: object) -> dict:
    by_id = {"identifier": {"system": SYSTEM, "value": SECRET}}
    return {"resourceType": "Consent", "status": "active", "category": PRIVACY, "subject": by_id, "decision": "permit", **more}  # fmt: skip


def one_subject(command) -> str:
    [row] = command("list").value["consents"]
    return row["subject"]


def test_what_stands_goes_out_and_comes_in_again_as_either_edition(command, tmp_path):
    assert command("import", "--fhir", "-", stdin=consent("deny")).value["recorded"] == 1
    subject = one_subject(command)
    whom = tmp_path / "whom.json"
    whom.write_text(WHOM)
    before = command("list").value["consents"][0]["statements"]
    for edition in ("r4", "r5"):
        out = tmp_path / f"{edition}.json"
        done = command("export", subject, "--fhir", edition, "--patient", str(whom), "--out", str(out))
        assert done.value == {"consents": 1, "edition": edition, "file": str(out)}
        assert stat.S_IMODE(out.stat().st_mode) == 0o600
        assert SECRET not in out.read_text(), "nobody said that identifier"
        assert "7001" in out.read_text()
        imported = command("import", "--fhir", str(out), "--subject", subject, "--replace")
        assert (imported.code, imported.value["errors"]) == (0, [])
        said = ("permit", "purposes", "recipients", "classes", "codes", "labels", "from", "until", "unless")
        after = command("list").value["consents"][0]["statements"]
        assert [{n: s[n] for n in said} for s in after] == [{n: s[n] for n in said} for s in before]


def test_the_caller_says_whose_it_is_and_a_file_is_not_written_over(command, tmp_path):
    command("import", "--fhir", "-", stdin=consent())
    subject, out = one_subject(command), tmp_path / "out.json"
    assert "--patient" in command("export", subject, "--fhir", "r4", "--out", str(out)).error
    for wrong in ("{}", '{"system":"","value":"7"}', '{"system":"urn:x","value":7}', "["):
        refused = command("export", subject, "--fhir", "r4", "--patient", "-", "--out", str(out), stdin=wrong)
        assert refused.code == 65
    assert not out.exists()
    out.write_text("mine")
    assert (
        command("export", subject, "--fhir", "r4", "--patient", "-", "--out", str(out), stdin=WHOM).code == 65
    )
    assert out.read_text() == "mine"
    assert (
        command("export", subject, "--fhir", "r6", "--patient", "-", "--out", str(out), stdin=WHOM).code == 65
    )
    for more in (("--every-version", "--fhir", "r4"), ("--patient", "-")):
        assert "options" in command("export", subject, "--out", "-", *more, stdin=WHOM).error


def test_what_fhir_does_not_say_is_refused_by_its_code_and_nothing_is_written(command, tmp_path):
    said = ("record", "--permit", "--purpose", "TREAT", "--recipient", "*", "--class", "observation.value")
    assert command(*said, "--identifier-file", "-", stdin=WHO).code == 0
    out = tmp_path / "out.json"
    refused = command(
        "export", one_subject(command), "--fhir", "r5", "--patient", "-", "--out", str(out), stdin=WHOM
    )
    assert (refused.code, "consent.not-in-fhir" in refused.error, out.exists()) == (65, True, False)


def test_an_r5_consent_is_imported_and_one_of_tomorrow_permits_nothing(command):
    assert command("import", "--fhir", "-", stdin=r5()).value["recorded"] == 1
    assert stands(command) == [True]
    ahead = command("import", "--fhir", "-", stdin=r5(date="2999-01-01"), as_json=True).value
    assert [remark["code"] for remark in ahead["remarks"]] == ["consent.dated-ahead"]
    assert stands(command) == [True]


def test_an_edition_is_said_or_told(command):
    wrong = command("import", "--fhir", "-", "--edition", "r3", stdin=r5())
    assert (wrong.code, "--edition" in wrong.error) == (65, True)
    told = command("import", "--fhir", "-", "--edition", "r5", stdin=consent())
    assert told.value["errors"][0]["where"] == "Consent.provision"
    assert stands(command) == []
