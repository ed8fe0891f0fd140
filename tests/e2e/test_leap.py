"""The consent cases of the LEAP project through the MLLP and the FHIR door, judged by what recipients got.

The patient is ``us-medicare`` 0000-000-0000 of GOLD.md, whose system the site's table calls MEDICARE. Three requesters
stand at each wire: somebody that no consent names, and the organization and the practitioner whom the consents deny.
"""

import itertools
import json
import time

import pytest
from tests.corpus import CORPUS, needs_corpus
from tests.fhir_recipient import FhirRecipient
from tests.fhir_wire import Http, device, observation
from tests.site import Site, bundle
from tests.wire import Client, Recipient, oru

LEAP = CORPUS / "fhir/leap-consent-fixtures"
MEDICARE = "http://hl7.org/fhir/sid/us-medicare"
PATIENT = "0000-000-0000"
RECORD_NUMBER = {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}
ACTORS = {
    "somebody": '"test-system|test-value"',
    "good-health": '"test-system|test-value", "Organization/54", "http://sdhealthconnect.github.io/leap/samples/ids|org-good-health"',
    "dr-bob": '"test-system|test-value", "Practitioner/001"',
}
REQUESTERS = {
    "requesting actor is the organization that a deny provision names": "good-health",
    "requesting actor is the practitioner that a deny provision names": "dr-bob",
}
VALUES = itertools.count(100)
"""Each message bears its own value: what a recipient got is told by it."""


def cases():
    """Rows of GOLD.md: case, consent, decision, obligations."""
    if not LEAP.is_dir():
        return []
    rows = [line.strip("| ").split(" | ") for line in (LEAP / "GOLD.md").read_text().splitlines()]
    return [tuple(row) for row in rows if len(row) == 4 and set(row[0]) != {"-"} and row[0] != "case"]


class World:
    """A served site with both doors, and both kinds of recipients for each requester."""

    def __init__(self, folder):
        self.folder = folder
        self.v2 = {name: Recipient() for name in ACTORS}
        self.fhir = FhirRecipient(folder / "outside")
        self.site = Site.make(
            folder / "s", fhir="", more=f'[patients.authorities]\nMEDICARE = ["{MEDICARE}"]'
        )
        self.fhir.trusted_by(self.site.folder)
        care = {name: r.address for name, r in self.v2.items()}
        care |= {f"fhir-{name}": self.fhir.address for name in ACTORS}
        files = bundle(care)
        for id_ in care:
            name = id_.removeprefix("fhir-")
            at = f"recipients/{id_}.toml"
            if id_ != name:  # one server for all of them: each has its own base
                files[at] = self.fhir.declared(id_).replace(b"/fhir", f"/fhir/{name}".encode())
            head, bracket, tables = files[at].partition(b"[tls]")
            files[at] = head + f"actors = [{ACTORS[name]}]\n".encode() + bracket + tables
            link = files[f"links/{id_}.toml"]
            link = link.replace(b"without_consent = true", b"without_consent = false")
            files[f"links/{id_}.toml"] = link.replace(b'"care-team"', b'"hold"')
        self.files = files
        self.site.activate(files)
        self.site.add(device("mon-1", addresses=frozenset({"127.0.0.1"})))
        self.site.start()

    def close(self):
        self.site.stop()
        self.fhir.close()
        for one in self.v2.values():
            one.close()

    def say(self, path):
        """Let these consents be all that stands for the patient, and known to every process."""
        whose = self.folder / "who"
        whose.write_text(f"{PATIENT}^^^MEDICARE^MR\n")
        done = self.site.cli(
            "consent", "import", "--fhir", str(path), "--identifier-file", str(whose), "--replace"
        )
        assert done["errors"] == []
        time.sleep(1.5)

    def send(self, *, more="", resources=()):
        """Send one value through each door; gives both."""
        by_v2, by_fhir = next(VALUES), next(VALUES)
        body = oru(f"L{by_v2}", mrn=PATIENT, value=str(by_v2), more=more)
        with Client(self.site.port()) as client:
            assert client.send(body.replace(b"^^^HOSP^MR", b"^^^MEDICARE^MR")) == "AA"
        subject = {"identifier": {"type": {"coding": [RECORD_NUMBER]}, "system": MEDICARE, "value": PATIENT}}
        seen = observation(value=float(by_fhir), subject=subject)
        with Http(self.site, "mon-1") as client:
            if resources:
                entries = [seen, *({**one, "subject": subject} for one in resources)]
                asked = {"resourceType": "Bundle", "type": "transaction", "entry": [
                    {"resource": one, "request": {"method": "POST", "url": one["resourceType"]}} for one in entries
                ]}  # fmt: skip
                assert client.post("/fhir", asked).status == 200
            else:
                assert client.post("/fhir/Observation", seen).status == 201
        return by_v2, by_fhir

    def settled(self):
        self.site.wait(lambda: self.site.rows("SELECT id FROM outbox") == [])

    def got(self, name):
        """Values that a requester got as HL7 v2, and as FHIR."""
        self.settled()
        v2 = {float(v) for v in self.v2[name].values()}
        with self.fhir.lock:
            asked = list(self.fhir.tried)
        fhir = {v for line, body in asked if f"/fhir/{name}" in line for v in values_of(body)}
        return v2, fhir

    def answers(self, name):
        """How each link of a requester was answered for the last two messages, with the first reason."""
        found = []
        for record in self.site.records("message.accepted")[-2:]:
            answers = {answer[0]: answer[1:] for answer in record["body"]["answers"]}
            found += [answers[id_] for id_ in (name, f"fhir-{name}") if id_ in answers]
        return found


