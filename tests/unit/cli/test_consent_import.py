"""``oathward consent import``: who nobody has heard of, what a dry run counts, NDJSON, bounds, originals and ``export``."""

import io
import json
import sys
from hashlib import sha256
from types import SimpleNamespace

import pytest
from tests.unit.cli.test_consent_fhir import SECRET, SYSTEM, WHO, consent, stands

from oathward.cli import consent_import
from oathward.cli.consent_keep import Keeping
from oathward.cli.main import run
from oathward.consent.fhir import sets

SHEET = "identifier,authority,type,permit,purposes,recipients,classes,from,until,source\n"


SETTINGS = f'[patients.authorities]\nHOSP = ["{SYSTEM}"]\n'


@pytest.fixture
def oathward(data, capsys, monkeypatch):
    def go(*arguments, stdin="", as_json=True):
        text = stdin if isinstance(stdin, bytes) else stdin.encode()
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text)))
        code = run([*arguments, "--data", str(data), *(["--json"] if as_json else [])])
        out, err = capsys.readouterr()
        assert "--out" in arguments or SECRET not in out + err
        value = json.loads(out) if as_json and out.strip() else None
        return SimpleNamespace(code=code, value=value, out=out, error=err)

    return go


@pytest.fixture
def command(oathward):
    return lambda *arguments, **more: oathward("consent", *arguments, **more)


def of(number, name, type_="permit", **more):
    whose = {"identifier": {"system": SYSTEM, "value": number}}
    return consent(type_, whose, identifier=[{"system": "urn:x", "value": name}], **more)


def lines(*resources):
    return "\n".join(json.dumps(one) for one in resources) + "\n"


def records(oathward, kind):
    found = oathward("ledger", "search", "--kind", kind)
    assert found.code == 0, found.error
    return found.value


# --- who nobody has heard of


THREE = lines(of(SECRET, "a"), of("5001", "b"), of("5001", "c", "deny"))


def test_it_says_who_nobody_has_heard_of(command):
    assert command("record", "--deny", "--identifier-file", "-", stdin=WHO).code == 0
    done = command("import", "--fhir", "-", stdin=THREE).value
    assert (done["patients"], done["unknown_patients"], done["recorded"]) == (2, 1, 2)
    assert done["unknown"] == ["-:2", "-:3"], "each consent of theirs"
    again = command("import", "--fhir", "-", stdin=THREE).value
    assert (again["unknown_patients"], again["unknown"], again["recorded"]) == (0, [], 0)


def test_a_person_is_told_by_line_too(command):
    told = command("import", "--fhir", "-", stdin=THREE, as_json=False).out
    assert "2 patients nobody has heard of were made subjects; --known-only refuses them:" in told
    assert "  -:1\n  -:2\n  -:3\n" in told
    assert "Recorded 3 consents (3 active) of 2 patients; what stands changed for 2." in told


def test_a_person_is_told_of_one_and_of_none(command):
    one = command("import", "--fhir", "-", stdin=lines(of(SECRET, "a")), as_json=False).out
    assert "Recorded 1 consent (1 active) of 1 patient; what stands changed for 1." in one
    none = command("import", "--fhir", "-", stdin=lines({"resourceType": "Observation"}), as_json=False)
    assert (none.code, none.out) == (0, "There is no Consent in it; other resources are passed over.\n")


@pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
def test_known_only_refuses_them_and_stores_nothing(command, arguments):
    command("record", "--deny", "--identifier-file", "-", stdin=WHO)
    refused = command("import", "--fhir", "-", "--known-only", *arguments, stdin=THREE)
    assert refused.code == 65
    assert [(e["file"], e["where"]) for e in refused.value["errors"]] == [
        ("-:2", "Consent.patient"),
        ("-:3", "Consent.patient"),
    ]
    assert stands(command) == [False]
    known = lines(of(SECRET, "a"))
    assert command("import", "--fhir", "-", "--known-only", stdin=known).value["recorded"] == 1


def test_a_dry_run_says_what_an_import_would_say(command):
    command("import", "--fhir", "-", stdin=lines(of(SECRET, "a")))
    file = lines(of(SECRET, "a"), of("5001", "b"), of("5002", "c", status="inactive"))
    dry = command("import", "--fhir", "-", "--dry-run", stdin=file).value
    assert (dry["patients"], dry["recorded"], dry["would_record"]) == (3, 0, 1)
    assert (dry["unknown_patients"], dry["unknown"]) == (2, ["-:2", "-:3"])
    told = command("import", "--fhir", "-", "--dry-run", stdin=file, as_json=False).out
    assert "2 patients nobody has heard of would be made subjects" in told
    assert "Would record 3 consents (2 active) of 3 patients; what stands would change for 1." in told
    assert len(stands(command)) == 1, "nothing happened"
    assert command("import", "--fhir", "-", stdin=file).value["recorded"] == dry["would_record"]


