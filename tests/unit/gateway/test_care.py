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
from oathward.vault import care_orders as orders
from oathward.vault.care_room import Room

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
    lab = Device(
        id="lab", kind="hub", certificates=frozenset({(b"\x08" * 32).hex()}), default_authority="HOSP"
    )
    adt_1 = local("adt-1", "ADT1", kind="registration", authoritative_adt=True)
    site.add(adt_1, local("mon-1", "MON1"), hub, lab)
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
    before = care_hl7v2.attending_of.cache_info().currsize, care_hl7v2._unit.cache_info().currsize
    long = take(gate, adt("A54", said="20260504090000", mrn=mrn, attending=LONG[:20_000]))
    assert (care_hl7v2.attending_of.cache_info().currsize, care_hl7v2._unit.cache_info().currsize) == before
    assert long.held is None
    assert [r["body"]["attending"] for r in told(gate, long)][-1] == care_hl7v2.ATTENDING_MAX


def moving(event, *, mrn, prior, said="20260504090000", account="", was_account="", visit="", was_visit=""):
    """One message by which a visit or an account has another number, or another patient."""
    pid = f"PID|1||{mrn}^^^HOSP^MR||Zebulonova^Quixotella||19310203|F" + "|" * 10 + account
    lines = [
        f"MSH|^~\\&|ADT1|HOSP|OATHWARD|SITE|{said}||ADT^{event}^ADT_{event}|{event}{said}{mrn}|P|2.6",
        f"EVN||{said}",
        pid,
        f"MRG|{prior}^^^HOSP^MR||{was_account}||{was_visit}",
        *([f"PV1|1|I|{'|' * 16}{visit}"] if visit else []),
    ]
    return ("\r".join(lines) + "\r").encode()


def with_account(raw, number):
    """An ADT message whose PID-18 is said."""
    return raw.replace(b"|19310203|F\r", b"|19310203|F" + b"|" * 10 + number.encode() + b"\r")


V1, V2 = "V1^^^HOSP^VN", "V2^^^HOSP^VN"
A1, A2 = "A1^^^HOSP^AN", "A2^^^HOSP^AN"


@pytest.fixture
def two(gate, mrn):
    """Somebody in care, visit V1 of account A1, and somebody who is not; both subjects, and the other's number."""
    other = f"{mrn[:-1]}X"
    first = take(gate, with_account(adt("A01", said="20260504080000", mrn=mrn), A1))
    second = take(gate, adt("A28", said="20260504080100", mrn=other))
    assert (who(gate, first), who(gate, second)) == (BOTH, set())
    return first, second, other


MOVES = {
    "A44 an account, with its visit": {"event": "A44", "account": A1, "was_account": A1},
    "A44 an account, under a new number": {"event": "A44", "account": A2, "was_account": A1},
    "A45 a visit to an account of another": {
        "event": "A45", "account": A2, "was_account": A1, "visit": V1, "was_visit": V1
    },
    "A45 a visit, under a new number": {
        "event": "A45", "account": A2, "was_account": A1, "visit": V2, "was_visit": V1
    },
}  # fmt: skip


@pytest.mark.parametrize("name", MOVES)
def test_what_is_moved_to_another_patient_takes_care_along(gate, mrn, two, name):
    first, second, other = two
    moved = take(gate, moving(**MOVES[name], mrn=other, prior=mrn))
    assert (who(gate, first), who(gate, second)) == (set(), BOTH)
    kinds = [(r["kind"], r["subject"], r["body"]["event"]) for r in told(gate, moved)]
    event = MOVES[name]["event"]
    assert kinds == [
        ("care.ended", first.message.subject, event),
        ("care.began", second.message.subject, event),
    ]
    take(gate, adt("A03", said="20260504100000", mrn=other, visit=MOVES[name].get("visit", V1)))
    assert who(gate, second) == set()


BY_OID = {b"^^^HOSP^MR": b"^^^&1.2.3.4&ISO^MR", b"^^^HOSP^AN": b"^^^&1.2.3.9&ISO^AN"}
ACCOUNT = {"system": "urn:oid:1.2.3.9", "value": "A1"}
ACCOUNTS = {
    "by its number": ([{"identifier": ACCOUNT}], True),
    "the first of several, as PID-18": ([{"identifier": ACCOUNT}, {"identifier": ACCOUNT | {"value": "A2"}}], True),
    "another's, in a message that knows it": ([{"reference": "#a"}], True),
    "by a reference alone": ([{"reference": "Account/7", "display": "A1"}], False),
    "none": ([], False),
}  # fmt: skip