def values_of(body):
    """Every value of a quantity in a request."""

    def walk(node):
        if isinstance(node, dict):
            if "valueQuantity" in node:
                yield float(node["valueQuantity"]["value"])
            for one in node.values():
                yield from walk(one)
        elif isinstance(node, list):
            for one in node:
                yield from walk(one)

    return set(walk(json.loads(body)))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("leap"))
    yield world
    world.close()


REASONS = {"CONSENT_DENY": "decision.consent-denies", "NO_CONSENT": "decision.no-consent"}


@needs_corpus
@pytest.mark.parametrize("case", cases() or [None], ids=lambda case: case[0] if case else "absent")
def test_a_case_of_leap_is_judged_by_what_the_requester_got(world, case):
    name, consent, decision, obligations = case
    assert obligations == "none"
    requester = REQUESTERS.get(name, "somebody")
    world.say(LEAP / f"consents/r4/consent-boris-{consent}.json")
    by_v2, by_fhir = world.send()
    v2, fhir = world.got(requester)
    permitted = decision == "CONSENT_PERMIT"
    assert (by_v2 in v2) is permitted, "HL7 v2 in, HL7 v2 out"
    assert (by_v2 in fhir) is permitted, "HL7 v2 in, FHIR out"
    assert (by_fhir in fhir) is permitted, "FHIR in, FHIR out"
    assert by_fhir not in v2, "FHIR is never mapped to HL7 v2"
    answers = world.answers(requester)
    assert len(answers) >= 3
    assert {answer[0] for answer in answers} == {"permit" if permitted else "deny"}
    if not permitted:
        assert all(REASONS[decision] in answer for answer in answers)


