"""Whom a resource is about: read as a patient, it is written as one, or it does not leave."""

import json

import pytest
from tests.fhir_shaped import Resource, put, ruled, transaction
from tests.unit.protocols.fhir.test_rewrite import RATE, URN, left_of, named, observation, patient

from oathward.protocols.fhir import steps
from oathward.protocols.shaping import REMOVE

KNOWN = {"system": "urn:oid:1.2.3", "value": "77"}


@pytest.mark.parametrize(
    "subject",
    [
        {"identifier": KNOWN},
        {"identifier": KNOWN, "display": "Anna"},
        {"identifier": KNOWN, "type": "Patient"},
        {"identifier": KNOWN, "type": "http://hl7.org/fhir/StructureDefinition/Patient"},
        {"identifier": KNOWN, "reference": "urn:uuid:0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a"},
    ],
)
def test_who_is_known_by_a_number_alone_has_the_pseudonym(subject: Resource):
    """Read as the patient (``names``), so it is written as the patient: with no type, and with the type."""
    resource = observation(valueInteger=1, subject=subject)
    (left,) = left_of(resource, {"patient.identifier": named, "patient.name": REMOVE, "note.text": REMOVE})
    assert left["subject"]["identifier"]["value"] == "N7"
    assert not {"reference", "display"} & {*left["subject"]}
    assert left_of(resource, {})[0]["subject"] == subject, "and an identified one stays"


def test_a_patient_who_is_asked_for_has_the_pseudonym():
    resource = observation(valueInteger=1, subject={"reference": "Patient?identifier=urn:oid:1.2.3|77"})
    (left,) = left_of(resource, {"patient.identifier": named})
    assert left["subject"] == {"reference": "Patient/N7"}


@pytest.mark.parametrize(
    "subject",
    [
        {"identifier": KNOWN, "type": "Device"},
        {"identifier": KNOWN, "type": "http://hl7.org/fhir/StructureDefinition/Location"},
        {"identifier": KNOWN, "reference": "Group/g1"},
    ],
)
def test_what_is_about_something_else_gets_no_pseudonym(subject: Resource):
    message = put(observation(valueInteger=1, subject=subject))
    left, _ = ruled(message, {"patient.identifier": lambda _value, _context: "TOKEN"})
    assert "TOKEN" not in json.dumps(left)


def test_a_device_of_the_bundle_is_no_patient_by_its_number():
    device = {"resourceType": "Device", "id": f"{URN}1", "identifier": [KNOWN]}
    subject = {"reference": f"{URN}1", "identifier": KNOWN}
    message = transaction(device, observation(id=f"{URN}2", valueInteger=1, subject=subject), urns=True)
    left, _ = ruled(message, {"patient.identifier": lambda _value, _context: "TOKEN"})
    assert left[1]["subject"]["reference"] == f"Device/{left[0]['id']}"
    assert "TOKEN" not in json.dumps(left)


@pytest.mark.parametrize("kind", ["Observation", "Condition"])
def test_what_is_about_another_patient_does_not_leave_about_nobody(kind: str):
    """Not even as masked, where R4 asks for a subject."""
    other = {"resourceType": kind, "id": "o2", "code": RATE, "subject": {"reference": "Patient/p2"}}
    other |= {"status": "final", "valueInteger": 2} if kind == "Observation" else {}
    message = transaction(observation(valueInteger=1, subject={"reference": "Patient/p1"}), other)
    left, _ = ruled(message, {"patient.identifier": named})
    assert [one["subject"] for one in left] == [{"reference": "Patient/N1"}]
    nobodys, _ = ruled(message, {"patient.identifier": REMOVE})
    assert len(nobodys) == 2, "but where the profile has nobody told of, both leave"


def test_a_patient_of_whom_only_a_name_is_told_is_still_the_subject():
    message = transaction(
        patient(name=[{"family": "Anna"}]), observation(valueInteger=1, subject={"reference": "Patient/p1"})
    )
    left, _ = ruled(message, {"patient.identifier": named, "patient.name": REMOVE})
    assert [one["subject"] for one in left if "subject" in one] == [{"reference": "Patient/N1"}]


def test_reverse_about_nobody(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(steps, "_names_patient", lambda *_: False)
    with pytest.raises(KeyError):
        test_what_is_about_another_patient_does_not_leave_about_nobody("Observation")


def test_reverse_whom_a_resource_is_about(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(steps, "tells_whom", lambda *_: False)
    with pytest.raises(KeyError):
        test_who_is_known_by_a_number_alone_has_the_pseudonym({"identifier": KNOWN})
