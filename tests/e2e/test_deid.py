"""``oathward deid``: a folder of formats becomes one without names, the same patient the same pseudonym, and a kill loses nothing."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import zlib

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from tests import forked
from tests.site import Site
from tests.site import bundle as policy
from tests.stopped import not_ended

from oathward.deid.profile import builtin_texts
from oathward.deidentifying.journal import Journal

SECRETS = ("QUIXLEY", "ZORAIDA", "77310042", "5551234567", "VOSSLER")
HL7 = (
    "MSH|^~\\&|MON|ICU|EHR|HOSP|20260102030405||ORU^R01^ORU_R01|IN-{n}|P|2.6\r"
    "PID|1||{id}^^^HOSP^MR||QUIXLEY^ZORAIDA||19480229|F|||12 VOSSLER LANE^^X^NY^10001||555-123-4567\r"
    "PV1|1|I|ICU^1^2\rOBR|1|||8867-4^HR^LN\rOBX|1|NM|8867-4^Heart rate^LN||72|/min^^UCUM|||||F|||20260102030405\r"
)
FHIR = {
    "resourceType": "Bundle",
    "type": "collection",
    "entry": [
        {
            "fullUrl": "urn:uuid:6f4d2f4e-0000-4000-8000-000000000001",
            "resource": {
                "resourceType": "Patient",
                "identifier": [
                    {
                        "system": "urn:oid:1.2.3.4",
                        "value": "77310042",
                        "type": {
                            "coding": [
                                {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}
                            ]
                        },
                    }
                ],
                "name": [{"family": "Quixley", "given": ["Zoraida"]}],
                "telecom": [{"system": "phone", "value": "555-123-4567"}],
                "birthDate": "1948-02-29",
            },
        },
        {
            "fullUrl": "urn:uuid:6f4d2f4e-0000-4000-8000-000000000002",
            "resource": {
                "resourceType": "Observation",
                "status": "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
                "subject": {"reference": "urn:uuid:6f4d2f4e-0000-4000-8000-000000000001"},
                "effectiveDateTime": "2026-01-02T03:04:05Z",
                "valueQuantity": {
                    "value": 72,
                    "unit": "/min",
                    "system": "http://unitsofmeasure.org",
                    "code": "/min",
                },
            },
        },
    ],
}
RECORDED = re.compile(rb'"recorded":"[^"]+"')
"""When a job began: all in which another job over the same files differs."""
TERMS = ("--profile", "limited-data-set", "--project", "p1")


@pytest.fixture
def site(tmp_path):
    return Site.make(tmp_path / "data", more='[patients.authorities]\nHOSP = ["urn:oid:1.2.3.4"]')


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "in" / "Quixley, Zoraida"
    root.mkdir(parents=True)
    (root / "77310042.hl7").write_text(HL7.format(n=1, id="77310042"))
    (root / "bundle.json").write_text(json.dumps(FHIR))
    return root.parent


def deid(site, folder, out, *more):
    done = forked.run(
        ["deid", str(folder), "--out", str(out), *TERMS, *more, "--data", str(site.folder), "--json"]
    )
    assert done.stdout, done.stderr
    assert not any(secret.encode() in (done.stdout + done.stderr).upper() for secret in SECRETS)
    return done.returncode, json.loads(done.stdout)


def written(out):
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and not path.name.startswith("oathward-report")
    }


def everything(out):
    return b"".join(
        str(path.relative_to(out)).encode() + (path.read_bytes() if path.is_file() else b"")
        for path in sorted(out.rglob("*"))
    ).upper()


def pseudonyms(files):
    hl7 = next(data for name, data in files.items() if name.endswith(".hl7"))
    fhir = json.loads(next(data for name, data in files.items() if name.endswith(".json")))
    patient = next(
        entry["resource"] for entry in fhir["entry"] if entry["resource"]["resourceType"] == "Patient"
    )
    return hl7.split(b"\rPID|")[1].split(b"|")[2].split(b"^")[0].decode(), patient["identifier"][0]["value"]


def test_two_formats_one_patient_one_pseudonym_and_no_secret_anywhere(site, folder, tmp_path):
    code, told = deid(site, folder, tmp_path / "out")
    assert (code, told["files"], told["written"], told["held"], told["patients"]) == (0, 2, 2, 0, 1)
    first, second = pseudonyms(written(tmp_path / "out"))
    assert first == second
    assert first not in SECRETS
    assert not [secret for secret in SECRETS if secret.encode() in everything(tmp_path / "out")]
    fhir = json.loads(
        next(data for name, data in written(tmp_path / "out").items() if name.endswith(".json"))
    )
    assert fhir["type"] == "collection"
    assert {entry["resource"]["resourceType"] for entry in fhir["entry"]} == {
        *("Patient", "Observation", "Provenance")
    }
    (record,) = site.records("deid.ended")
    record = record["body"]
    assert (record["profile"], record["files"], record["written"]) == ("limited-data-set", 2, 2)
    (begun,) = site.records("deid.begun")
    assert begun["body"]["job"] == record["job"] == told["job"]


def dicom(path):
    """Write a CT image of the same patient, as pydicom does; its number is of the same authority."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, CTImageStorage
    image = Dataset()
    image.file_meta = meta
    image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, generate_uid()
    meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    image.PatientName, image.PatientID, image.IssuerOfPatientID = "QUIXLEY^ZORAIDA", "77310042", "HOSP"
    image.PatientBirthDate, image.PatientSex, image.PatientAddress = "19480229", "F", "12 VOSSLER LANE"
    image.StudyInstanceUID, image.SeriesInstanceUID = generate_uid(), generate_uid()
    image.Modality, image.ImageType, image.StudyDate = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"], "20260102"
    image.Rows = image.Columns = 64
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
    image.PixelData = bytes(64 * 64 * 2)
    image.save_as(path, enforce_file_format=True)


