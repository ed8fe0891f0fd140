"""What comes of what the guard saw: a link for care sends and somebody is told, another one holds; each has its own word."""

import json

from tests.property.test_planted_fhir import HUB, OBSERVATION, PATIENT, world  # noqa: F401  fixtures

from oathward.core.ids import uuid7
from oathward.gateway.arrival import Arrival
from oathward.gateway.guard.verdict import CLEAN, Stop
from oathward.gateway.path import handle
from oathward.gateway.wires import FHIR
from oathward.protocols.fhir.message import Request
from oathward.protocols.fhir.reader import request_bytes

KINDS = ("guard.noticed", "guard.stopped")


def handled(gate, at):
    body = {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [
            {
                "resource": PATIENT | {"id": "p88"},
                "request": {"method": "PUT", "url": "Patient/p88"},
                "fullUrl": "urn:uuid:0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a88",
            },
            {
                "resource": {k: v for k, v in OBSERVATION.items() if k != "id"}
                | {"subject": {"reference": "Patient/p88"}, "effectiveDateTime": at},
                "request": {"method": "POST", "url": "Observation"},
            },
        ],
    }
    raw = request_bytes(Request("POST", ""), json.dumps(body).encode())
    before = {kind: gate.counts[kind] for kind in KINDS}
    prepared = handle(gate, Arrival(uuid7(), raw, HUB, gate.now_us(), FHIR))
    records = [json.loads(leaf.body) for leaf in prepared.leaves]
    return prepared, records, {kind: gate.counts[kind] - before[kind] for kind in KINDS}


def test_what_is_only_seen_is_not_called_stopped(world, monkeypatch):  # noqa: F811  a fixture
    _, gate = world
    monkeypatch.setattr(gate, "check", lambda *_: Stop("name", "Patient.name in note[0]"))
    prepared, records, counted = handled(gate, "2026-05-04T08:00:00Z")
    care = {link.id for link in gate.active_bundle.links.values() if link.for_care}
    sent = {one.sealed.link for one in prepared.outgoing}
    told = {kind: [r for r in records if r["kind"] == kind] for kind in KINDS}
    assert sent
    assert sent <= care
    for kind, links in (("guard.noticed", sent), ("guard.stopped", {"registry"})):
        assert {link for r in told[kind] for link in r["links"]} == links
        assert counted[kind] == len(told[kind]) > 0
        assert all(r["body"] == {"kind": "name", "where": "Patient.name in note[0]"} for r in told[kind])
        found = [r for r in records if r["kind"] == "finding.raised" and r["body"]["finding"] == kind]
        assert {link for r in found for link in r["links"]} == links
    assert prepared.held is not None
    assert prepared.held.links == "registry"


def test_reverse_nothing_is_told_where_nothing_was_seen(world, monkeypatch):  # noqa: F811  a fixture
    _, gate = world
    monkeypatch.setattr(gate, "check", lambda *_: CLEAN)
    prepared, records, counted = handled(gate, "2026-05-04T08:00:01Z")
    assert {"registry"} < {one.sealed.link for one in prepared.outgoing}
    assert not {r["kind"] for r in records} & set(KINDS)
    assert counted == dict.fromkeys(KINDS, 0)
