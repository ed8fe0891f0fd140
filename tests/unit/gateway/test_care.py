"""Promises about care on the data path: what ADT and Encounters say of stays is kept with the message, and believed of whom it may be."""

import json

import pytest
from tests.care import adt, person
from tests.gate import gate_of
from tests.site import Site, bundle, local

from oathward.core.db import read, write
from oathward.core.ids import uuid7
from oathward.gateway import care_hl7v2
from oathward.gateway.arrival import Arrival
from oathward.gateway.commit import commit_group
from oathward.gateway.path import handle
from oathward.gateway.wires import FHIR, HL7V2
from oathward.inventory.model import Device, Peer
from oathward.patients import actions as patients
from oathward.protocols.fhir.message import Request
from oathward.protocols.fhir.reader import request_bytes
from oathward.vault import care, care_rows

HERE = Peer("127.0.0.1", None, ())
HUB = Peer("127.0.0.1", b"\x07" * 32, ())
NURSE = person(units={"HOSP|ICU"})
WARD = person("p-2", units={"HOSP|WARD"})
DOCTOR = person("p-3", staff_ids={"HOSP|D1"})
BOTH = {"p-1", "p-3"}


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    site = Site.make(tmp_path_factory.mktemp("s"))
    site.activate(bundle({"ehr": "mllp://127.0.0.1:9"}))
    hub = Device(
        id="hub",
        kind="hub",
        certificates=frozenset({HUB.cert_sha256.hex()}),
        default_authority="HOSP",
        authoritative_adt=True,
    )
    site.add(local("adt-1", "ADT1", kind="registration", authoritative_adt=True), local("mon-1", "MON1"), hub)
    with gate_of(site) as found:
        yield found


@pytest.fixture
def mrn():
    return f"7{uuid7().replace('-', '')[-9:]}"


def take(gate, raw, wire=HL7V2):
    prepared = handle(gate, Arrival(uuid7(), raw, HERE if wire is HL7V2 else HUB, gate.now_us(), wire))
    commit_group(gate, [prepared])
    assert gate.trouble == "", gate.trouble
    gate.refresh()
    return prepared


def who(gate, prepared, now_us=None):
    asked = care.Asked.by(gate.opened.settings.people, gate.stamps)
    subject = prepared.message.subject
    with read(gate.engine) as db:
        return {
            p.id
            for p in (NURSE, WARD, DOCTOR)
            if care.relation(db, gate.site, p, subject, now_us or gate.now_us(), asked)
        }


def told(gate, prepared):
    with read(gate.engine) as db:
        rows = db.exec_driver_sql(
            f"SELECT body FROM ledger_record WHERE message = '{prepared.message.id}' AND kind LIKE 'care.%' ORDER BY idx"
        )
        return [json.loads(body) for (body,) in rows]


def test_admission_transfer_and_discharge_begin_and_end_care(gate, mrn):
    admitted = take(gate, adt("A01", said="20260504080000", mrn=mrn))
    assert who(gate, admitted) == BOTH
    moved = take(gate, adt("A02", said="20260504090000", mrn=mrn, place="WARD^1^A^HOSP"))
    assert who(gate, moved) == {"p-2", "p-3"}
    gone = take(gate, adt("A03", said="20260504100000", mrn=mrn, place="WARD^1^A^HOSP"))
    assert who(gate, gone) == set()
    kinds = [(r["kind"], r["body"]["unit"]) for one in (admitted, moved, gone) for r in told(gate, one)]
    assert kinds == [("care.began", True), ("care.ended", True)] * 2
    assert told(gate, gone)[0]["subject"] == gone.message.subject
    everything = json.dumps([told(gate, one) for one in (admitted, moved, gone)])
    assert [word for word in (mrn, "Okonjowa", "Zebulonova", "D1", "ICU", "WARD") if word in everything] == []


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"event": "A01", "place": "ICU^1^A"}, {"p-3"}),  # no facility: another unit
        ({"event": "A01", "place": "ICU^1^A^OTHER"}, {"p-3"}),
        ({"event": "A01", "place": ""}, {"p-3"}),
        ({"event": "A01", "place": '""'}, {"p-3"}),
        ({"event": "A01", "attending": "D1^Okonjowa"}, BOTH),  # the source's own authority
        ({"event": "A01", "attending": "D1^Okonjowa^^^^^^^OTHER"}, {"p-1"}),
        ({"event": "A01", "attending": "^Okonjowa^^^^^^^HOSP"}, {"p-1"}),
        ({"event": "A01", "attending": "D9^X^^^^^^^HOSP~D1^Okonjowa^^^^^^^HOSP"}, BOTH),
        ({"event": "A04"}, BOTH),
        ({"event": "A08"}, BOTH),
        ({"event": "A08", "patient_class": "P"}, set()),
        ({"event": "A01", "gone": "20260504100000"}, set()),
        ({"event": "A05"}, set()),
        ({"event": "A28"}, set()),
        ({"event": "A31"}, set()),
        ({"event": "A11"}, set()),
        ({"event": "A01", "visit": ""}, BOTH),
    ],
)
def test_what_one_message_of_somebody_new_says(gate, mrn, raw, expected):
    assert who(gate, take(gate, adt(**raw, said="20260504080000", mrn=mrn))) == expected