def test_an_image_of_the_patient_has_the_same_pseudonym_and_its_pixels_as_they_were(site, folder, tmp_path):
    dicom(folder / "image.dcm")
    _, told = deid(site, folder, tmp_path / "out")
    assert (told["written"], told["held"], told["patients"]) == (3, 0, 1)
    files = written(tmp_path / "out")
    (path,) = (tmp_path / "out" / name for name in files if name.endswith(".dcm"))
    image = dcmread(path)
    assert image.PatientID == pseudonyms(files)[0]
    assert image.PixelData == bytes(64 * 64 * 2)
    assert image.PatientIdentityRemoved == "YES"
    assert not [secret for secret in SECRETS if secret.encode() in everything(tmp_path / "out")]


def test_another_project_has_other_pseudonyms_and_the_same_one_the_same_files(site, folder, tmp_path):
    deid(site, folder, tmp_path / "a")
    deid(site, folder, tmp_path / "b")
    deid(site, folder, tmp_path / "c", "--project", "p2")
    a, b, c = (written(tmp_path / name) for name in "abc")
    assert a.keys() == b.keys()
    assert [RECORDED.sub(b"", data) for data in a.values()] == [
        RECORDED.sub(b"", data) for data in b.values()
    ]
    assert not a.keys() & c.keys()
    assert pseudonyms(a)[0] != pseudonyms(c)[0]


def test_dates_move_by_the_same_days_in_every_format(site, folder, tmp_path):
    dicom(folder / "image.dcm")
    code, told = deid(site, folder, tmp_path / "out", "--profile", "research")
    assert (code, told["written"]) == (0, 3)
    files = written(tmp_path / "out")
    hl7 = next(data for name, data in files.items() if name.endswith(".hl7")).decode()
    fhir = json.loads(next(data for name, data in files.items() if name.endswith(".json")))
    (path,) = (tmp_path / "out" / name for name in files if name.endswith(".dcm"))
    observed = next(line for line in hl7.split("\r") if line.startswith("OBX")).split("|")[14]
    reading = next(e["resource"] for e in fhir["entry"] if e["resource"]["resourceType"] == "Observation")
    moved = {observed[:8], reading["effectiveDateTime"][:10].replace("-", ""), dcmread(path).StudyDate}
    assert len(moved) == 1
    assert moved != {"20260102"}
    assert observed[8:] == "030405"


def test_a_project_that_does_not_move_dates_is_refused_for_a_profile_that_does(site, folder, tmp_path):
    site.activate(_policy())
    done = forked.run(
        [
            "deid",
            str(folder),
            "--out",
            str(tmp_path / "out"),
            *TERMS,
            "--profile",
            "research",
            "--data",
            str(site.folder),
        ]
    )
    assert done.returncode not in (0, 1)
    assert b"name one that does (studies)" in done.stderr, "the starter policy has one"
    assert not (tmp_path / "out").exists()
    code, told = deid(site, folder, tmp_path / "out", "--profile", "research", "--project", "studies")
    assert (code, told["written"]) == (0, 2)