def resource(provision, **more):
    scope = {
        "coding": [
            {"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}
        ]
    }
    return {
        "resourceType": "Consent",
        "id": "own",
        "status": "active",
        "scope": scope,
        "provision": provision,
    } | more


def write(world, *consents):
    folder = world.folder / "own"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for number, one in enumerate(consents):
        (folder / f"{number}.json").write_text(json.dumps(one | {"id": f"own-{number}"}))
    return folder


SPO2 = {"coding": [{"system": "http://loinc.org", "code": "2708-6"}]}
SPO2_V2 = "OBX|2|NM|2708-6^Oxygen saturation^LN|1.0.0.2|{value}|%|||||R\r"


def saturation(value):
    unit = {"value": value, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}
    return observation(code=SPO2, valueQuantity=unit)


def test_a_denial_by_code_withholds_that_observation_alone(world):
    nested = {"type": "deny", "code": [SPO2]}
    world.say(write(world, resource({"type": "permit", "provision": [nested]})))
    one, two = 9001.5, 9002.5
    by_v2, by_fhir = world.send(more=SPO2_V2.format(value=one), resources=[saturation(two)])
    v2, fhir = world.got("somebody")
    assert by_v2 in v2
    assert {by_v2, by_fhir} <= fhir
    assert not {one, two} & (v2 | fhir)
    assert not any(str(one).encode() in body for body in world.v2["somebody"].kept)
    with world.fhir.lock:
        assert not any(b"2708-6" in body for _, body in world.fhir.tried)


def test_a_permit_by_code_is_of_that_observation_alone(world):
    of_identity = {
        "type": "permit",
        "class": [{"system": "http://hl7.org/fhir/resource-types", "code": c} for c in ("Patient", "Device")],
    }
    by_code = {"type": "permit", "code": [SPO2]}
    world.say(write(world, resource({"provision": [of_identity, by_code]})))
    one, two = 9003.5, 9004.5
    by_v2, by_fhir = world.send(more=SPO2_V2.format(value=one), resources=[saturation(two)])
    _, fhir = world.got("somebody")
    assert any(str(one).encode() in body for body in world.v2["somebody"].kept)
    assert {one, two} <= fhir
    assert not {by_v2, by_fhir} & fhir
    assert not any(b"|%d|" % by_v2 in body for body in world.v2["somebody"].kept)


def test_a_denial_by_label_is_of_what_says_so_itself(world):
    restricted = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}
    nested = {"type": "deny", "securityLabel": [restricted]}
    world.say(write(world, resource({"type": "permit", "provision": [nested]})))
    with Http(world.site, "mon-1") as client:
        for value, labels in ((9005.5, []), (9006.5, [restricted])):
            subject = {
                "identifier": {"type": {"coding": [RECORD_NUMBER]}, "system": MEDICARE, "value": PATIENT}
            }
            seen = observation(
                value=value, subject=subject, meta={"security": labels} if labels else {"profile": ["urn:x"]}
            )
            assert client.post("/fhir/Observation", seen).status == 201
    _, fhir = world.got("somebody")
    assert 9005.5 in fhir
    assert 9006.5 not in fhir


def test_where_only_what_is_denied_was_observed_nothing_goes_out(world):
    codes = [
        {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        {"coding": [{"system": "urn:iso:std:iso:11073:10101", "code": "147842"}]},
    ]
    world.say(write(world, resource({"type": "permit", "provision": [{"type": "deny", "code": codes}]})))
    before = len(world.v2["somebody"].kept), len(world.fhir.tried)
    world.send()
    world.settled()
    assert (len(world.v2["somebody"].kept), len(world.fhir.tried)) == before
    answers = world.answers("somebody")
    assert {tuple(answer[:2]) for answer in answers} == {("deny", "decision.nothing-left")}


def test_a_withdrawal_takes_effect_on_what_waits_to_be_delivered(tmp_path):
    """The recipient is away; the patient denies one code meanwhile; what waits with it never arrives, the rest does."""
    recipient = Recipient()
    port = recipient.port
    recipient.close()
    site = Site.make(tmp_path / "s")
    site.activate(bundle({"ehr": f"mllp://127.0.0.1:{port}"}))
    site.add(device("mon-1", addresses=frozenset({"127.0.0.1"})))
    site.start()
    whose, file = tmp_path / "who", tmp_path / "consent.json"
    whose.write_text("12345678^^^HOSP^MR\n")
    try:
        with Client(site.port()) as client:
            assert client.send(oru("W1", value="71", more=SPO2_V2.format(value="97"))) == "AA"
            assert client.send(oru("W2", value="72", mrn="87654321")) == "AA"
        provision = {"type": "deny", "code": [SPO2]}
        file.write_text(json.dumps(resource(provision)))
        site.cli("consent", "import", "--fhir", str(file), "--identifier-file", str(whose))
        time.sleep(1.5)
        back = Recipient(port)
        try:
            site.wait(lambda: back.values() == [b"72"])
            site.wait(lambda: site.rows("SELECT id FROM outbox WHERE state = 'pending'") == [])
            assert back.values() == [b"72"]
        finally:
            back.close()
        [dead] = site.records("message.dead")
        assert dead["body"]["reason"] == "decision.permit-narrowed"
        assert site.cli("ledger", "verify")["ok"]
    finally:
        site.stop()
