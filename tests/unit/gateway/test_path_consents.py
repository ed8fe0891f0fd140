"""Consents that come through the door as messages: passed on like any, never in force, and what they may take away is held."""

import io
import json
import sys
from types import SimpleNamespace

import pytest
from tests.property.test_planted_fhir import HUB, OBSERVATION, opener, world  # noqa: F401  fixtures
from tests.unit.gateway.test_path_whom import sent

from oathward.cli.consent_arrived import RELEASE
from oathward.cli.main import run
from oathward.core.db import read
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.gateway import consents, replay
from oathward.gateway.arrival import Arrival
from oathward.gateway.commit import commit_group
from oathward.gateway.path import handle
from oathward.gateway.wires import FHIR
from oathward.messages import sql as messages
from oathward.protocols.fhir.message import Request
from oathward.protocols.fhir.reader import request_bytes

THO = "http://terminology.hl7.org/CodeSystem/"
RESEARCH = [{"system": THO + "v3-ActReason", "code": "HRESCH"}]
SYSTEM = "urn:oid:1.2.3.4"


@pytest.fixture
def number():
    """Of a patient of the test's own."""
    return f"8{uuid7().replace('-', '')[-9:]}"


def whose(number):
    return {"identifier": {"system": SYSTEM, "value": number}}


def consent(number, type_="deny", **more):
    scope = {"coding": [{"system": THO + "consentscope", "code": "patient-privacy"}]}
    category = [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}]
    rule = {"coding": [{"system": THO + "v3-ActCode", "code": "OPTIN" if type_ == "permit" else "OPTOUT"}]}
    found = {"resourceType": "Consent", "status": "active", "scope": scope, "category": category}
    found |= {"policyRule": rule, "provision": {"type": type_, "purpose": RESEARCH}}
    return found | {"patient": whose(number), "identifier": [{"system": "urn:x", "value": number}]} | more


def take(gate, body, target=None):
    target = body["resourceType"] if target is None else target
    raw = request_bytes(Request("POST", target), json.dumps(body).encode())
    prepared = handle(gate, Arrival(uuid7(), raw, HUB, gate.now_us(), FHIR))
    commit_group(gate, [prepared])
    assert gate.trouble == "", gate.trouble
    gate.refresh()
    return prepared


def measure(gate, number, value):
    seen = {k: v for k, v in OBSERVATION.items() if k != "id"} | {"subject": whose(number)}
    return take(gate, seen | {"valueQuantity": OBSERVATION["valueQuantity"] | {"value": value}})


def held(gate, prepared):
    with read(gate.engine) as db:
        row = messages.held(db, prepared.message.id)
    return row and (row.reason, row.links)


@pytest.fixture
def command(world, capsys, monkeypatch):  # noqa: F811  a fixture
    site, gate = world

    def go(*arguments, stdin=b"", as_json=True):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(stdin)))
        code = run(["consent", *arguments, "--data", str(site.folder), *(["--json"] if as_json else [])])
        out, err = capsys.readouterr()
        gate.refresh()
        return SimpleNamespace(
            code=code, value=json.loads(out) if as_json and out else None, out=out, error=err
        )

    return go


def test_a_denial_that_comes_holds_at_once_what_it_would_take_away(world, opener, command, number):  # noqa: F811  a fixture
    _, gate = world
    assert set(sent(opener, measure(gate, number, 61))) == {"ehr", "registry"}, (
        "research without consent needed"
    )
    came = take(gate, consent(number))
    assert "ehr" in sent(opener, came), "it travels like any message"
    waits = measure(gate, number, 62)
    assert set(sent(opener, waits)) == {"ehr"}, "care is not of that denial"
    assert held(gate, waits) == (Reason.CONSENT_WAITING.code, "registry")
    [row] = [r for r in command("arrived").value["arrived"] if r["message"] == came.message.id]
    assert (row["denials"], row["consents"], row["device"]) == (1, 1, "hub")
    assert "oathward consent arrived" in command("list", as_json=False).out
    # Anybody else is not concerned.
    assert set(sent(opener, measure(gate, f"{number}1", 63))) == {"ehr", "registry"}

    done = command("import", "--message", row["message"][-12:])
    assert done.code == 0, done.error
    assert (done.value["consents"], done.value["recorded"]) == (1, 1)
    denied = measure(gate, number, 64)
    assert set(sent(opener, denied)) == {"ehr"}
    assert held(gate, denied) is None, "now it is denied, not held"
    assert RELEASE.endswith(
        "oathward quarantine release --all-with-reason decision.consent-waiting --why TEXT"
    )
    listed = command("list", "--subject", row["subject"]).value["consents"]
    assert [s["permit"] for s in listed[0]["statements"]] == [False]
    assert list(listed[0]["originals"]), "its original is kept"
    assert row["message"] not in {r["message"] for r in command("arrived").value["arrived"]}