@pytest.mark.parametrize("name", ACCOUNTS)
def test_the_account_of_an_encounter_is_moved_as_that_of_a_visit_is(gate, mrn, name):
    account, moves = ACCOUNTS[name]
    contained = {"resourceType": "Account", "id": "a", "status": "active", "identifier": [ACCOUNT]}
    more = ({"account": account} if account else {}) | (
        {"contained": [contained]} if "#a" in str(account) else {}
    )
    by_type = {
        "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}
    }
    subject = {"identifier": {"system": "urn:oid:1.2.3.4", "value": mrn} | by_type}
    other = f"{mrn[:-1]}X"

    def adt_by_oid(raw):
        for written, oid in BY_OID.items():
            raw = raw.replace(written, oid)
        return take(gate, raw)

    second = adt_by_oid(adt("A28", said="20260504080100", mrn=other))
    meta = {"lastUpdated": "2026-05-04T08:00:00Z"}
    first = take(gate, encounter(mrn, subject=subject, meta=meta, **more), FHIR)
    asked = care.Asked.by(gate.opened.settings.people, gate.stamps)

    def cared():
        unit = person("p-6", units={"ICU"})
        with read(gate.engine) as db:
            return [
                care.relation(db, gate.site, unit, one.message.subject, gate.now_us(), asked) is not None
                for one in (first, second)
            ]

    assert cared() == [True, False]
    adt_by_oid(moving("A44", mrn=other, prior=mrn, account=A1, was_account=A1))
    assert cared() == ([False, True] if moves else [True, False])


@pytest.mark.parametrize("name", MOVES)
def test_a_move_of_another_visit_or_account_moves_nothing(gate, mrn, two, name):
    first, second, other = two
    foreign = MOVES[name] | {
        "was_account": "A9^^^HOSP^AN",
        "was_visit": MOVES[name].get("was_visit") and "V9^^^HOSP^VN",
    }
    foreign["was_visit"] = foreign["was_visit"] or ""
    take(gate, moving(**foreign, mrn=other, prior=mrn))
    assert (who(gate, first), who(gate, second)) == (BOTH, set())


def test_a_move_said_before_what_is_known_moves_nothing(gate, mrn, two):
    first, second, other = two
    take(gate, adt("A03", said="20260504110000", mrn=mrn))
    back = take(gate, adt("A13", said="20260504120000", at="20260504110000", mrn=mrn))
    take(gate, moving("A44", mrn=other, prior=mrn, account=A1, was_account=A1))
    assert (who(gate, back), who(gate, second)) == (BOTH, set())
    assert who(gate, first) == BOTH


def test_a_visit_that_was_another_patients_all_along_begins_nothing_for_this_one(gate, mrn):
    """The move came first, the admission it corrects behind it."""
    other = f"{mrn[:-1]}X"
    take(
        gate,
        adt("A01", said="20260504070000", mrn=mrn, visit="V0^^^HOSP^VN", place="X^1^A^HOSP", attending=""),
    )
    take(gate, adt("A28", said="20260504080100", mrn=other))
    take(gate, moving("A45", mrn=other, prior=mrn, account=A2, was_account=A1, visit=V1, was_visit=V1))
    late = take(gate, adt("A01", said="20260504080000", mrn=mrn))
    assert who(gate, late) == set()


