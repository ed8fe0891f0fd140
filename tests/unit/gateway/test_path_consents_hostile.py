"""Bad Consents at the FHIR door: each is refused with its reason, or narrows; none permits, and none hides a denial."""

import json

import pytest
from tests.property.test_planted_fhir import HUB, opener, world  # noqa: F401  fixtures
from tests.unit.gateway.test_path_consents import RESEARCH, THO, consent, number, whose  # noqa: F401  fixtures

from oathward.consent import views
from oathward.core.db import read
from oathward.core.ids import uuid7
from oathward.gateway.arrival import Arrival
from oathward.gateway.commit import commit_group
from oathward.gateway.path import handle
from oathward.gateway.wires import FHIR
from oathward.messages import sql as messages
from oathward.protocols.fhir.message import Request
from oathward.protocols.fhir.reader import request_bytes


def take(gate, body):
    raw = request_bytes(Request("POST", "Consent"), json.dumps(body).encode())
    prepared = handle(gate, Arrival(uuid7(), raw, HUB, gate.now_us(), FHIR))
    commit_group(gate, [prepared])
    assert gate.trouble == "", gate.trouble
    gate.refresh()
    return prepared


def came(gate, prepared):
    """What waits of it for a person, and why it is held, if it is."""
    with read(gate.engine) as db:
        held = messages.held(db, prepared.message.id)
        waits = [one for one in views.arrivals(db, gate.site)[1] if one.message == prepared.message.id]
    return (waits[0].found if waits else None), (held.reason if held else "")


def deep(levels):
    rule = {"type": "deny"}
    for _ in range(levels):
        rule = {"type": "permit", "provision": [rule]}
    return rule


def r5(number):  # noqa: F811  not the fixture
    privacy = {"coding": [{"system": THO + "consentscope", "code": "patient-privacy"}]}
    return {
        "resourceType": "Consent", "status": "active", "category": [privacy], "subject": whose(number),
        "decision": "deny", "provision": [{"purpose": RESEARCH}],
    }  # fmt: skip


REFUSED = [
    ("message.element-missing", lambda one: {k: v for k, v in one.items() if k != "status"}),
    ("message.code-not-allowed", lambda one: one | {"status": "sealed"}),
    ("message.element-type", lambda one: one | {"provision": [{"type": "permit"}]}),
    ("message.element-unknown", lambda one: one | {"sealedBy": "x"}),
    ("message.edition-other", lambda one: one | {"decision": "permit"}),
    ("message.edition-other", lambda one: r5(one["identifier"][0]["value"])),
    ("message.limit-exceeded", lambda one: one | {"provision": deep(200)}),
]


@pytest.mark.parametrize(("reason", "change"), REFUSED)
def test_what_is_malformed_or_of_r5_is_refused_with_its_reason_and_is_in_force_nowhere(
    world,  # noqa: F811  a fixture
    number,  # noqa: F811  a fixture
    reason,
    change,
):
    """Whoever sent it hears it: a refusal is no denial that went missing."""
    _, gate = world
    prepared = take(gate, change(consent(number, "permit")))
    found, held = came(gate, prepared)
    assert (found, held) == (None, reason)
    assert prepared.answer == "422" or reason == "message.limit-exceeded"


NARROWED = [
    ("contradictory", lambda one: one | {"provision": {"type": "permit", "purpose": RESEARCH}}),
    ("dated in the future", lambda one: one | {"dateTime": "2999-01-01"}),
    ("nested too deep", lambda one: one | {"provision": deep(12)}),
    ("not verified", lambda one: one | {"verification": [{"verified": False}]}),
    ("given by an organisation", lambda one: one | {"performer": [{"reference": "Organization/1"}]}),
    ("signed by nobody", lambda one: one),
]


@pytest.mark.parametrize(("name", "change"), NARROWED, ids=[name for name, _ in NARROWED])
def test_what_is_doubtful_waits_and_its_denials_hold_at_once(world, number, name, change):  # noqa: F811  fixtures
    _, gate = world
    found, held = came(gate, take(gate, change(consent(number, "deny"))))
    assert held == ""
    assert found is not None
    assert found.denials, "what it denies pends"


def test_one_about_another_patient_holds_back_nothing_of_this_one(world, number):  # noqa: F811  fixtures
    _, gate = world
    other = f"9{number[1:]}"
    mine = take(gate, consent(number, "permit")).message.subject
    theirs = take(gate, consent(other, "deny")).message.subject
    assert mine != theirs
    with read(gate.engine) as db:
        assert not any(one.denials for one in views.arrivals_of(db, gate.site, [mine]))
        assert any(one.denials for one in views.arrivals_of(db, gate.site, [theirs]))
