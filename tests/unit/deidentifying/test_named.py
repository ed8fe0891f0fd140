"""Whom a worker names stands in the file it was handed, as the format writes it; whom it makes up does not."""

import json
import os
import zlib
from io import BytesIO

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from tests.corpus import CORPUS, needs_corpus

from oathward.core.errors import DecodeError, DeidentificationError
from oathward.core.reasons import Reason
from oathward.deid.profile import builtin_profiles
from oathward.deidentifying import named
from oathward.deidentifying.format import HEAD_BYTES, Folder, Terms, format_of, formats

TERMS = Terms(builtin_profiles()["research"], Folder("files"))
PID = "MSH|^~\\&|A|B|C|D|2026||ADT^A08|1|P|2.5\rPID|||{}^^^HOSP^MR\r"


def checked(tmp_path, data, kind, who):
    path = tmp_path / "file"
    path.write_bytes(data)
    return checked_file(path, formats()[kind], who)


def checked_file(path, kind, who):
    fd = os.open(path, os.O_RDONLY)
    try:
        named.check(fd, os.fstat(fd).st_size, kind, who)
    except DeidentificationError as error:
        return error.reason is not Reason.NOT_IN_FILE
    finally:
        os.close(fd)
    return True


def one(*values):
    return [[value, "HOSP", "MR", False] for value in values]


def dicom(number, *, deflated=False):
    dataset, meta = Dataset(), FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, generate_uid()
    dataset.file_meta, dataset.PatientID = meta, number
    out = BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    data = out.getvalue()
    if not deflated:
        return data
    at = data.index(b"\x10\x00\x20\x00")
    head = data[:at].replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99\0")
    return head + zlib.compress(data[at:])[2:-4]


WRITTEN = [
    ("hl7v2", PID.format("77310042").encode(), "77310042"),
    ("hl7v2", PID.format("77\\T\\31\\X0A\\0042").encode(), "77&31\n0042"),
    ("hl7v2", PID.format("\\X3737\\310042").encode(), "77310042"),
    ("hl7v2", PID.format("Ä77-310042").encode("latin-1"), "Ä77-310042"),
    ("hl7v2", PID.format("病院77310042").encode("shift_jis"), "病院77310042"),
    ("hl7v2", PID.format("病院").encode("euc_jp"), "病院"),
    ("hl7v2", PID.format("77310042").encode("utf-16"), "77310042"),
    ("fhir", rb'{"resourceType":"Patient","identifier":[{"value":"77\u0031\/310042"}]}', "771/310042"),
    ("fhir", rb'{"resourceType":"Patient","identifier":[{"value":"\n77310042"}]}', "77310042"),
    (
        "fhir",
        rb'{"resourceType":"Patient","identifier":[{"value":"77\u75C5\u9662\u75C5\u9662\u75C5\u966231"}]}',
        "77病院病院病院31",
    ),
    ("fhir", rb'{"resourceType":"Patient","identifier":[{"value":"\u75C5\u9662"}]}', "病院"),
    ("fhir", '{"resourceType":"Patient","identifier":[{"value":"病院"}]}'.encode(), "病院"),
    ("fhir", b'{"resourceType":"Observation","subject":{"reference":"Patient/77310042"}}', "77310042"),
    ("dicom", dicom("773100421"), "773100421"),
    ("dicom", dicom("77310042", deflated=True), "77310042"),
]


@pytest.mark.parametrize(("kind", "data", "number"), WRITTEN, ids=range(len(WRITTEN)))
def test_a_number_as_its_format_writes_it_is_found(tmp_path, kind, data, number):
    assert checked(tmp_path, data, kind, [one(number)])


@pytest.mark.parametrize(("kind", "data", "number"), WRITTEN[:-1], ids=range(len(WRITTEN) - 1))
@pytest.mark.parametrize("other", ["77310043", "7731004", "病室"])
def test_another_patients_number_is_not(tmp_path, kind, data, number, other):
    assert not checked(tmp_path, data, kind, [one(number, other)])