def test_a_device_that_is_no_authority_says_nothing_about_care(gate, mrn):
    raw = adt("A01", said="20260504080000", mrn=mrn).replace(b"|ADT1|HOSP|", b"|MON1|HOSP|")
    prepared = take(gate, raw)
    assert prepared.message.device == "mon-1"
    assert (who(gate, prepared), told(gate, prepared)) == (set(), [])


def test_a_merge_takes_care_along_and_its_end_too(gate, mrn):
    other = f"{mrn[:-1]}X"
    first = take(gate, adt("A01", said="20260504080000", mrn=mrn))
    second = take(gate, adt("A28", said="20260504080100", mrn=other))
    assert who(gate, second) == set()
    take(gate, adt("A40", said="20260504080200", mrn=other, mrg=mrn))
    assert who(gate, second) == who(gate, first) == BOTH
    edge = _edge(gate, first.message.subject)
    with write(gate.engine) as db:
        patients.unmerge(db, gate.site, edge, by="t", reason="test", now_us=gate.now_us())
    assert (who(gate, first), who(gate, second)) == (BOTH, set())


def _edge(gate, child):
    with read(gate.engine) as db:
        return db.exec_driver_sql(f"SELECT id FROM subject_edge WHERE child = '{child}'").scalar_one()


def test_a_clock_that_goes_ahead_outlives_no_discharge(gate, mrn):
    take(gate, adt("A01", said="20990101000000", at="20990101000000", mrn=mrn))
    gone = take(gate, adt("A03", said="20990101000001", mrn=mrn))
    assert who(gate, gone) == set()
    take(gate, adt("A01", said="20990101000002", mrn=mrn))
    gone = take(gate, adt("A03", said="20260504080000", mrn=mrn))
    assert who(gate, gone) == BOTH, "said years before the admission came: it was another one's end"


def test_a_message_that_came_twice_says_it_once(gate, mrn):
    raw = adt("A01", said="20260504080000", mrn=mrn)
    take(gate, raw)
    again = take(gate, raw)
    assert told(gate, again) == []


def test_the_numbers_of_a_patient_in_care_lead_to_the_subject(gate, mrn):
    admitted = take(gate, adt("A01", said="20260504080000", mrn=mrn))
    with read(gate.engine) as db:
        rows = db.exec_driver_sql(
            f"SELECT hash FROM care_name WHERE subject = '{admitted.message.subject}'"
        ).all()
        assert len(rows) == 1
        assert care_rows.named(db, gate.site, [bytes(rows[0][0])], gate.stamps) == admitted.message.subject


