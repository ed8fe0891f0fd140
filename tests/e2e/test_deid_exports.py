"""Bulk exports: what one file says of a patient is looked for in the texts of the others."""

import json

from pydicom import dcmread
from tests.e2e.test_deid import HL7, deid, dicom, everything, site  # noqa: F401  a fixture


def test_texts_are_searched_for_what_other_files_of_the_folder_say_of_their_patient(site, tmp_path):  # noqa: F811  the fixture
    """As in bulk exports: one file says who the patients are, another has the notes, with nobody's name in a field."""
    root = tmp_path / "export"
    root.mkdir()
    patients = [
        {
            "resourceType": "Patient",
            "id": "a",
            "gender": "female",
            "name": [{"family": "Quixley", "given": ["Zoraida"]}],
        },
        {
            "resourceType": "Patient",
            "id": "b",
            "gender": "male",
            "name": [{"family": "Thrumble", "given": ["Odo"]}],
        },
    ]
    texts = {
        "a": "quixley says the thrumble of the pump keeps her awake; quixly is told to wait",
        "b": "odo thrumble has no pain",
    }
    notes = [
        {
            "resourceType": "Observation",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
            "valueQuantity": {"value": 71, "unit": "/min"},
            "subject": {"reference": f"Patient/{who}"},
            "note": [{"text": text}],
        }
        for who, text in texts.items()
    ]
    for name, lines in (("Observation.ndjson", notes), ("Patient.ndjson", patients)):
        (root / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    code, told = deid(site, root, tmp_path / "out", "--profile", "research")
    assert (code, told["written"]) == (0, 2), told["reasons"]
    out = everything(tmp_path / "out")
    assert b"KEEPS HER AWAKE" in out
    assert b"HAS NO PAIN" in out
    assert not any(name in out for name in (b"QUIXL", b"ZORAIDA", b"ODO"))
    assert b"THE THRUMBLE OF THE PUMP" in out, (
        "each patient's texts are searched for what is known of that patient"
    )


def test_so_are_the_texts_of_images(site, tmp_path):  # noqa: F811  the fixture
    root = tmp_path / "in"
    root.mkdir()
    number = {"system": "urn:oid:1.2.3.4", "value": "77310042"}
    name = {"family": "Quixley", "given": ["Zoraida"]}
    patient = {"resourceType": "Patient", "gender": "female", "identifier": [number], "name": [name]}
    (root / "patient.json").write_text(json.dumps(patient))
    dicom(root / "image.dcm")
    image = dcmread(root / "image.dcm")
    image.PatientName, image.ImageComments = "", "the quixley family waits outside"
    image.save_as(root / "image.dcm")
    code, told = deid(site, root, tmp_path / "out", "--profile", "research")
    assert (code, told["written"], told["patients"]) == (0, 2, 1), told["reasons"]
    (path,) = (tmp_path / "out").rglob("*.dcm")
    assert dcmread(path).ImageComments == "the [name] family waits outside"


def test_texts_of_one_patient_are_searched_for_staff_and_places_of_another_in_the_same_bundle(site, tmp_path):  # noqa: F811  the fixture
    def entry(number, **resource):
        return {"fullUrl": f"urn:uuid:00000000-0000-4000-8000-00000000000{number}", "resource": resource}

    def patient(number):
        return {"reference": f"urn:uuid:00000000-0000-4000-8000-00000000000{number}"}

    def seen(who, text):
        code = {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}
        value = {"value": 71, "unit": "/min"}
        return {"resourceType": "Observation", "status": "final", "code": code, "valueQuantity": value, "subject": patient(who), "note": [{"text": text}], "performer": [patient(3)] if who == 1 else []}  # fmt: skip

    entries = [
        entry(1, resourceType="Patient", gender="female", identifier=[{"value": "77310042"}]),
        entry(2, resourceType="Patient", gender="male", identifier=[{"value": "77310043"}]),
        entry(3, resourceType="Organization", name="Quorndale Wexcombe"),
        entry(4, **seen(1, "no pain")),
        entry(5, **seen(2, "sleeps; came from quorndale wexcombe at noon")),
    ]
    del entries[4]["resource"]["performer"]
    (tmp_path / "both.json").write_text(
        json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})
    )
    code, told = deid(site, tmp_path / "both.json", tmp_path / "out", "--profile", "research")
    assert (code, told["written"], told["patients"]) == (0, 1, 2), told["reasons"]
    out = everything(tmp_path / "out")
    assert b"SLEEPS; CAME FROM [" in out
    assert b"QUORNDALE" not in out


def test_a_file_makes_two_numbers_of_one_authority_nobody_s(site, tmp_path):  # noqa: F811  the fixture
    """Whoever wrote it would have merged two patients for good."""
    root = tmp_path / "in"
    root.mkdir()
    both = HL7.format(n=1, id="9900001").replace("9900001^^^HOSP^MR", "9900001^^^HOSP^MR~9900002^^^HOSP^MR")
    assert "9900002" in both
    (root / "both.hl7").write_text(both)
    code, told = deid(site, root, tmp_path / "out")
    assert (code, told["written"], told["reasons"]) == (1, 0, {"patient.ambiguous": 1})
    for n in (1, 2):
        (root / f"{n}.hl7").write_text(HL7.format(n=n, id=f"990000{n}"))
    _, told = deid(site, root, tmp_path / "again")
    assert (told["written"], told["patients"]) == (2, 2)
