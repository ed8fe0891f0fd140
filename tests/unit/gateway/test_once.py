"""Conditions of entries where two messages are prepared before either is stored: one of them creates."""

import pytest
from tests.fhir_wire import bundle_of, observation
from tests.site import Site, bundle

from oathward.app import build
from oathward.core.db import write
from oathward.core.errors import StorageError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.gateway import once
from oathward.gateway.arrival import Arrival, Outcome
from oathward.gateway.commit import commit_group
from oathward.gateway.gate import Gate
from oathward.gateway.path import handle
from oathward.gateway.wires import FHIR
from oathward.inventory.model import Device, Peer
from oathward.messages import sql as messages
from oathward.messages.model import Delivery
from oathward.protocols.fhir.json import dumps
from oathward.protocols.fhir.message import Request
from oathward.protocols.fhir.reader import request_bytes

HUB = Peer("127.0.0.1", b"\x07" * 32, ())


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("once")
    site = Site.make(folder / "s")
    site.activate(bundle({"ehr": f"file:{folder / 'ehr'}"}))
    certificates = frozenset({HUB.cert_sha256.hex()})
    site.add(Device(id="hub", kind="hub", certificates=certificates, default_authority="HOSP"))
    gate = Gate(build(site.settings, "gateway"))
    yield gate
    gate.close()
    gate.opened.keeper.close()


def prepare(gate, identifier, value, *, kind="transaction", at_us=None):
    one = observation(value=value, identifier=[{"system": "urn:x", "value": identifier}])
    body = bundle_of(kind, ("POST", "Observation", one))
    body["entry"][0]["request"]["ifNoneExist"] = f"identifier=urn:x|{identifier}"
    raw = request_bytes(Request("POST", ""), dumps(body))
    return handle(gate, Arrival(uuid7(), raw, HUB, at_us or gate.now_us(), FHIR))


@pytest.mark.parametrize("together", [True, False])
def test_of_two_that_were_prepared_at_once_the_second_is_prepared_anew(gate, together):
    first, second = (prepare(gate, f"a-{together}", value) for value in (1.0, 2.0))
    assert [one.once[0].firsts for one in (first, second)] == [(), ()]
    for group in [[first, second]] if together else [[first], [second]]:
        commit_group(gate, group)
    assert (first.outcome, second.outcome) == (Outcome.STORED, Outcome.AGAIN)
    renewed = handle(gate, second.arrival)
    commit_group(gate, [renewed])
    assert renewed.outcome is Outcome.STORED
    assert once.told(renewed) == ((0, f"{first.arrival.id}-0"),)
    assert renewed.outgoing == [], "the recipient has it"
    assert len(first.outgoing) == 1


def test_without_the_second_look_both_would_create(gate, monkeypatch):
    """The reverse: what was looked up when they were prepared is no longer so when they are stored."""
    monkeypatch.setattr(once.Earlier, "refuses", lambda *_: None)
    both = [prepare(gate, "b", value) for value in (1.0, 2.0)]
    for one in both:
        commit_group(gate, [one])
    assert [one.outcome for one in both] == [Outcome.STORED] * 2
    assert [once.told(one) for one in both] == [(), ()]
    assert [len(one.outgoing) for one in both] == [1, 1]


def test_in_one_group_the_database_would_stop_them_too(gate, monkeypatch):
    monkeypatch.setattr(once.Earlier, "refuses", lambda *_: None)
    with pytest.raises(StorageError, match="IntegrityError"):
        commit_group(gate, [prepare(gate, "f", value) for value in (1.0, 2.0)])


def test_a_recipient_that_was_not_noted_gets_it_again(gate, monkeypatch):
    """The reverse of leaving out what a recipient has."""
    first = prepare(gate, "c", 1.0)
    monkeypatch.setattr(once, "_links", lambda *_: [])
    commit_group(gate, [first])
    assert len(prepare(gate, "c", 2.0).outgoing) == 1


def test_a_recipient_whose_delivery_is_dead_gets_the_next_one(gate):
    first = prepare(gate, "dead", 1.0)
    commit_group(gate, [first])
    assert prepare(gate, "dead", 2.0).outgoing == []
    with write(gate.engine) as db:
        [row] = messages.outbox_rows_of(db, first.arrival.id)
        messages.set_delivery(db, row.seq, state=Delivery.DEAD, attempts=9, next_us=0, reason="")
    second = prepare(gate, "dead", 2.0)
    assert [one.row.link for one in second.outgoing] == ["ehr"]
    with write(gate.engine) as db:  # given up: the row is gone, and the recipient has nothing all the same
        messages.delete_delivery(db, row)
    second = prepare(gate, "dead", 2.0)
    assert [one.row.link for one in second.outgoing] == ["ehr"]
    commit_group(gate, [second])
    assert once.told(second) == ((0, f"{first.arrival.id}-0"),), "it is the first one all the same"


def test_after_the_days_that_duplicates_are_known_it_is_created_anew(gate):
    now_us = gate.now_us()
    old = prepare(gate, "d", 1.0, at_us=now_us - gate.duplicate_window_us - 1)
    commit_group(gate, [old])
    fresh = prepare(gate, "d", 2.0, at_us=now_us)
    commit_group(gate, [fresh])
    assert [old.outcome, fresh.outcome] == [Outcome.STORED] * 2
    assert once.told(fresh) == ()
    later = prepare(gate, "d", 3.0, at_us=now_us + 1)
    assert once.told(later) == ((0, f"{fresh.arrival.id}-0"),)


@pytest.mark.parametrize(("kind", "outcome"), [("batch", Outcome.STORED), ("transaction", Outcome.MISMATCH)])
def test_several_refuse_an_entry_of_a_batch_and_a_whole_transaction(gate, kind, outcome):
    for value in (1.0, 2.0):
        one = observation(value=value, identifier=[{"system": "urn:x", "value": f"e-{kind}"}])
        raw = request_bytes(Request("POST", "Observation"), dumps(one))
        commit_group(gate, [handle(gate, Arrival(uuid7(), raw, HUB, gate.now_us(), FHIR))])
    prepared = prepare(gate, f"e-{kind}", 3.0, kind=kind)
    commit_group(gate, [prepared])
    assert prepared.outcome is outcome
    assert prepared.outgoing == []
    if outcome is Outcome.MISMATCH:
        assert prepared.mismatch == (Reason.CONDITION_SEVERAL, "Bundle.entry[0].request.ifNoneExist")
    else:
        assert once.told(prepared) == ((0, ""),)
