"""The answer that is kept with a message, and that the console shows, is the one its sender got."""

import json

import pytest
from tests.property.test_planted_fhir import HUB, OBSERVATION, world  # noqa: F401  a fixture

from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.gateway.arrival import Arrival
from oathward.gateway.commit import commit_group
from oathward.gateway.path import handle
from oathward.gateway.wires import FHIR
from oathward.protocols.fhir.message import Request
from oathward.protocols.fhir.reader import request_bytes

NAMED = {k: v for k, v in OBSERVATION.items() if k != "id"}
BODIES = {
    "good": (json.dumps(NAMED | {"effectiveDateTime": "2026-05-04T07:31:00Z"}), "", "201"),
    "no code of its value set": (json.dumps(NAMED | {"status": "finall"}), Reason.CODE_NOT_ALLOWED, "422"),
    "no JSON": ('{"resourceType": ', Reason.JSON_INVALID, "400"),
    "another type than its address": (
        json.dumps({"resourceType": "Basic", "code": {"text": "x"}}),
        Reason.REQUEST_INVALID,
        "400",
    ),
}


@pytest.mark.parametrize("name", BODIES)
def test_the_status_that_is_kept_is_the_one_that_is_answered(world, name):  # noqa: F811  a fixture
    _, gate = world
    body, why, status = BODIES[name]
    raw = request_bytes(Request("POST", "Observation"), body.encode())
    prepared = handle(gate, Arrival(uuid7(), raw, HUB, gate.now_us(), FHIR))
    commit_group(gate, [prepared])
    row = prepared.message
    assert (row.answer, prepared.answer) == (status, status)
    if why:
        assert row.reason == why.code
        assert str(why.answer.http) == status, "what ``answers.refused`` answers"