def test_a_permit_that_comes_permits_nothing_and_holds_nothing(world, opener, command, number):  # noqa: F811  a fixture
    _, gate = world
    came = take(gate, consent(number, "permit"))
    assert set(sent(opener, measure(gate, number, 65))) == {"ehr", "registry"}
    rows = command("arrived").value
    [row] = [r for r in rows["arrived"] if r["message"] == came.message.id]
    assert row["denials"] == 0
    subject = row["subject"]
    assert command("list", "--subject", subject).value["consents"] == []


def test_a_withdrawal_holds_and_a_dismissal_lets_go(world, opener, command, number, tmp_path):  # noqa: F811  a fixture
    _, gate = world
    file = tmp_path / "c.json"
    permit = consent(number, "permit")
    file.write_text(json.dumps(permit))
    assert command("import", "--fhir", str(file)).code == 0
    came = take(gate, permit | {"status": "inactive"})
    # Research needs no consent here: a permit that goes takes nothing away, so it is the denial that counts.
    assert set(sent(opener, measure(gate, number, 66))) <= {"ehr", "registry"}
    more = take(gate, consent(number, identifier=[{"system": "urn:x", "value": f"{number}b"}]))
    waits = measure(gate, number, 67)
    assert held(gate, waits) == (Reason.CONSENT_WAITING.code, "registry")
    done = command("dismiss", more.message.id, came.message.id, "--why", "sent twice")
    assert done.value == {"dismissed": [came.message.id, more.message.id]}
    assert set(sent(opener, measure(gate, number, 68))) == {"ehr", "registry"}
    assert command("dismiss", more.message.id, "--why", "again").code != 0
    assert command("import", "--message", more.message.id).code != 0


def test_a_release_is_no_new_arrival(world, opener, command, number):  # noqa: F811  a fixture
    """What was held for a link goes on; the Consent in it still waits for its own answer, once."""
    _, gate = world
    take(gate, consent(number))
    body = {
        "resourceType": "Bundle", "type": "transaction",
        "entry": [
            {"resource": r, "request": {"method": "POST", "url": r["resourceType"]}}
            for r in (
                consent(number, identifier=[{"system": "urn:x", "value": f"{number}c"}]),
                {k: v for k, v in OBSERVATION.items() if k != "id"} | {"subject": whose(number)},
            )
        ],
    }  # fmt: skip
    both = take(gate, body, target="")
    assert held(gate, both)[0] == Reason.CONSENT_WAITING.code
    waiting = [r["message"] for r in command("arrived").value["arrived"]]
    assert waiting.count(both.message.id) == 1
    assert command("import", "--arrived").code == 0
    with read(gate.engine) as db:
        row = messages.held(db, both.message.id)
    [done] = replay.release(gate, [(row, both_raw(body))], by="ann", reason="looked at")
    assert done.released, done.reason
    assert command("arrived").value["waiting"] == 0


def both_raw(body):
    from oathward.core.phi import Phi

    return Phi(request_bytes(Request("POST", ""), json.dumps(body).encode()))


def test_what_has_mistakes_goes_on_waiting(world, command, number):  # noqa: F811  a fixture
    _, gate = world
    same = [{"system": "urn:x", "value": f"{number}d"}]
    entries = [
        {"resource": consent(number, type_, identifier=same), "request": {"method": "POST", "url": "Consent"}}
        for type_ in ("deny", "permit")
    ]
    came = take(gate, {"resourceType": "Bundle", "type": "transaction", "entry": entries}, target="")
    refused = command("import", "--message", came.message.id)
    assert refused.code == 65
    assert [e["where"] for e in refused.value["errors"]] == ["Consent.identifier"]
    assert came.message.id in {r["message"] for r in command("arrived").value["arrived"]}
    assert command("import", "--message", came.message.id, "--dry-run").code == 65
    assert command("dismiss", came.message.id, "--why", "says both").code == 0


@pytest.mark.parametrize("arguments", [(), ("x.json", "--arrived"), ("--message", "nosuchmessage")])
def test_it_wants_to_know_what(command, arguments):
    assert command("import", *arguments).code in {65, 66}


def test_reverse_a_gateway_that_does_not_note_it(world, opener, command, number, monkeypatch):  # noqa: F811  a fixture
    monkeypatch.setattr(consents, "note", lambda *_: None)
    with pytest.raises(AssertionError):
        test_a_denial_that_comes_holds_at_once_what_it_would_take_away(world, opener, command, number)