def test_a_sheet_says_the_same(command):
    sheet = SHEET + f"{SECRET},HOSP,MR,yes,HRESCH,*,*,,,\n{SECRET},HOSP,MR,no,TREAT,*,*,,,\n"
    dry = command("import", "-", "--dry-run", stdin=sheet).value
    assert (dry["rows"], dry["patients"], dry["unknown"]) == (2, 1, ["line 2", "line 3"])
    refused = command("import", "-", "--known-only", stdin=sheet)
    assert refused.code == 65
    assert [e["line"] for e in refused.value["errors"]] == [2, 3]
    assert command("import", "-", stdin=sheet).value["recorded"] == 1
    assert command("import", "-", "--known-only", "--dry-run", stdin=sheet).value["would_record"] == 0


# --- NDJSON


def test_lines_may_be_consents_patients_and_bundles(command):
    url = "urn:uuid:0b1c"
    patient = {"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": "5003"}]}
    bundle = {
        "resourceType": "Bundle", "type": "collection",
        "entry": [
            {"fullUrl": url, "resource": patient},
            {"resource": consent("deny", {"reference": url}, identifier=[{"system": "urn:x", "value": "c"}])},
        ],
    }  # fmt: skip
    referred = consent("permit", {"reference": "Patient/9"}, identifier=[{"system": "urn:x", "value": "d"}])
    file = lines(of(SECRET, "a"), bundle, patient | {"id": "9"}, referred)
    done = command("import", "--fhir", "-", stdin=file.replace("\n", "\r\n\n")).value
    assert (done["consents"], done["patients"]) == (3, 2)
    assert sorted(stands(command)) == [False, True, True]


@pytest.mark.parametrize("name", ["c.ndjson", "c.jsonl"])
def test_a_folder_may_hold_lines_even_one(command, tmp_path, name):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / name).write_text(json.dumps(of(SECRET, "a")))
    assert command("import", "--fhir", str(folder)).value["recorded"] == 1


def test_every_mistake_has_its_line_and_element_and_nothing_is_imported(command, tmp_path):
    actor = {"provision": [{"actor": {}}]}
    bundle = {
        "resourceType": "Bundle",
        "entry": [{"resource": of("1", "x")}, {"resource": of("1", "y", provision=[])}],
    }
    file = tmp_path / "c.ndjson"
    bad = [of(SECRET, "a"), of("5001", "b", provision=actor), {"resourceType": "Bundle", "entry": {}}, bundle]
    file.write_text(lines(*bad) + '{"resourceType":\n' + lines(consent("permit", {"reference": "Patient/1"})))
    done = command("import", "--fhir", str(file))
    assert done.code == 65
    assert [(e["file"].rpartition("/")[2], e["where"].partition(",")[0]) for e in done.value["errors"]] == [
        ("c.ndjson:2", "Consent.provision.provision[0].actor"),
        ("c.ndjson:3", "Bundle.entry"),
        ("c.ndjson:4, entry[1]", "Consent.provision"),
        ("c.ndjson:5", "body"),
        ("c.ndjson:6", "Consent.patient"),
    ]
    assert stands(command) == []


def test_a_resource_that_takes_several_lines_is_one(command):
    assert (
        command("import", "--fhir", "-", stdin=json.dumps(of(SECRET, "a"), indent=1)).value["consents"] == 1
    )


@pytest.mark.parametrize(
    ("limit", "value", "where"),
    [("FILE_BYTES_MAX", 300, "file"), ("SET_BYTES_MAX", 300, "file"), ("CONSENTS_MAX", 1, "Consent")],
)
def test_a_set_is_bounded(monkeypatch, limit, value, where):
    monkeypatch.setattr(sets, limit, value)
    found = sets.gather([("-", lines(of(SECRET, "a"), of(SECRET, "b")).encode())])
    assert [one.where for one in found.problems] == [where]
    assert str(value) in found.problems[0].why


def test_of_a_set_that_is_too_large_nothing_is_stored(command, monkeypatch):
    large = lines(of(SECRET, "a")) + " " * sets.FILE_BYTES_MAX
    done = command("import", "--fhir", "-", stdin=large)
    assert (done.code, [one["where"] for one in done.value["errors"]]) == (65, ["file"])
    assert stands(command) == []


def test_what_stops_half_way_says_how_far_it_came(command, monkeypatch):
    monkeypatch.setattr("oathward.cli.asking.SIGN_MAX", 2)
    file = lines(*(of(f"60{n}", f"c{n}") for n in range(5)))
    whole = consent_import.sign
    calls = []

    def failing(*arguments):
        calls.append(1)
        if len(calls) > 1:
            raise consent_import.OathwardError("keeper", "went away")
        return whole(*arguments)

    monkeypatch.setattr(consent_import, "sign", failing)
    stopped = command("import", "--fhir", "-", stdin=file)
    assert stopped.code != 0
    assert "2 of 5 patients' statements were recorded before this" in stopped.error
    assert len(stands(command)) == 2
    monkeypatch.setattr(consent_import, "sign", whole)
    assert command("import", "--fhir", "-", stdin=file).value["recorded"] == 3
    assert len(stands(command)) == 5


