"""Whose a Consent is within a set of files."""

import orjson
from tests.unit.consent.fhir.test_reader import consent

from oathward.consent.fhir.sets import gather


def patient(number: str, **more: object) -> dict:
    return {
        "resourceType": "Patient", "id": "1", "identifier": [{"system": "urn:oid:1.2.3", "value": number}], **more,
    }  # fmt: skip


def bundle(*resources: dict) -> bytes:
    entries = [{"resource": one} for one in resources]
    return orjson.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})


def of_patient_1(id_: str) -> dict:
    return consent(id=id_, patient={"reference": "Patient/1"})


def numbers(found) -> list[list[str]]:
    return [[value.reveal() for _, value, _ in one.patient] for one in found.found]


def test_the_same_id_in_another_servers_file_is_another_patient():
    found = gather(
        [("a.json", bundle(patient("7001"), of_patient_1("c-1"))), ("b.json", bundle(patient("7002"), of_patient_1("c-2")))]
    )  # fmt: skip
    assert numbers(found) == [["7001"], ["7002"]]
    assert not found.problems


def test_a_patient_of_another_file_is_found_where_there_is_one_alone():
    found = gather([("c.json", orjson.dumps(of_patient_1("c-1"))), ("p.json", orjson.dumps(patient("7001")))])
    assert numbers(found) == [["7001"]]
    assert not found.problems


def test_a_reference_that_leads_to_two_patients_is_a_mistake():
    files = [("c.json", orjson.dumps(of_patient_1("c-1")))]
    files += [(f"{n}.json", orjson.dumps(patient(n))) for n in ("7001", "7002")]
    found = gather(files)
    assert numbers(found) == [[]]
    assert [(one.file, one.where) for one in found.problems] == [("c.json", "Consent.patient")]
    twice = gather([("a.json", bundle(patient("7001"), patient("7002"), of_patient_1("c-1")))])
    assert [one.where for one in twice.problems] == ["Consent.patient"]
