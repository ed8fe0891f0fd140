"""A planted identifier never appears where it may not, whichever wire it came by and left by."""

import copy
import json
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.gate import Afresh, gate_of, opener_of
from tests.property.test_planted import message as hl7_message
from tests.property.test_planted import numbers, words
from tests.site import LINK, RECIPIENT, Site, bundle
from tests.wire import found_in

from oathward.core.errors import OathwardError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.gateway.arrival import Arrival
from oathward.gateway.commit import commit_group
from oathward.gateway.listeners.fhir import work as fhir_work
from oathward.gateway.path import _shaped, handle
from oathward.gateway.wires import FHIR, HL7V2
from oathward.inventory.model import Device, Peer
from oathward.protocols.fhir.message import Request
from oathward.protocols.fhir.reader import request_bytes
from oathward.protocols.fhir.rewrite import EMPTY

HUB = Peer("127.0.0.1", b"\x07" * 32, ())
TLS = '\n[tls]\nca = "ca.pem"\ncertificate = "c.pem"\nkey = "c.key"\nserver_name = "localhost"\n'
REGISTRY = (
    LINK.format(id="registry")
    .replace('"TREAT"', '"HRESCH"')
    .replace('profile = "treatment"', 'profile = "safe-harbor"\nproject = "registry"')
    .replace("carries_identity = true\n", "")
    .replace('uncatalogued = "pass"\n', "")
    .replace('indeterminate = "care-team"\n', "")
)