# --- originals


def exported(command, subject, tmp_path, *more):
    out = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
    done = command("export", subject, "--out", str(out), *more)
    assert done.code == 0, done.error
    return done.value["originals"], {file.name: file.read_bytes() for file in out.iterdir()}


def test_the_original_is_kept_sealed_and_the_keeper_opens_it_with_a_record(command, oathward, data, tmp_path):
    raw = json.dumps(of(SECRET, "a", text={"status": "generated", "div": "<div>Quintessa</div>"})).encode()
    command("import", "--fhir", "-", stdin=raw)
    [row] = command("list").value["consents"]
    assert list(row["originals"]) == [sha256(raw).hexdigest()]
    for file in data.rglob("*"):
        assert not file.is_file() or b"Quintessa" not in file.read_bytes(), file
    found, files = exported(command, row["subject"], tmp_path, "--person", "ann", "--purpose", "TREAT")
    assert list(files.values()) == [raw]
    assert found[0]["sha256"] == sha256(raw).hexdigest()
    [record] = records(oathward, "keeper.opened")
    body = record["body"]
    assert (body["person"], body["purpose"], body["messages"]) == (
        "ann",
        "TREAT",
        list(row["originals"].values()),
    )
    lines_ = command("export", row["subject"], "--out", "-", as_json=False)
    assert json.loads(lines_.out or "null") == json.loads(raw)


def test_every_version_names_what_it_came_from(command, tmp_path):
    first, second = lines(of(SECRET, "a")), lines(of(SECRET, "a", "deny"))
    gone = lines(of(SECRET, "a", status="inactive"))
    for one in (first, second, second, gone):
        command("import", "--fhir", "-", stdin=one)
    [row] = command("list").value["consents"]
    assert (row["statements"], row["version"]) == ([], 3)
    digest = {sha256(one.strip().encode()).hexdigest(): one for one in (first, second, gone)}
    assert [digest[d] for d in row["originals"]] == [gone], "the withdrawal itself is evidence"
    found, _ = exported(command, row["subject"], tmp_path, "--every-version")
    assert [(digest[one["sha256"]], one["versions"]) for one in found] == [
        (first, "1"), (second, "2"), (gone, "3"),
    ]  # fmt: skip


def test_what_stands_goes_on_naming_its_original(command, tmp_path):
    command("import", "--fhir", "-", stdin=lines(of(SECRET, "a")))
    command("import", "--fhir", "-", stdin=lines(of(SECRET, "b", "deny")))
    command("record", "--deny", "--purpose", "HRESCH", "--identifier-file", "-", stdin=WHO)
    [row] = command("list").value["consents"]
    assert (row["version"], len(row["originals"])) == (3, 2)
    found, files = exported(command, row["subject"], tmp_path)
    assert (len(found), len(files)) == (2, 2)
    found, _ = exported(command, row["subject"], tmp_path, "--every-version")
    assert [one["versions"] for one in found] == ["1, 2, 3", "2, 3"]


def test_whose_original_it_is_decides_the_seal(command, data, tmp_path):
    """The row of another patient's original opens nothing, and what was replaced is not what was signed."""
    import sqlite3

    command("import", "--fhir", "-", stdin=lines(of(SECRET, "a"), of("5001", "b")))
    rows = {r["subject"]: next(iter(r["originals"].values())) for r in command("list").value["consents"]}
    (ann, one), (_, other) = rows.items()
    db = sqlite3.connect(next(data.rglob("oathward.db")))
    places = "store, segment, offset_bytes, length_bytes, sha256, key_id"
    db.execute(
        f"UPDATE kept_body SET ({places}) = (SELECT {places} FROM kept_body WHERE message = ?) WHERE message = ?",
        (other, one),
    )
    db.commit()
    db.close()
    refused = command("export", ann, "--out", str(tmp_path / "out"))
    assert refused.code != 0
    assert not (tmp_path / "out").exists()


def test_reverse_an_original_that_is_not_what_was_signed(command, monkeypatch, tmp_path):
    raw = lines(of(SECRET, "a"))
    whole = Keeping.seal

    def other(self, drafts, originals):
        told = {id_: (subject, type(body)(b"{}")) for id_, (subject, body) in originals.items()}
        whole(self, drafts, told)

    monkeypatch.setattr(Keeping, "seal", other)
    command("import", "--fhir", "-", stdin=raw)
    [row] = command("list").value["consents"]
    refused = command("export", row["subject"], "--out", str(tmp_path / "out"))
    assert refused.code != 0
    assert "not what was signed" in refused.error


def test_who_is_erased_has_no_original_either(command, oathward, tmp_path):
    command("import", "--fhir", "-", stdin=lines(of(SECRET, "a")))
    [row] = command("list").value["consents"]
    erased = oathward("keys", "erase", row["subject"], "--reason", "gdpr.art17", "--yes")
    assert erased.code == 0, erased.error
    refused = command("export", row["subject"], "--out", str(tmp_path / "out"))
    assert refused.code != 0
