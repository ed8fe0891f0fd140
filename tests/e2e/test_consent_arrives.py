"""A Consent sent to the door of a whole site: what it denies stops at every wire within a second, and a person settles it."""

import time

import pytest
from tests.fhir_wire import SYSTEM, Http, device, observation, patient_reference
from tests.site import Site, bundle
from tests.wire import Client, Recipient, oru

THO = "http://terminology.hl7.org/CodeSystem/"
MRN = "12345678"


@pytest.fixture
def recipient():
    one = Recipient()
    yield one
    one.close()


@pytest.fixture
def site(tmp_path, recipient):
    site = Site.make(tmp_path / "s", fhir="", more=f'[patients.authorities]\nHOSP = ["{SYSTEM}"]')
    files = bundle({"registry": recipient.address})
    link = files["links/registry.toml"].replace(b'"care-team"', b'"hold"')
    site.activate(files | {"links/registry.toml": link})
    site.add(device("mon-1", addresses=frozenset({"127.0.0.1"})))
    site.start()
    yield site
    site.stop()


def consent(**more):
    return {
        "resourceType": "Consent", "status": "active",
        "scope": {"coding": [{"system": THO + "consentscope", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "policyRule": {"coding": [{"system": THO + "v3-ActCode", "code": "OPTOUT"}]},
        "patient": patient_reference(MRN), "identifier": [{"system": "urn:x", "value": "c-1"}],
        "provision": {"type": "deny"}, **more,
    }  # fmt: skip


def send(site, value):
    with Client(site.port()) as client:
        assert client.send(oru(f"A{value}", mrn=MRN, value=str(value))) == "AA"
    with Http(site, "mon-1") as client:
        assert client.post("/fhir/Observation", observation(value=float(value + 1), mrn=MRN)).status == 201


def held(site):
    return [reason for (reason,) in site.rows("SELECT reason FROM quarantine WHERE state = 'held'")]


def values(site, recipient):
    site.wait(lambda: site.rows("SELECT id FROM outbox") == [])
    return {float(v) for v in recipient.values()}


def test_a_withdrawal_is_followed_at_both_doors_until_a_person_has_looked(site, recipient):
    send(site, 10)
    site.wait(lambda: values(site, recipient) >= {10.0})
    before = len(held(site))
    with Http(site, "mon-1") as client:
        assert client.post("/fhir/Consent", consent()).status == 201
    time.sleep(1.5)
    send(site, 20)
    assert 20.0 not in values(site, recipient)
    assert held(site)[before:].count("decision.consent-waiting") == 2
    [came] = site.cli("consent", "arrived")["arrived"]
    assert (came["denials"], came["device"]) == (1, "mon-1")

    # Dismissed, what was held goes on; imported, it is denied.
    site.cli("consent", "dismiss", came["message"], "--why", "another patient meant")
    time.sleep(1.5)
    site.cli("quarantine", "release", "--all-with-reason", "decision.consent-waiting", "--why", "looked at")
    site.wait(lambda: 20.0 in values(site, recipient))
    with Http(site, "mon-1") as client:
        again = consent(identifier=[{"system": "urn:x", "value": "c-2"}])
        assert client.post("/fhir/Consent", again).status == 201
    assert site.cli("consent", "import", "--arrived")["recorded"] == 1
    time.sleep(1.5)
    send(site, 30)
    assert 30.0 not in values(site, recipient)
    assert held(site)[before:] == []
    answers = [a[:3] for r in site.records("message.accepted")[-2:] for a in r["body"]["answers"]]
    assert {tuple(one) for one in answers} == {
        (link, "deny", "decision.consent-denies") for link in ("registry", "keep")
    }