@contextmanager
def made(folder):
    """A gateway in this process: a care link and a registry, both of which speak FHIR."""
    site = Site.make(folder)
    files = bundle(dict.fromkeys(("ehr", "registry"), "mllp://127.0.0.1:9"))
    for name in ("ehr", "registry"):
        text = RECIPIENT.format(id=name, address="https://localhost:9/fhir") + TLS
        files[f"recipients/{name}.toml"] = text.encode()
    files["links/registry.toml"] = REGISTRY.encode()
    site.activate(files)
    site.add(
        Device(
            id="hub",
            kind="hub",
            certificates=frozenset({HUB.cert_sha256.hex()}),
            default_authority="HOSP",
            authoritative_adt=True,
        )
    )
    with gate_of(site) as gate:
        yield site, gate


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Such a gateway, for all tests of a file."""
    with made(tmp_path_factory.mktemp("s")) as world:
        yield world


@pytest.fixture(scope="module")
def opener(world):
    """What the courier opens deliveries with."""
    site, _ = world
    return opener_of(site)


@pytest.fixture(scope="module")
def worlds(world, opener, tmp_path_factory):
    """The same for an example at a time, another after each hundred."""
    with Afresh((*world, opener), lambda: made(tmp_path_factory.mktemp("s"))) as worlds:
        yield worlds


OURS = 10**9
"""Beyond the keys that are drawn: who has one of these is nobody else."""

PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "identifier": [{"system": "urn:oid:1.2.3.4", "value": "7001234567"}],
    "name": [{"family": "Ulmen", "given": ["Ada"]}],
    "gender": "female",
    "birthDate": "1970-01-31",
}
OBSERVATION = {
    "resourceType": "Observation",
    "id": "o1",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
    "subject": {"reference": "Patient/p1"},
    "effectiveDateTime": "2026-05-04T08:15:00+00:00",
    "valueQuantity": {"value": 72, "unit": "/min", "system": "http://unitsofmeasure.org", "code": "/min"},
}
XHTML = '<div xmlns="http://www.w3.org/1999/xhtml">{}</div>'
RELATED = {"resourceType": "RelatedPerson", "id": "r", "patient": {"reference": "Patient/p1"}}
MAIDEN = "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName"


def at(resource, key, value):
    """Put a value into a resource."""
    return lambda all_of_it: all_of_it[resource].__setitem__(key, value)


PLACES = {
    "name.family": lambda w, n: at(0, "name", [{"family": w, "given": [w]}]),
    "name.text": lambda w, n: at(0, "name", [{"text": f"{w} {w}"}]),
    "identifier": lambda w, n: at(0, "identifier", [{"system": "urn:oid:1.2.3.4", "value": n}]),
    "identifier of no system": lambda w, n: at(0, "identifier", [{"value": n}]),
    "telecom": lambda w, n: at(0, "telecom", [{"system": "phone", "value": n}]),
    "address": lambda w, n: at(0, "address", [{"line": [f"1 {w} Rd"], "city": w, "text": f"1 {w} Rd"}]),
    "narrative": lambda w, n: at(0, "text", {"status": "generated", "div": XHTML.format(w)}),
    "contact": lambda w, n: at(0, "contact", [{"name": {"family": w}, "telecom": [{"value": n, "system": "phone"}]}]),
    "maiden name": lambda w, n: at(0, "extension", [{"url": MAIDEN, "valueString": w}]),
    "unknown extension": lambda w, n: at(0, "extension", [{"url": "http://x.example/y", "valueString": w}]),
    "extension of a date": lambda w, n: at(
        0, "_birthDate", {"extension": [{"url": "http://x.example/y", "valueString": w}]}
    ),
    "photo": lambda w, n: at(0, "photo", [{"contentType": "image/png", "url": f"https://x.example/{n}"}]),
    "tag": lambda w, n: at(0, "meta", {"tag": [{"system": "http://x.example/t", "code": n, "display": w}]}),
    "meta.source": lambda w, n: at(1, "meta", {"source": f"http://x.example/{n}"}),
    "note": lambda w, n: at(1, "note", [{"text": f"call {w} on {n}"}]),
    "display": lambda w, n: at(1, "subject", {"reference": "Patient/p1", "display": w}),
    "performer": lambda w, n: at(1, "performer", [{"reference": "RelatedPerson/rel", "display": w}]),
    "code.text": lambda w, n: at(
        1, "code", {"coding": [{"system": "http://loinc.org", "code": "8867-4", "display": w}], "text": w}
    ),
    "observation's identifier": lambda w, n: at(1, "identifier", [{"system": "http://x.example", "value": n}]),
    "device": lambda w, n: at(1, "device", {"identifier": {"value": n}, "display": w}),
    "contained": lambda w, n: lambda r: r[1].update(
        contained=[RELATED | {"name": [{"family": w}]}], performer=[{"reference": "#r"}]
    ),
    "component": lambda w, n: at(
        1, "component", [{"code": {"coding": [{"code": "1", "system": "http://loinc.org"}]}, "valueString": w}]
    ),
    "nothing it may be": lambda w, n: at(1, "dataAbsentReason", {"text": w}),
    "unknown element": lambda w, n: at(1, "patientName", w),
    "a gender of ours": lambda w, n: at(0, "gender", w),
}  # fmt: skip


def request(places, word, number, key):
    """A transaction with a word or a number planted at each of these places."""
    resources = copy.deepcopy([PATIENT, OBSERVATION])
    resources[1]["id"] = f"o{key}"
    for place in sorted(places):
        PLACES[place](word, number)(resources)
    entries = [
        {"resource": r, "request": {"method": "PUT", "url": f"{r['resourceType']}/{r['id']}"}}
        for r in resources
    ]
    body = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    own = json.dumps(body).replace("Patient/p1", f"Patient/p{key}").replace('"id": "p1"', f'"id": "p{key}"')
    return request_bytes(Request("POST", ""), own.encode())


def look(site, gate, opener, prepared, secrets, what):
    """Look for planted values in everything that one message left anywhere."""
    for outgoing in prepared.outgoing:
        if outgoing.sealed.link == "registry":
            data = opener.open(outgoing.sealed.data).data.reveal()
            assert not [s for s in secrets if s in data.upper()], what
    for leaf in prepared.leaves:
        assert not [s for s in secrets if s in leaf.body.upper()], what
    for body in prepared.facts.values():
        assert not [s for s in secrets if s in body.upper()], what
    commit_group(gate, [prepared])
    assert gate.trouble == "", gate.trouble
    assert not found_in(site.folder, secrets), what


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    places=st.sets(st.sampled_from(sorted(PLACES)), min_size=1, max_size=6),
    word=words,
    number=numbers,
    key=st.integers(0, 10**9 - 1),
)
def test_what_came_as_fhir_leaves_nothing_of_it(worlds, places, word, number, key):
    site, gate, opener = worlds.next()
    arrival = Arrival(uuid7(), request(places, word, number, key), HUB, gate.now_us(), FHIR)
    prepared = handle(gate, arrival)
    secrets = [word.encode(), word.upper().encode(), number.encode()]
    look(site, gate, opener, prepared, secrets, places)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    places=st.sets(st.sampled_from(["PID-5", "PID-3", "PID-9", "PID-11", "PID-13", "NK1-2", "NTE-3", "PV1-7 name", "OBR-16", "ZPI-1", "OBX-5 text", "OBX-3 text", "PID-40"]), min_size=1, max_size=6),
    word=words,
    number=numbers,
    control_id=st.integers(0, 10**9 - 1),
    code=st.sampled_from(["ORU^R01^ORU_R01", "ADT^A08^ADT_A01"]),
)  # fmt: skip
def test_what_came_as_hl7v2_and_leaves_as_fhir_neither(worlds, places, word, number, control_id, code):
    """The hub is believed about stays: the staff number of who attends (PV1-7.1) is kept, by which they are found to care."""
    site, gate, opener = worlds.next()
    raw = hl7_message(places, word, number, control_id, code)
    prepared = handle(gate, Arrival(uuid7(), raw, HUB, gate.now_us(), HL7V2))
    secrets = [word.encode(), word.upper().encode(), number.encode()]
    look(site, gate, opener, prepared, secrets, places)


def test_what_may_leave_does_leave(world, opener):
    """The reverse: the care link gets the name, and the registry the measurement."""
    _, gate = world
    prepared = handle(
        gate, Arrival(uuid7(), request({"name.family"}, "Zqcare", "1", OURS + 5), HUB, gate.now_us(), FHIR)
    )
    sent = {o.sealed.link: opener.open(o.sealed.data).data.reveal() for o in prepared.outgoing}
    assert b"Zqcare" in sent["ehr"]
    assert b"8867-4" in sent["registry"]
    assert b"Zqcare" not in sent["registry"]


def test_what_may_leave_of_hl7v2_leaves_as_fhir(world, opener):
    _, gate = world
    raw = hl7_message({"PID-5", "PID-3"}, "Zqmapped", "7009876543", 6, "ORU^R01^ORU_R01")
    prepared = handle(gate, Arrival(uuid7(), raw, HUB, gate.now_us(), HL7V2))
    sent = {o.sealed.link: json.loads(opener.open(o.sealed.data).data.reveal()) for o in prepared.outgoing}
    types = {link: {e["resource"]["resourceType"] for e in body["entry"]} for link, body in sent.items()}
    assert types["ehr"] >= {"Patient", "Observation"}
    assert "Observation" in types["registry"]
    assert "Zqmapped" in json.dumps(sent["ehr"])
    assert "Zqmapped" not in json.dumps(sent["registry"])


def test_a_bug_while_cutting_loses_nothing_and_says_nothing(world, monkeypatch):
    """The request stays one message and goes on; the gate says that something is wrong, and no value."""
    _, gate = world

    def broken(_raw):
        raise RuntimeError("Zqsecretname")

    monkeypatch.setattr(fhir_work, "pieces", broken)
    raw = request({"name.family"}, "Zqsecretname", "1", OURS + 9)
    [piece] = fhir_work.cut(gate, raw)
    assert piece.raw == raw
    assert gate.trouble == "RuntimeError"
    gate.trouble = ""
    prepared = fhir_work.begin(gate, piece, HUB)
    commit_group(gate, [prepared])
    assert {o.sealed.link for o in prepared.outgoing} == {"ehr", "registry"}


def test_what_a_profile_leaves_nothing_of_is_no_message(monkeypatch):
    """An empty envelope does not leave; and anything else does."""
    written = {"data": EMPTY}
    monkeypatch.setattr("oathward.gateway.path.shape", lambda *_: SimpleNamespace(**written))
    with pytest.raises(OathwardError) as caught:
        _shaped(None, None, None)
    assert caught.value.reason is Reason.NOTHING_LEFT
    written["data"] = b"{}"
    assert _shaped(None, None, None).data == b"{}"
