"""Whom a measurement is about, through the path: what a care link and a registry get, however the sender says it."""

import json
from dataclasses import replace

import pytest
from tests.property.test_planted_fhir import HUB, OBSERVATION, PATIENT, opener, world  # noqa: F401  fixtures

from oathward.core.ids import uuid7
from oathward.gateway.arrival import Arrival
from oathward.gateway.commit import commit_group
from oathward.gateway.path import handle
from oathward.gateway.wires import FHIR
from oathward.protocols.fhir.message import Request
from oathward.protocols.fhir.reader import request_bytes

NUMBER = "7001234568"
IDENTIFIER = {"system": "urn:oid:1.2.3.4", "value": NUMBER}
ASKED = {"reference": f"Patient?identifier=urn:oid:1.2.3.4|{NUMBER}"}
WAYS = {
    "number": {"identifier": IDENTIFIER},
    "number and type": {"identifier": IDENTIFIER, "type": "Patient"},
    "number and the type's address": {
        "identifier": IDENTIFIER, "type": "http://hl7.org/fhir/StructureDefinition/Patient",
    },
    "number and name": {"identifier": IDENTIFIER, "display": "Ada Ulmen"},
    "number and an address nobody knows": {
        "identifier": IDENTIFIER, "reference": "urn:uuid:0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a",
    },
    "search": ASKED,
}  # fmt: skip


def took(gate, body, target="Observation", method="POST"):
    raw = request_bytes(Request(method, target), json.dumps(body).encode())
    prepared = handle(gate, Arrival(uuid7(), raw, HUB, gate.now_us(), FHIR))
    commit_group(gate, [prepared])
    assert gate.trouble == "", gate.trouble
    return prepared


def sent(opener, prepared):  # noqa: F811  a fixture
    return {o.sealed.link: json.loads(opener.open(o.sealed.data).data.reveal()) for o in prepared.outgoing}


@pytest.fixture(scope="module")
def pseudonym(world, opener):  # noqa: F811  a fixture
    """What the registry calls this patient where a Patient resource says who it is."""
    _, gate = world
    whole = PATIENT | {"id": "p77", "identifier": [IDENTIFIER], "gender": "female"}
    got = sent(opener, took(gate, whole, "Patient/p77", "PUT"))
    return got["registry"]["id"]


@pytest.mark.parametrize("way", sorted(WAYS))
def test_a_measurement_of_a_patient_is_about_that_patient_at_every_recipient(world, opener, pseudonym, way):  # noqa: F811  a fixture
    _, gate = world
    seen = OBSERVATION | {"subject": WAYS[way], "effectiveDateTime": f"2026-05-04T08:{len(way):02}:00Z"}
    got = sent(opener, took(gate, {k: v for k, v in seen.items() if k != "id"}))
    assert set(got) == {"ehr", "registry"}
    assert NUMBER in json.dumps(got["ehr"]["subject"]), "the care link says who"
    subject = got["registry"]["subject"]
    told = subject.get("identifier", {}).get("value") or subject["reference"].partition("/")[2]
    assert told == pseudonym, "the registry has the pseudonym, the same as ever"
    assert NUMBER not in json.dumps(got["registry"])
    assert "Ulmen" not in json.dumps(got["registry"])


def test_what_is_about_a_thing_gets_nobodys_pseudonym(world, opener, pseudonym):  # noqa: F811  a fixture
    _, gate = world
    seen = OBSERVATION | {"subject": {"identifier": {"value": "SN-4711"}, "type": "Device"}}
    got = sent(opener, took(gate, {k: v for k, v in seen.items() if k != "id"}))
    assert pseudonym not in json.dumps(got)


def test_a_sender_with_the_recipients_own_ids_is_understood_there(world, opener, monkeypatch):  # noqa: F811  a fixture
    _, gate = world
    seen = OBSERVATION | {"subject": {"reference": "Patient/ehr-77", "identifier": IDENTIFIER}}
    del seen["id"]
    before = sent(opener, took(gate, seen | {"issued": "2026-05-04T09:00:00Z"}))
    links = [
        replace(link, shared_ids=frozenset({"*"} if link.id == "ehr" else ()))
        for link in gate.links(None, "fhir")
    ]
    monkeypatch.setattr(gate, "links", lambda only, wire: links)
    after = sent(opener, took(gate, seen | {"issued": "2026-05-04T09:00:01Z"}))
    assert before["ehr"]["subject"]["reference"] != "Patient/ehr-77"
    assert after["ehr"]["subject"]["reference"] == "Patient/ehr-77"
    assert "ehr-77" not in json.dumps(after["registry"])
