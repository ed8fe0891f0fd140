"""What things are called at a recipient: one name for one person, another for another's, whichever wire told of them."""

import json
from dataclasses import replace

import pytest

from oathward.core.labels import CLASSES
from oathward.deid.action import Seeds
from oathward.deid.plan import Route, compile_plan, shape
from oathward.deid.profile import builtin_profiles
from oathward.protocols.fhir.message import Request
from oathward.protocols.fhir.reader import decode, request_bytes
from oathward.protocols.hl7v2.reader import decode as decode_hl7

FHIR, MAPPED = Route("fhir", "fhir"), Route("hl7v2", "fhir")
SEEDS = Seeds(b"\x01" * 32, b"\x02" * 32, "OUT1", 2026, "hub-1", identity=True)
SYSTEM = "urn:oid:1.2.3.4"


def plan(profile: str, route: Route):
    return compile_plan(builtin_profiles()[profile], CLASSES - {"uncatalogued"}, route)


def urls(data: bytes) -> set[str]:
    body = json.loads(data)
    if body["resourceType"] != "Bundle":
        return {f"{body['resourceType']}/{body['id']}"}
    return {entry["request"]["url"] for entry in body["entry"]}


def references(data: bytes) -> set[str]:
    found: set[str] = set()

    def walk(value: object) -> None:
        if isinstance(value, dict):
            found.update([value["reference"]] if "reference" in value else [])
            for item in value.values():
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)

    walk(json.loads(data))
    return found


def observation(**more: object) -> bytes:
    body = {
        "resourceType": "Observation",
        "id": "1",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": {"reference": "Patient/1"},
        "valueQuantity": {"value": 72},
    }
    return request_bytes(Request("PUT", "Observation/1"), json.dumps(body | more).encode())


def patient() -> bytes:
    body = {"resourceType": "Patient", "id": "1", "identifier": [{"system": SYSTEM, "value": "7000123"}]}
    return request_bytes(Request("PUT", "Patient/1"), json.dumps(body).encode())


def oru(number: str) -> bytes:
    return (
        "MSH|^~\\&|A|B|C|D|20260101||ORU^R01|1|P|2.6\r"
        f"PID|||{number}||||||||||||||||A1\rPV1||I|||||||||||||||||V1\rOBR|1|||1^a^LN\r"
        "OBX|1|NM|8867-4^x^LN||72|||||F|||20260101\r"
    ).encode()


def sent(raw: bytes, source: str, profile: str = "treatment") -> bytes:
    """What leaves of one request of one sender."""
    seeds = replace(SEEDS, source=source, identity=profile == "treatment")
    if raw.startswith(b"MSH"):
        return shape(decode_hl7(raw), plan(profile, MAPPED), seeds).data
    return shape(decode(raw), plan(profile, FHIR), seeds).data


@pytest.mark.parametrize("raw", [observation(), patient(), oru("123")])
def test_two_senders_ids_are_never_one(raw):
    one, other = urls(sent(raw, "hub-1")), urls(sent(raw, "hub-2"))
    named = {url for url in one if "out1-" not in url}
    assert named
    assert named.isdisjoint(other)


@pytest.mark.parametrize("raw", [observation(), patient(), oru("123")])
def test_and_would_be_if_nobody_asked_who_sent_them(raw):
    """Reverse."""
    assert urls(sent(raw, "")) == urls(sent(raw, ""))


def test_one_senders_ids_stay_and_references_follow():
    told = urls(sent(patient(), "hub-1"))
    assert told == urls(sent(patient(), "hub-1"))
    assert references(sent(observation(), "hub-1")) == told


def test_references_to_what_is_elsewhere_stay():
    elsewhere = {"reference": "https://other.example/fhir/Patient/1"}
    assert references(sent(observation(subject=elsewhere), "hub-1")) == {elsewhere["reference"]}


def test_a_number_with_an_authority_is_one_person_whoever_sends_it():
    known = oru("123^^^&1.2.3&ISO^MR")
    one, other = (
        {url for url in urls(sent(known, source)) if url.startswith("Patient/")} for source in ("a", "b")
    )
    assert one == other


@pytest.mark.parametrize("profile", ["safe-harbor", "limited-data-set"])
def test_a_pseudonym_is_the_id_on_both_wires_and_nothing_refers_into_the_void(profile):
    """What a research registry gets of one patient, by HL7 v2 and by FHIR, hangs together."""
    mapped = sent(oru("123"), "hub-1", profile)
    [of_hl7] = {url for url in urls(mapped) if url.startswith("Patient/")}
    assert references(sent(observation(), "hub-2", profile)) == {of_hl7}
    assert urls(sent(patient(), "hub-3", profile)) == {of_hl7}


def test_references_are_the_same_whether_names_changed_or_not():
    """One way writes them in the document, the other in its objects."""
    body = json.loads(observation().partition(b"\n\n")[2])
    del body["id"]
    body["note"] = [{"text": 'a "reference":"Patient/1" in words'}]
    body["hasMember"] = [{"reference": "Observation/9/_history/3"}]
    body["performer"] = [{"reference": "https://o.example/Patient/1"}]
    single = request_bytes(Request("POST", "Observation"), json.dumps(body).encode())
    entries = [
        {"fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000001", "resource": body, "request": {"method": "POST", "url": "Observation"}}
    ]  # fmt: skip
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    whole = request_bytes(Request("POST", ""), json.dumps(bundle).encode())
    one, other = sent(single, "hub-1"), sent(whole, "hub-1")
    assert references(one) == references(other)
    assert 'a \\"reference\\":\\"Patient/1\\" in words' in one.decode()
    assert "Patient/1" not in references(one)


def test_references_by_the_recipients_own_ids_leave_as_they_are_and_nothing_is_written_under_them():
    """What the sender writes has ids of its own all the same: it cannot write over what the recipient has."""
    raw = observation(encounter={"reference": "Encounter/77"}, performer=[{"reference": "Practitioner/5"}])
    for seeds in (replace(SEEDS, shared=True), replace(SEEDS, shared=True, source="hub-2")):
        for treatment in (plan("treatment", FHIR), whole_plan()):
            data = shape(decode(raw), treatment, seeds).data
            assert references(data) == {"Patient/1", "Encounter/77", "Practitioner/5"}
            assert urls(data).isdisjoint({"Observation/1"})


def test_shared_ids_do_not_reach_into_what_is_sent_along():
    """A Patient in the same bundle is called as it leaves, and what refers to it follows."""
    body = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"resource": json.loads(one.partition(b"\n\n")[2]), "request": {"method": "PUT", "url": url}}
            for one, url in ((patient(), "Patient/1"), (observation(), "Observation/1"))
        ],
    }
    raw = request_bytes(Request("POST", ""), json.dumps(body).encode())
    data = shape(decode(raw), plan("treatment", FHIR), replace(SEEDS, shared=True)).data
    (called,) = [url for url in urls(data) if url.startswith("Patient/")]
    assert called != "Patient/1"
    assert references(data) == {called}


def whole_plan():
    """Where nothing is removed, what leaves is written in another way."""
    return compile_plan(builtin_profiles()["treatment"], CLASSES, FHIR)
