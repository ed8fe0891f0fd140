"""A folder de-identified: each file that left leads back to the one it was made from, for who has the folder; the patient leads to all of them."""

import json
import shutil

import pytest
from tests import forked
from tests.e2e.test_deid import FHIR, HL7, TERMS, dicom
from tests.site import Site


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trace") / "data"
    return Site.make(folder, more='[patients.authorities]\nHOSP = ["urn:oid:1.2.3.4"]')


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("in")
    (root / "Quixley, Zoraida").mkdir()
    (root / "Quixley, Zoraida" / "77310042.hl7").write_text(HL7.format(n=1, id="77310042"))
    (root / "bundle.json").write_text(json.dumps(FHIR))
    (root / "patient.json").write_text(json.dumps(FHIR["entry"][0]["resource"]))
    (root / "other.hl7").write_text(HL7.format(n=2, id="55500011").replace("QUIXLEY", "OTTERBURN"))
    dicom(root / "image.dcm")
    return root


@pytest.fixture(scope="module")
def out(site, folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "release"
    done = site.cli("deid", str(folder), "--out", str(out), *TERMS)
    assert done["written"] == 5
    return out


def released(out):
    return [path for path in sorted(out.rglob("*")) if path.is_file() and "oathward" not in path.name]


def test_each_file_leads_to_the_one_it_was_made_from_and_to_its_patient(site, folder, out):
    sources, subjects = {}, {}
    for path in released(out):
        found = site.cli("trace", "back", path.name, "--in", str(folder))
        [one] = found["files"]
        assert (one["file"], one["profile"], one["project"], one["state"]) == (
            *(path.stem, "limited-data-set", "p1"),
            "ended",
        )
        assert one["by"]
        assert one["begun"]
        sources[one["source"]] = path.name
        for subject in one["subjects"]:
            subjects.setdefault(subject, set()).add(path.stem)
    assert set(sources) == {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert sorted(map(len, subjects.values())) == [1, 4]
    for subject, files in subjects.items():
        found = site.cli("trace", "subject", subject)
        assert {one["file"] for one in found["files"]} == files
        assert not any(one["source"] for one in found["files"])


def test_a_held_file_leads_to_what_it_was_made_from_and_why(site, folder, tmp_path):
    (tmp_path / "in" / "Quixley").mkdir(parents=True)
    (tmp_path / "in" / "Quixley" / "scan.pdf").write_bytes(b"%PDF-1.7\n")
    (tmp_path / "in" / "1.hl7").write_text(HL7.format(n=1, id="77310042"))
    arguments = ["deid", str(tmp_path / "in"), "--out", str(tmp_path / "out"), *TERMS]
    told = json.loads(forked.run([*arguments, "--data", str(site.folder), "--json"]).stdout)
    [held] = told["held_files"]
    assert site.cli("jobs", told["job"][-12:])["held_items"][0]["file"] == held["file"]
    [one] = site.cli("trace", "back", held["file"], "--in", str(tmp_path / "in"))["files"]
    assert (one["job"], one["source"], one["units"]) == (told["job"], "Quixley/scan.pdf", 0)
    assert [kept["reason"] for kept in one["held"]] == ["deid.format-unknown"]


def test_a_renamed_file_and_an_id_in_it_lead_back(site, out, tmp_path):
    for path in released(out):
        if path.suffix == ".dcm" or (b"Provenance" not in path.read_bytes() and path.suffix == ".json"):
            continue  # nothing in them says which file they are
        strange = tmp_path / "strange.bin"
        shutil.copy(path, strange)
        found = site.cli("trace", "back", "--file", str(strange))
        assert [one["file"] for one in found["files"]] == [path.stem]
    [bundle] = [path for path in released(out) if b"Bundle" in path.read_bytes()]
    ids = [one["resource"]["id"] for one in json.loads(bundle.read_bytes())["entry"]]
    named = [one for one in ids if one.startswith(bundle.stem.lower())]
    assert len(named) == 2  # the observation's and the Provenance's; the patient's is a pseudonym
    for id_ in named:
        assert site.cli("trace", "back", id_)["files"][0]["file"] == bundle.stem


def test_without_the_folder_or_with_another_nobody_is_told_what_it_was_called(site, out, tmp_path):
    (tmp_path / "else.hl7").write_text("x")
    [path, *_] = released(out)
    for more in ((), ("--in", str(tmp_path))):
        found = site.cli("trace", "back", path.name, *more)
        assert [one["source"] for one in found["files"]] == [""]
        assert "QUIXLEY" not in json.dumps(found).upper()


def test_a_pseudonym_leads_nowhere(site, out):
    [bundle] = [path for path in released(out) if b"Bundle" in path.read_bytes()]
    [token] = [
        one["resource"]["id"]
        for one in json.loads(bundle.read_bytes())["entry"]
        if one["resource"]["resourceType"] == "Patient"
    ]
    done = forked.run(["trace", "back", token, "--data", str(site.folder), "--json"])
    assert done.returncode != 0


def test_it_says_so_in_words(site, folder, out):
    [path, *_] = released(out)
    done = forked.run(["trace", "back", path.name, "--in", str(folder), "--data", str(site.folder)])
    text = done.stdout.decode()
    assert path.stem in text
    assert "made from" in text
    assert "limited-data-set, project p1" in text
