"""``oathward consent import --fhir`` and ``consent check`` on a real data folder, the keeper in this process."""

import io
import json
import sys
from types import SimpleNamespace

import pytest
from tests.site import Site, bundle

from oathward.cli.main import run

SECRET = "27182818"
WHO = f"{SECRET}^^^HOSP^MR\n"
SYSTEM = "urn:oid:2.16.840.1.113883.19.5"
THO = "http://terminology.hl7.org/CodeSystem/"
ORGANIZATION = {
    "role": {"coding": [{"system": THO + "v3-ParticipationType", "code": "IRCP"}]},
    "reference": {"reference": "Organization/54"},
}


def consent(type_="permit", patient=None, **more):
    scope = {"coding": [{"system": THO + "consentscope", "code": "patient-privacy"}]}
    found = {"resourceType": "Consent", "status": "active", "scope": scope, "provision": {"type": type_}}
    whose = {"identifier": {"system": SYSTEM, "value": SECRET}} if patient is None else patient
    return found | {"patient": whose, "identifier": [{"system": "urn:x", "value": "c-1"}]} | more


SETTINGS = f'[patients.authorities]\nHOSP = ["{SYSTEM}"]\n'


@pytest.fixture
def command(data, capsys, monkeypatch):
    def go(*arguments, stdin="", as_json=True):
        text = stdin if isinstance(stdin, str) else json.dumps(stdin)
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text.encode())))
        code = run(["consent", *arguments, "--data", str(data), *(["--json"] if as_json else [])])
        out, err = capsys.readouterr()
        assert SECRET not in out + err
        return SimpleNamespace(
            code=code, value=json.loads(out) if as_json and out.strip() else None, out=out, error=err
        )

    return go


def stands(command):
    return [s["permit"] for row in command("list").value["consents"] for s in row["statements"]]


def test_a_consent_is_of_the_patient_that_its_identifier_names(command):
    done = command("import", "--fhir", "-", stdin=consent()).value
    assert (done["consents"], done["active"], done["patients"], done["recorded"]) == (1, 1, 1, 1)
    [row] = command("list").value["consents"]
    assert row["valid"]
    said = command("record", "--deny", "--identifier-file", "-", stdin=WHO).value
    assert said["subject"] == row["subject"], "the authority goes by the site's table of names"


def test_a_later_version_takes_the_place_of_the_earlier(command):
    assert command("import", "--fhir", "-", stdin=consent()).value["recorded"] == 1
    assert command("import", "--fhir", "-", stdin=consent()).value["recorded"] == 0, "said before"
    other = consent("deny", identifier=[{"system": "urn:x", "value": "c-2"}])
    assert command("import", "--fhir", "-", stdin=other).value["recorded"] == 1
    assert sorted(stands(command)) == [False, True], "another consent comes to it"
    assert command("import", "--fhir", "-", stdin=consent("deny")).value["recorded"] == 1
    assert stands(command) == [False, False], "the same consent, changed"
    withdrawn = command("import", "--fhir", "-", stdin=consent("deny", status="inactive")).value
    assert (withdrawn["recorded"], withdrawn["active"]) == (1, 0)
    assert stands(command) == [False]
    assert command("import", "--fhir", "-", stdin=consent(status="rejected")).value["recorded"] == 0


def test_what_was_recorded_otherwise_stays(command):
    assert command("record", "--deny", "--identifier-file", "-", stdin=WHO).code == 0
    assert command("import", "--fhir", "-", stdin=consent()).value["recorded"] == 1
    assert command("import", "--fhir", "-", stdin=consent(status="inactive")).value["recorded"] == 1
    assert stands(command) == [False]


def test_a_folder_with_its_patients(command, tmp_path):
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    patient = {"resourceType": "Patient", "id": "52", "identifier": [{"system": SYSTEM, "value": SECRET}]}
    (folder / "deep" / "patient.json").write_text(json.dumps(patient))
    (folder / "one.json").write_text(json.dumps(consent(patient={"reference": "Patient/52"})))
    url = "urn:uuid:0b1c"
    entries = [
        {"fullUrl": url, "resource": {"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": "7"}]}},
        {"resource": consent("deny", patient={"reference": url}, identifier=[{"system": "urn:x", "value": "c-2"}])},
        {"resource": {"resourceType": "Observation"}},
        {"request": {"method": "DELETE"}},
    ]  # fmt: skip
    (folder / "two.json").write_text(
        json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})
    )
    (folder / "notes.txt").write_text("not read")
    dry = command("import", "--fhir", str(folder), "--dry-run").value
    assert (dry["consents"], dry["patients"], dry["recorded"], dry["dry_run"]) == (2, 2, 0, True)
    assert stands(command) == []
    assert command("import", "--fhir", str(folder)).value["recorded"] == 2
    assert sorted(stands(command)) == [False, True]


def test_a_patient_may_be_named_beside(command, tmp_path):
    whose = tmp_path / "who"
    whose.write_text(WHO)
    unnamed = consent(patient={"reference": "Patient/52"})
    assert (
        command("import", "--fhir", "-", "--identifier-file", str(whose), stdin=unnamed).value["recorded"]
        == 1
    )
    [row] = command("list").value["consents"]
    later = consent("deny", patient={"reference": "Patient/52"})
    assert command("import", "--fhir", "-", "--subject", row["subject"], stdin=later).value["recorded"] == 1
    assert stands(command) == [False]


