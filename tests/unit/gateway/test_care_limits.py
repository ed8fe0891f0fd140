"""Promises about how much one message says of care: whoever says much holds up nobody, and costs nobody a statement."""

import json
import time

import pytest
from tests.care import adt
from tests.unit.gateway import test_care
from tests.unit.gateway.test_care import BOTH, HERE, HUB, take, who
from tests.unit.gateway.test_care_moved import findings

from oathward.core.db import read
from oathward.core.ids import uuid7
from oathward.gateway.arrival import Arrival
from oathward.gateway.commit import commit_group
from oathward.gateway.path import handle
from oathward.gateway.wires import FHIR, HL7V2
from oathward.protocols.fhir.message import Request
from oathward.protocols.fhir.reader import request_bytes
from oathward.vault import care_room, care_rows
from oathward.vault.care_room import GROUP_MAX, MESSAGE_MAX, Room

gate, mrn = test_care.gate, test_care.mrn

DAY_US = 86_400_000_000


def encounter(mrn, n, status="in-progress"):
    return {
        "resourceType": "Encounter",
        "status": status,
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "identifier": [{"system": "urn:oid:1.2.3.9", "value": f"V{mrn}-{n}"}],
        "subject": {"identifier": {"system": "urn:oid:1.2.3.4", "value": mrn}},
        "location": [{"location": {"identifier": {"value": "ICU"}}, "status": "active"}],
    }


def transaction(encounters):
    entries = [
        {"fullUrl": f"urn:uuid:{uuid7()}", "resource": one, "request": {"method": "POST", "url": "Encounter"}}
        for one in encounters
    ]
    body = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    return request_bytes(Request("POST", ""), json.dumps(body).encode())


def ready(gate, raw, wire=FHIR):
    return handle(gate, Arrival(uuid7(), raw, HUB if wire is FHIR else HERE, gate.now_us(), wire))


def committed(gate, group):
    """Commit a group; gives the seconds it took."""
    began_s = time.perf_counter()
    commit_group(gate, group)
    return time.perf_counter() - began_s


def rows_of(gate, prepared):
    with read(gate.engine) as db:
        return care_rows.stays_of(db, gate.site, [prepared.message.subject])


def puts(monkeypatch):
    """Count the rows of stays that are read for a patient, and written."""
    counts = {"read": 0, "written": 0}
    stays_of, put_stay = care_rows.stays_of, care_rows.put_stay

    def counted_read(*args):
        counts["read"] += 1
        return stays_of(*args)

    def counted_put(*args):
        counts["written"] += 1
        return put_stay(*args)

    monkeypatch.setattr(care_rows, "stays_of", counted_read)
    monkeypatch.setattr(care_rows, "put_stay", counted_put)
    return counts


def test_a_thousand_encounters_in_one_message_are_read_once_and_one_finding(gate, mrn, monkeypatch):
    prepared = ready(gate, transaction(encounter(mrn, n) for n in range(1_000)))
    counts = puts(monkeypatch)
    took_s = committed(gate, [prepared])
    assert (gate.trouble, prepared.outcome.name) == ("", "STORED")
    assert counts["read"] == 1
    assert counts["written"] <= 64
    assert findings(gate, prepared) == [
        {"finding": "care.limit", "about": "message", "left": 1_000 - MESSAGE_MAX}
    ]
    assert [stay.ended_us for stay in rows_of(gate, prepared)] == [None] * 64
    assert took_s < 2.0


def test_what_ends_a_stay_is_taken_before_what_begins_one(gate, mrn):
    first = take(gate, transaction([encounter(mrn, "first")]), FHIR)
    (before,) = rows_of(gate, first)
    assert before.ended_us is None
    many = [encounter(mrn, n) for n in range(300)]
    take(gate, transaction([*many, encounter(mrn, "first", "finished")]), FHIR)
    now = {one.encounter: one.ended_us for one in rows_of(gate, first)}
    assert now[before.encounter] is not None


def test_a_group_of_such_messages_is_bounded_and_costs_others_no_statement(gate, mrn, monkeypatch):
    floods = [ready(gate, transaction(encounter(f"{mrn}{k}", n) for n in range(200))) for k in range(8)]
    beside = ready(
        gate, adt("A01", said="20260504080000", mrn=f"{mrn[:-1]}X", visit=f"V{mrn}^^^HOSP^VN"), HL7V2
    )
    counts = puts(monkeypatch)
    committed(gate, [*floods, beside])
    assert gate.trouble == ""
    assert counts["written"] <= GROUP_MAX + care_room.ALWAYS_TAKEN * 9
    assert who(gate, beside) == BOTH
    left = [findings(gate, one)[0].get("left", 0) for one in floods]
    assert sum(200 - one for one in left) <= GROUP_MAX + care_room.ALWAYS_TAKEN * 8
    assert left[-1] == 200 - care_room.ALWAYS_TAKEN
    again = ready(gate, transaction(encounter(f"{mrn}9", n) for n in range(60)))
    committed(gate, [again])
    assert len(rows_of(gate, again)) == 60, "the next transaction has its own room"


def many_moves(event, n, mrn):
    said = "20260504090000"
    lines = [
        f"MSH|^~\\&|ADT1|HOSP|OATHWARD|SITE|{said}||ADT^{event}^ADT_{event}|{uuid7()}|P|2.6",
        f"EVN||{said}",
        f"PID|1||{mrn}^^^HOSP^MR||Z^Q||19310203|F",
    ]
    for i in range(n):
        lines += [f"MRG|||||P{mrn}{i}^^^HOSP^VN", f"PV1|1|I|{'|' * 16}N{mrn}{i}^^^HOSP^VN"]
    return ("\r".join(lines) + "\r").encode()


def test_hundreds_of_moves_in_one_message_are_one_finding_and_leave_the_stay_alone(gate, mrn, monkeypatch):
    first = take(gate, adt("A01", said="20260504080000", mrn=mrn, visit=f"V{mrn}^^^HOSP^VN"))
    prepared = ready(gate, many_moves("A50", 490, mrn), HL7V2)
    counts = puts(monkeypatch)
    committed(gate, [prepared])
    assert prepared.outcome.name == "STORED"
    assert counts["read"] <= 2  # and one for the numbers it is called by
    assert counts["written"] <= MESSAGE_MAX
    assert findings(gate, prepared) == [
        {"finding": "care.limit", "about": "message", "left": 490 - MESSAGE_MAX}
    ]
    assert who(gate, first) == BOTH


@pytest.fixture
def full(gate, mrn):
    """A site at its limit, with room for three more."""
    with read(gate.engine) as db:
        here = care_room.count(db, gate.site)
    old, gate.room = gate.room, Room(64, here + 3, 30 * DAY_US)
    yield gate
    gate.room = old


def test_what_ended_for_nobody_locks_no_clinician_out(full, mrn):
    for n in range(5):
        take(full, adt("A11", said="20260504070000", mrn=f"{mrn}{n}", visit=f"C{mrn}{n}^^^HOSP^VN"))
    admitted = take(full, adt("A01", said="20260504080000", mrn=f"{mrn}9", visit=f"V{mrn}^^^HOSP^VN"))
    assert who(full, admitted) == BOTH
    assert findings(full, admitted) == []
    with read(full.engine) as db:
        query = "SELECT body FROM ledger_record WHERE kind = 'care.forgotten'"
        forgotten = [json.loads(body)["body"] for (body,) in db.exec_driver_sql(query)]
    assert forgotten == [{"ended": 1, "silent": 0}] * 3