def encounter(mrn, status="in-progress", **more):
    found = {
        "resourceType": "Encounter",
        "status": status,
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "identifier": [{"system": "urn:oid:1.2.3.9", "value": f"V{mrn}"}],
        "subject": {"identifier": {"system": "urn:oid:1.2.3.4", "value": mrn}},
        "participant": [
            {
                "type": [{"coding": [{"code": "ATND"}]}],
                "individual": {"identifier": {"system": "urn:x:hosp", "value": "D1"}},
            }
        ],
        "location": [{"location": {"identifier": {"value": "ICU"}}, "status": "active"}],
    }
    return request_bytes(Request("POST", "Encounter"), json.dumps(found | more).encode())


@pytest.mark.parametrize(
    ("status", "more", "cared"),
    [
        ("in-progress", {}, True),
        ("arrived", {}, True),
        ("planned", {}, False),
        ("finished", {}, False),
        ("in-progress", {"participant": [], "location": []}, False),
        ("in-progress", {"identifier": []}, False),
    ],
)
def test_an_encounter_of_an_authoritative_source_is_a_stay(gate, mrn, status, more, cared):
    prepared = take(gate, encounter(mrn, status, **more), FHIR)
    people = [person("p-5", staff_ids={"URI:urn:x:hosp|D1"}), person("p-6", units={"ICU"})]
    asked = care.Asked.by(gate.opened.settings.people, gate.stamps)
    with read(gate.engine) as db:
        got = [
            care.relation(db, gate.site, p, prepared.message.subject, gate.now_us(), asked) is not None
            for p in people
        ]
    assert got == [cared, cared]
    if cared:
        take(gate, encounter(mrn, "finished"), FHIR)
        with read(gate.engine) as db:
            subject = prepared.message.subject
            assert not any(care.relation(db, gate.site, p, subject, gate.now_us(), asked) for p in people)


LONG = "~".join(f"D{n}^Okonjowa^^^^^^^HOSP" for n in range(20_000))
HOSTILE = {
    "many attendings": {"event": "A01", "attending": LONG},
    "one attending of many parts": {"event": "A01", "attending": "^&" * 50_000},
    "a place without an end": {"event": "A02", "place": "ICU^1^A^" + "H" * 100_000},
    "many places": {"event": "A01", "place": "~".join(["ICU^1^A^HOSP"] * 10_000)},
    "a place on two lines": {"event": "A01", "place": "IC\\X0A\\U^1^A^HOSP"},
    "no time": {"event": "A03", "said": "x", "at": '""'},
    "the year nought": {"event": "A01", "said": "00000000000000", "at": "00010101+1400"},
    "the last year": {"event": "A03", "said": "99991231235959-1400", "at": "99991231"},
    "a month that is none": {"event": "A13", "said": "20269999000000", "at": "20260230"},
    "a zone that is none": {"event": "A12", "said": "20260504080000+9999"},
    "no visit and no care yet": {"event": "A13", "visit": ""},
    "a visit of separators": {"event": "A06", "visit": "^^&&^^~^"},
    "discharged and there": {"event": "A13", "gone": "00000000"},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_an_authority_writes_is_kept_and_holds_up_nobody(gate, mrn, name):
    """No statement about care costs the message, or the group it is committed with."""
    prepared = take(gate, adt(**({"said": "20260504080000", "mrn": mrn} | HOSTILE[name])))
    assert prepared.outcome.name == "STORED"
    rows = told(gate, prepared)
    assert all(r["body"]["attending"] <= care_hl7v2.ATTENDING_MAX for r in rows)
    assert all(isinstance(r["body"]["unit"], bool) for r in rows)


def test_what_is_long_is_read_and_not_remembered(gate, mrn):
    """Else 4,096 messages with a megabyte of attendings each would be four gigabytes."""
    take(gate, adt("A01", said="20260504080000", mrn=mrn, attending="D1^X^^^^^^^HOSP"))
    before = care_hl7v2._attending.cache_info().currsize, care_hl7v2._unit.cache_info().currsize
    long = take(gate, adt("A54", said="20260504090000", mrn=mrn, attending=LONG[:20_000]))
    assert (care_hl7v2._attending.cache_info().currsize, care_hl7v2._unit.cache_info().currsize) == before
    assert long.held is None
    assert [r["body"]["attending"] for r in told(gate, long)][-1] == care_hl7v2.ATTENDING_MAX