ERRORS = [
    (consent(patient={"reference": "Patient/52"}), "Consent.patient"),
    (consent(patient={"identifier": {"value": SECRET}}), "Consent.patient"),
    (consent(patient={"identifier": {"system": SYSTEM, "value": "0000"}}), "Consent.patient"),
    (consent(patient={"identifier": {"system": SYSTEM, "value": SECRET, "type": {"coding": [{"code": "SS"}]}}}), "Consent.patient"),
    (consent(provision=[]), "Consent.provision"),
    (consent(provision={"provision": [{"actor": {}}]}), "Consent.provision.provision[0].actor"),
    ({"resourceType": "Bundle", "entry": {}}, "Bundle.entry"),
    ("{", "body"),
    ('{"resourceType":"Consent","status":"active","status":"inactive"}', "body"),
    ({"resourceType": "Bundle", "entry": [{"resource": consent()}, {"resource": consent("deny")}]}, "Consent.identifier"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "where"), ERRORS)
def test_errors_have_their_place_and_nothing_is_imported(command, said, where):
    done = command("import", "--fhir", "-", stdin=said)
    assert done.code == 65
    assert [where in e["where"] for e in done.value["errors"]] == [True]
    assert stands(command) == []
    assert "nothing was imported" in command("import", "--fhir", "-", stdin=said, as_json=False).out


@pytest.mark.parametrize(
    "arguments",
    [("--zone", "Nowhere/Town"), ("--subject", "x", "--identifier-file", "-"), ("--subject", "x")],
)
def test_options_that_are_not_clear(command, arguments):
    assert command("import", "--fhir", "-", *arguments, stdin=consent()).code == 65
    assert command("import", "-", "--subject", "x").code == 65


def test_remarks_are_told(command, data):
    Site(data).activate(bundle({"ehr": "mllp://127.0.0.1:1"}))
    provision = {"type": "deny", "actor": [ORGANIZATION], "purpose": [{"system": "urn:x", "code": "fun"}]}
    done = command("import", "--fhir", "-", stdin=consent(provision=provision))
    assert [(r["code"], r["where"]) for r in done.value["remarks"]] == [
        ("consent.purpose-unread", "Consent.provision.purpose"),
        ("consent.actor-unknown", "Consent.provision.actor"),
    ]
    told = command("import", "--fhir", "-", "--dry-run", stdin=consent(provision=provision), as_json=False)
    assert "a purpose nobody knows here" in told.out


def test_dates_are_of_the_zone_that_is_named(command):
    period = consent(provision={"type": "permit", "period": {"start": "2026-07-01", "end": "2026-07-01"}})
    command("import", "--fhir", "-", "--zone", "Europe/Berlin", stdin=period)
    [row] = command("list").value["consents"]
    assert [row["statements"][0][k] for k in ("from", "until")] == [
        "2026-06-30T22:00:00.000000Z",
        "2026-07-01T22:00:00.000000Z",
    ]


NESTED = {
    "type": "deny",
    "provision": [
        {
            "type": "permit",
            "actor": [ORGANIZATION],
            "code": [{"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}],
            "purpose": [{"system": THO + "v3-ActReason", "code": "HRESCH"}],
        }
    ],
}


def test_list_says_it_in_words(command):
    command("import", "--fhir", "-", stdin=consent(provision=NESTED))
    shown = " ".join(command("list", as_json=False).out.split())
    assert "deny * to *: *; except" in shown
    assert "LN|8867-4" in shown
    [row] = command("list").value["consents"]
    [box] = row["statements"][0]["unless"]
    assert (box["codes"], box["recipients"], box["purposes"]) == (
        ["LN|8867-4"],
        ["Organization/54"],
        ["HRESCH"],
    )


@pytest.mark.parametrize(
    ("arguments", "decision", "place"),
    [
        (
            ("--purpose", "HRESCH", "--actor", "Organization/54", "--code", "LN|8867-4"),
            "permit",
            "provision.provision[0]",
        ),
        (("--purpose", "HRESCH", "--actor", "Organization/54"), "deny", "provision"),
        (("--purpose", "TREAT", "--actor", "Organization/54", "--code", "LN|8867-4"), "deny", "provision"),
    ],
)
def test_check_says_which_provision_decided(command, tmp_path, arguments, decision, place):
    file = tmp_path / "c.json"
    file.write_text(json.dumps(consent(provision=NESTED)))
    found = command("check", *arguments, "--fhir", str(file))
    assert found.value["decision"] == decision
    assert [one["source"].split()[2] for one in found.value["by"]] == [place]
    shown = command("check", *arguments, "--fhir", str(file), as_json=False).out
    assert f"{place}: {decision} " in shown


def test_check_of_what_stands(command, data):
    files = bundle({"ehr": "mllp://127.0.0.1:1"})
    files["recipients/ehr.toml"] += b'actors = ["Organization/54"]\n'
    Site(data).activate(files)
    provision = {"type": "permit", "actor": [ORGANIZATION], "period": {"end": "2030"}}
    command("import", "--fhir", "-", stdin=consent(provision=provision))
    [row] = command("list").value["consents"]
    who = ("check", "--purpose", "TREAT", "--subject", row["subject"])
    assert command(*who, "--recipient", "ehr", "--at", "2026-01-01").value["decision"] == "permit"
    assert command(*who, "--recipient", "ehr", "--at", "2031-01-01").value["decision"] == "none"
    assert command(*who, "--recipient", "other", "--at", "2026-01-01").value["decision"] == "none"
    assert "NO CONSENT" in command(*who, as_json=False).out


@pytest.mark.parametrize(
    "arguments",
    [
        ("--purpose", "TREAT"),
        ("--purpose", "FUN", "--fhir", "-"),
        ("--purpose", "TREAT", "--fhir", "-", "--class", "x"),
    ],
)
def test_check_wants_to_know_what(command, arguments):
    assert command("check", *arguments, stdin=consent()).code == 65