def test_many_numbers_are_looked_for_together(tmp_path):
    many = [f"N-{n}" for n in range(named.ALONE_MAX + 1)]
    data = PID.format(" ".join([*many[1:], r"\X4E\-0"])).encode()
    assert checked(tmp_path, data, "hl7v2", [one(*many)])
    assert not checked(tmp_path, data, "hl7v2", [one(*many, "N-65")])
    assert not checked(tmp_path, data, "hl7v2", [one(*many, "病院")])


def test_a_number_is_found_wherever_it_stands(tmp_path):
    for before in (named.BLOCK_BYTES - 4, named.BLOCK_BYTES, 3 * named.BLOCK_BYTES - 1):
        data = b"PID|" + b" " * (before - 4) + b"77310042"
        assert checked(tmp_path, data, "hl7v2", [one("77310042")])
        assert checked(tmp_path, data + b" " + b" ".join(b"n%d" % n for n in range(99)), "hl7v2", [one("77310042", *(f"n{n}" for n in range(99)))])  # fmt: skip


def test_a_file_names_as_many_patients_as_it_can(tmp_path):
    two = [one("7731"), one("7732")]
    assert not checked(tmp_path, dicom("7731") + b"7732", "dicom", two)
    assert not checked(tmp_path, b"7731 7732", "text", two[:1])
    assert checked(tmp_path, b"7731 7732", "text", [[]])
    assert not checked(tmp_path, PID.format("7731 7732").encode(), "hl7v2", two)
    assert checked(tmp_path, (PID.format("7731") + PID.format("7732")).encode(), "hl7v2", two)
    both = {"resourceType": "Patient", "identifier": [{"value": "7731"}, {"value": "7732"}]}
    assert not checked(tmp_path, json.dumps(both).encode(), "fhir", two)


def test_a_deflated_file_names_one_patient_by_few_numbers(tmp_path):
    data = dicom("77310042", deflated=True)
    assert not checked(tmp_path, data, "dicom", [one("1"), one("2")])
    assert not checked(tmp_path, data, "dicom", [one(*map(str, range(named.INFLATED_MAX + 1)))])
    inflated = dicom("77310042")  # which only says that it is deflated where nobody looks
    assert not checked(
        tmp_path, inflated + bytes(HEAD_BYTES) + b"1.2.840.10008.1.2.1.99", "dicom", [one("7731")]
    )


@pytest.mark.corpus
@needs_corpus
@pytest.mark.parametrize("folder", ["dicom", "fhir", "hl7v2", "freetext"])
def test_no_real_file_is_held_by_it(folder):
    seen, held = 0, []
    for path in sorted(path for path in (CORPUS / folder).rglob("*") if path.is_file()):
        data = path.read_bytes()
        kind = format_of(data[:HEAD_BYTES], path.suffix.lower())
        if kind is None or not data:
            continue
        try:
            content = kind.read(data if kind.whole else memoryview(data), TERMS)
        except DecodeError:
            continue
        who = [one(*(each.value.reveal() for each in unit.identifiers)) for unit in content.units]
        seen += any(who)
        if not checked_file(path, kind, who):
            held.append(path.name)
    assert held == []
    assert seen or folder == "freetext"
    print(f"{folder}: {seen} files that name somebody")


@pytest.mark.parametrize("runs", [7, 24, 400])
def test_a_number_of_many_parts_is_looked_for_in_a_time_that_ends(tmp_path, runs):
    """Who writes the file chooses the number: by a pattern that goes back seven parts took 20 s in 600 bytes, more never ended."""
    number = "-".join(["1"] * runs + ["4711"])
    data = b"NTE|1||" + b"1 " * 400 + PID.format("7731").encode()
    assert not checked(tmp_path, data, "hl7v2", [one(number)])
    assert checked(tmp_path, data + number.encode(), "hl7v2", [one(number)])