HOSTILE = {
    "empty.hl7": (b"", "message.empty"),
    "cut.json": (json.dumps(FHIR).encode()[:300], "message.json-invalid"),
    "deep.json": (
        b'{"resourceType":"Patient","extension":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        "message.limit-exceeded",
    ),
    "picture.png": (b"\x89PNG\r\n\x1a\n" + bytes(100), "deid.format-unknown"),
    "bomb.zip": (b"PK\x03\x04" + zlib.compress(bytes(1 << 20)), "deid.format-unknown"),
    "bomb.gz": (b"\x1f\x8b\x08" + zlib.compress(bytes(1 << 20)), "deid.format-unknown"),
    "utf32.txt": ("Seen: Zoraida Quixley".encode("utf-32"), "message.charset-broken"),
    "late.txt": (b"word " * 900 + "Zoraida Quixley".encode("utf-16-le"), "message.charset-broken"),
    "not.hl7": (b"MSH|^~\\&|QUIXLEY", "message.header-incomplete"),
    "two.hl7": (
        HL7.format(n=1, id="1").replace("ORU^R01^ORU_R01", "ADT^A01").encode() * 1 + b"PID|2||88^^^HOSP^MR\r",
        "patient.several",
    ),
}


def test_what_is_hostile_is_held_with_its_reason_and_never_copied(site, folder, tmp_path):
    for name, (data, _) in HOSTILE.items():
        (folder / name).write_bytes(data)
    (folder / "link").symlink_to("/etc/passwd")
    code, told = deid(site, folder, tmp_path / "out")
    assert code == 1
    assert (told["files"], told["written"], told["held"]) == (2 + len(HOSTILE) + 1, 2, len(HOSTILE) + 1)
    places = {why["where"] for one in told["held_files"] for why in one["why"]}
    assert {"looks like a PNG image", "looks like a ZIP archive", "looks like a gzip archive"} <= places
    report = (tmp_path / "out" / "oathward-report.html").read_text()
    assert "unpack archives" not in report, "what to do is our own; the report goes with the files"
    reasons = {why["reason"] for one in told["held_files"] for why in one["why"]}
    assert reasons == {reason for _, reason in HOSTILE.values()}
    assert len(written(tmp_path / "out")) == 2
    assert b"root:" not in everything(tmp_path / "out").lower()
    assert b"quixley" not in everything(tmp_path / "out").replace(b"\0", b"").lower()


def test_what_a_bundle_says_of_itself_does_not_leave(site, folder, tmp_path):
    (folder / "typed.json").write_text(json.dumps(FHIR | {"type": "Zoraida Quixley", "id": "77310042"}))
    deid(site, folder, tmp_path / "out")
    assert not [secret for secret in SECRETS if secret.encode() in everything(tmp_path / "out")]


def test_names_that_differ_in_a_space_or_are_no_text_are_files_of_their_own(site, tmp_path):
    root = tmp_path / "odd"
    root.mkdir()
    for n, name in enumerate(
        (b"a.hl7", b" a.hl7", b"a.hl7 ", b"\xff\xfe.hl7", "\u00e9.hl7".encode(), b"e\xcc\x81.hl7")
    ):
        (root / os.fsdecode(name)).write_text(HL7.format(n=n, id=100 + n))
    assert deid(site, root, tmp_path / "out")[1]["written"] == 6
    assert len(written(tmp_path / "out")) == 6


def test_one_text_file_is_cleaned(site, tmp_path):
    (tmp_path / "letter.txt").write_text(
        "Mr. John Whitfield, MRN 77310042, was seen on 2 January 2026. Pulse 72."
    )
    code, told = deid(site, tmp_path / "letter.txt", tmp_path / "out", "--profile", "research")
    assert (code, told["written"], list(told["formats"])) == (0, 1, ["text"])
    [text] = written(tmp_path / "out").values()
    assert b"Pulse 72" in text
    assert not [word for word in (b"Whitfield", b"77310042") if word in text]


@pytest.mark.parametrize("where", ["in/out", "."])
def test_an_output_in_what_is_read_is_refused(site, folder, tmp_path, where):
    done = forked.run(
        ["deid", str(folder), "--out", str(tmp_path / where), *TERMS, "--data", str(site.folder)]
    )
    assert done.returncode not in (0, 1)
    assert b"must not stand in what is read" in done.stderr


def test_a_job_stopped_while_it_took_a_file_back_goes_on(site, folder, tmp_path):
    """The file is gone and the journal does not say so yet: it counts as taken back."""
    deid(site, folder, tmp_path / "out")
    [job] = (site.folder / "deid").iterdir()
    not_ended(job)
    gone = next(iter(written(tmp_path / "out")))
    (tmp_path / "out" / gone).unlink()
    code, told = deid(site, folder, tmp_path / "out")
    assert (code, told["written"], told["held"], told["resumed"], told["patients"]) == (1, 1, 1, 2, 1)
    assert told["reasons"] == {"deid.residue": 1}


