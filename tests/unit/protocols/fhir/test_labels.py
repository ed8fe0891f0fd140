"""The security labels that a message bears are read, of the bundle and of each resource."""

import orjson
import pytest

from oathward.protocols.fhir.labels import labels_of
from oathward.protocols.fhir.reader import decode

THO = "http://terminology.hl7.org/CodeSystem/"


def label(code: str, system: str = THO + "v3-Confidentiality") -> dict:
    return {"system": system, "code": code}


def observation(*labels: dict) -> dict:
    found = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    return found | ({"meta": {"security": list(labels)}} if labels else {})


def one(*labels: dict):
    return decode(b"POST Observation\n\n" + orjson.dumps(observation(*labels)))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ((), set()),
        ((label("R"),), {"R"}),
        ((label("R"), label("HIV", THO + "v3-ActCode")), {"R", "HIV"}),
        ((label("R", "http://hl7.org/fhir/v3/Confidentiality"),), {"R"}),
        ((label("X"),), {"V"}),
        ((label("HTEST", THO + "v3-ActReason"), label("R", "urn:x"), {"display": "restricted"}), set()),
    ],
)
def test_labels_of_a_resource(labels, expected):
    assert labels_of(one(*labels)) == expected


def test_labels_of_a_bundle_are_of_all_of_it():
    request = {"method": "POST", "url": "Observation"}
    entries = [
        {"resource": observation(*some), "request": request} for some in ((), (label("R"),), (label("N"),))
    ]
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "meta": {"security": [label("L")]},
        "entry": entries,
    }
    assert labels_of(decode(b"POST \n\n" + orjson.dumps(bundle))) == {"R", "N", "L"}
