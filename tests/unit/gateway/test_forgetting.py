"""What a gateway holds of patients in memory goes once an epoch, also where no link needs a seed."""

import time

import pytest
from tests.fhir_wire import observation
from tests.unit.gateway.test_once import HUB, gate  # noqa: F401  the fixture

from oathward.core.ids import uuid7
from oathward.gateway.arrival import Arrival
from oathward.gateway.commit import commit_group
from oathward.gateway.path import handle
from oathward.gateway.wires import FHIR
from oathward.protocols.fhir.json import dumps
from oathward.protocols.fhir.message import Request
from oathward.protocols.fhir.reader import request_bytes
from oathward.protocols.fhir.shapes import MEMORY


@pytest.fixture
def full(gate):  # noqa: F811  the fixture
    """One that has seen readings of one shape on a link for care; its epoch is over."""
    gate.refresh()
    for second in range(4):
        one = observation(effectiveDateTime=f"2026-05-04T08:15:0{second}Z")
        raw = request_bytes(Request("POST", "Observation"), dumps(one))
        commit_group(gate, [handle(gate, Arrival(uuid7(), raw, HUB, gate.now_us(), FHIR))])
    assert MEMORY.shapes
    assert gate.guard._readers
    gate._seeds_until_s = time.monotonic()
    return gate


def test_it_is_dropped_at_the_end_of_an_epoch(full):
    full.forget_in_time()
    assert MEMORY.shapes == 0
    assert not full.guard._readers


def test_it_stays_until_then(full, monkeypatch):
    monkeypatch.setattr(full, "_seeds_until_s", time.monotonic() + 60)
    full.forget_in_time()
    full.refresh()
    assert MEMORY.shapes
    assert full.guard._readers