CHANGES = {
    "A42 two visits are one": {"event": "A42", "visit": V2, "was_visit": V1},
    "A50 another visit number": {"event": "A50", "visit": V2, "was_visit": V1},
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_stay_goes_on_under_the_new_number_of_its_visit(gate, mrn, two, name):
    first, *_ = two
    take(gate, moving(**CHANGES[name], mrn=mrn, prior=mrn))
    assert who(gate, first) == BOTH
    take(gate, adt("A03", said="20260504100000", mrn=mrn, visit=V2))
    assert who(gate, first) == set(), "the new number's end is the stay's"


def test_of_two_visits_that_are_one_the_right_one_counts(gate, mrn, two):
    first, *_ = two
    take(gate, adt("A01", said="20260504083000", mrn=mrn, visit=V2, place="WARD^1^A^HOSP", attending=""))
    take(gate, moving("A42", mrn=mrn, prior=mrn, visit=V2, was_visit=V1))
    assert who(gate, first) == {"p-2"}


@pytest.mark.parametrize("event", ["A35", "A41", "A49"])
def test_a_stay_is_of_its_accounts_new_number(gate, mrn, two, event):
    first, second, other = two
    take(gate, moving(event, mrn=mrn, prior=mrn, account=A2, was_account=A1))
    assert who(gate, first) == BOTH
    take(gate, moving("A44", said="20260504093000", mrn=other, prior=mrn, account=A2, was_account=A2))
    assert (who(gate, first), who(gate, second)) == (set(), BOTH)


def test_a_stay_that_has_its_accounts_number_alone_is_moved_by_it(gate, mrn):
    other = f"{mrn[:-1]}X"
    first = take(gate, with_account(adt("A01", said="20260504080000", mrn=mrn, visit=""), A1))
    second = take(gate, adt("A28", said="20260504080100", mrn=other))
    take(gate, moving("A44", mrn=other, prior=mrn, account=A2, was_account=A1))
    assert (who(gate, first), who(gate, second)) == (set(), BOTH)
    take(gate, with_account(adt("A03", said="20260504100000", mrn=other, visit=""), A2))
    assert who(gate, second) == set()


def test_changed_numbers_of_a_patient_lead_to_the_stay(gate, mrn):
    new = f"{mrn[:-1]}X"
    first = take(gate, adt("A01", said="20260504080000", mrn=mrn))
    changed = take(gate, moving("A47", mrn=new, prior=mrn))
    assert who(gate, first) == who(gate, changed) == BOTH
    with read(gate.engine) as db:
        subjects = {row[0] for row in db.exec_driver_sql("SELECT subject FROM care_name").all()}
        hashes = [bytes(row[0]) for row in db.exec_driver_sql("SELECT hash FROM care_name").all()]
        named = {care_rows.named(db, gate.site, [one], gate.stamps) for one in hashes}
    assert {first.message.subject, changed.message.subject} <= subjects & named


def test_who_is_no_authority_moves_nothing(gate, mrn, two):
    first, second, other = two
    raw = moving("A44", mrn=other, prior=mrn, account=A1, was_account=A1)
    take(gate, raw.replace(b"|ADT1|HOSP|", b"|MON1|HOSP|"))
    assert (who(gate, first), who(gate, second)) == (BOTH, set())


@pytest.mark.parametrize(
    "raw",
    [
        {"event": "A45", "visit": "^^&&^^~^", "was_visit": "^^&&^^~^"},
        {"event": "A44", "was_account": "~" * 5_000},
        {"event": "A44", "was_account": '""', "account": '""'},
        {"event": "A50", "visit": V1, "was_visit": ""},
        {"event": "A42", "was_visit": V1},
    ],
)
def test_a_move_of_nothing_is_kept_and_moves_nothing(gate, mrn, two, raw):
    first, *_ = two
    prepared = take(gate, moving(**raw, mrn=mrn, prior=mrn))
    assert prepared.outcome.name == "STORED"
    assert who(gate, first) == BOTH


def test_limits_of_the_settings_count_on_the_data_path(gate, mrn, monkeypatch):
    monkeypatch.setattr(gate, "room", Room(1, 1_000_000, 30 * 86_400_000_000))
    take(gate, adt("A01", said="20260504080000", mrn=mrn))
    second = take(gate, adt("A01", said="20260504090000", mrn=mrn, visit=V2, place="WARD^1^A^HOSP"))
    assert who(gate, second) == {"p-2", "p-3"}
    with read(gate.engine) as db:
        query = f"SELECT body FROM ledger_record WHERE message = '{second.message.id}' AND kind = 'finding.raised'"
        (body,) = db.exec_driver_sql(query).one()
    assert json.loads(body)["body"] == {"finding": "care.limit", "about": "patient"}


def request(mrn, **more):
    found = {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "subject": {"identifier": {"system": "urn:oid:1.2.3.4", "value": mrn}},
        "requester": {"identifier": {"system": "urn:x:hosp", "value": "D1"}},
        "performer": [{"identifier": {"system": "urn:x:hosp", "value": number}} for number in ("D2", "D1")],
    }
    return request_bytes(Request("POST", "ServiceRequest"), json.dumps(found | more).encode())


D1, D2 = "URI:urn:x:hosp|D1", "URI:urn:x:hosp|D2"
REQUESTS = {
    "who ordered and who is to do it": ({}, {D1, D2}),
    "one that was revoked": ({"status": "revoked"}, {D1, D2}),
    "a reflex order": ({"intent": "reflex-order"}, {D1, D2}),
    "what is not to be done": ({"doNotPerform": True}, {D1}),
    "nobody asked to do it": ({"performer": [{"display": "D2"}]}, {D1}),
    "a reference alone": ({"requester": {"reference": "Practitioner/1", "display": "D1"}}, {D1, D2}),
    "a reference and nobody else": (
        {"requester": {"reference": "Practitioner/1"}, "performer": [{"display": "D2"}]},
        set(),
    ),
    "no system": ({"requester": {"identifier": {"value": "D9"}}, "performer": [{"display": "D2"}]}, set()),
    "a draft": ({"status": "draft"}, set()),
    "entered in error": ({"status": "entered-in-error"}, set()),
    "a plan": ({"intent": "plan"}, set()),
    "a proposal": ({"intent": "proposal"}, set()),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_service_request_says_who_ordered_and_who_is_to_do_it(gate, mrn, name):
    more, orderers = REQUESTS[name]
    prepared = take(gate, request(mrn, **more), FHIR)
    assert prepared.held is None
    subject = prepared.message.subject
    with read(gate.engine) as db:
        found = orders.of(db, gate.site, [subject])
    assert {one.orderer for one in found} == orderers
    assert {one.message for one in found} <= {prepared.message.id}


def test_an_order_by_who_is_no_authority_is_nobodys(gate, mrn):
    peer = Peer("127.0.0.1", b"\x08" * 32, ())
    known = take(gate, request(mrn, status="draft"), FHIR).message.subject
    prepared = handle(gate, Arrival(uuid7(), request(mrn), peer, gate.now_us(), FHIR))
    commit_group(gate, [prepared])
    assert (prepared.held, prepared.message.subject) == (None, known)
    with read(gate.engine) as db:
        assert orders.of(db, gate.site, [known]) == []