def test_an_empty_folder_is_an_error(site, tmp_path):
    (tmp_path / "in").mkdir()
    arguments = ["deid", str(tmp_path / "in"), "--out", str(tmp_path / "out"), *TERMS]
    done = forked.run([*arguments, "--data", str(site.folder)])
    assert done.returncode not in (0, 1)
    assert b"PATH: holds no file" in done.stderr
    assert not (tmp_path / "out").exists()


def test_lines_leave_as_lines_also_where_there_is_one(site, tmp_path):
    root = tmp_path / "export"
    root.mkdir()
    patient = json.dumps(FHIR["entry"][0]["resource"]) + "\n"
    (root / "one.ndjson").write_text(patient)
    (root / "two.ndjson").write_text(patient * 2)
    (root / "one.json").write_text(patient)
    assert deid(site, root, tmp_path / "out")[1]["written"] == 3
    out = {name: data for name, data in written(tmp_path / "out").items() if "oathward" not in name}
    assert sorted(name.rpartition(".")[2] for name in out) == ["json", "ndjson", "ndjson"]
    for name, data in out.items():
        kinds = [json.loads(line)["resourceType"] for line in data.splitlines()]
        assert set(kinds) == ({"Patient", "Provenance"} if name.endswith(".ndjson") else {"Patient"})


def test_a_folder_that_is_not_empty_is_refused(site, folder, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    done = forked.run(
        ["deid", str(folder), "--out", str(tmp_path / "out"), *TERMS, "--data", str(site.folder)]
    )
    assert done.returncode not in (0, 1)
    assert b"name an empty folder" in done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("more", "says"),
    [(("--profile", "treatment"), b"leaves patient.name"), (("--profile", "safe-habor"), b"safe-harbor")],
)
def test_a_profile_that_keeps_names_or_is_none_is_refused(site, folder, tmp_path, more, says):
    done = forked.run(
        ["deid", str(folder), "--out", str(tmp_path / "out"), *TERMS, *more, "--data", str(site.folder)]
    )
    assert done.returncode not in (0, 1)
    assert says in done.stderr
    assert not (tmp_path / "out").exists()


def test_what_stands_in_an_output_all_the_same_is_taken_back(site, folder, tmp_path):
    """A profile that lets notes through as they are: what is known of the patient stands in one."""
    note = HL7.format(n=2, id="77310042") + "NTE|1||Zoraida Quixley complains of pain\r"
    (folder / "note.hl7").write_text(note)
    (folder / "harmless.hl7").write_text(HL7.format(n=3, id="77310042") + "NTE|1||complains of pain\r")
    site.activate(_policy())
    code, told = deid(site, folder, tmp_path / "out", "--profile", "leaky")
    assert code == 1
    assert told["residue"]["taken_back"] == {"patient.name": 1}
    assert (told["written"], told["held"]) == (3, 1)
    assert told["reasons"] == {"deid.residue": 1}
    assert b"QUIXLEY" not in everything(tmp_path / "out")
    assert any(b"complains of pain" in data for data in written(tmp_path / "out").values())


def _policy():
    leaky = builtin_texts()["limited-data-set"].replace('name = "limited-data-set"', 'name = "leaky"')
    leaky = leaky.replace("[actions]", '[actions]\n"note.text" = "keep"')
    files = policy({"care": "mllp://127.0.0.1:9"})
    files["projects.toml"] += b'[p1]\ntitle = "one"\n'
    return files | {"profiles/leaky.toml": leaky.encode()}


def test_a_job_that_is_killed_goes_on_and_repeats_at_most_one_chunk(site, tmp_path):
    root = tmp_path / "many"
    root.mkdir()
    for n in range(700):
        (root / f"{n:04}.hl7").write_text(HL7.format(n=n, id=7000 + n % 50))
    whole = deid(site, root, tmp_path / "whole")[1]
    assert whole["written"] == 700
    argv = [
        sys.executable,
        "-m",
        "oathward.cli",
        "deid",
        str(root),
        "--out",
        str(tmp_path / "out"),
        *TERMS,
        "--data",
        str(site.folder),
    ]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    before = {path.name for path in (site.folder / "deid").iterdir()}
    folders = []
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        folders = [
            path
            for path in (site.folder / "deid").iterdir()
            if path.name not in before and (path / "journal").exists()
        ]
        if folders and Journal.read(folders[0]).entries:
            break
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = set(Journal.read(folders[0]).entries)
    assert done
    code, told = deid(site, root, tmp_path / "out")
    assert (code, told["written"], told["resumed"]) == (0, 700, len(done))
    assert written(tmp_path / "out") == written(tmp_path / "whole")
    assert not (tmp_path / "out" / ".partial").exists()
