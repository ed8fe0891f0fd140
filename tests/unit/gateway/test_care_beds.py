"""Promises about beds: a device that names a patient in another one's bed is suspected, and nothing else is."""

import json

import pytest
from tests.care import adt
from tests.gate import gate_of
from tests.site import Site, bundle, local
from tests.wire import oru

from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.ids import uuid7
from oathward.disclosures import actions, sql, views
from oathward.disclosures.model import Told
from oathward.gateway import care_beds
from oathward.gateway.arrival import Arrival
from oathward.gateway.commit import commit_group
from oathward.gateway.path import handle
from oathward.gateway.wires import HL7V2
from oathward.inventory.model import Peer
from oathward.patients import actions as patients
from oathward.vault import beds

HERE = Peer("127.0.0.1", None, ())
MINUTE = 60_000_000
LATER = care_beds.GRACE_US + MINUTE


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    site = Site.make(tmp_path_factory.mktemp("s"))
    site.activate(bundle({"ehr": "mllp://127.0.0.1:9"}))
    site.add(local("adt-1", "ADT1", kind="registration", authoritative_adt=True), local("mon-1", "MON1"))
    with gate_of(site) as found:
        yield found


@pytest.fixture(autouse=True)
def empty(gate):
    gate.beds.__init__(100)
    with write(gate.engine) as db:
        actions.take_in(db, gate.site, gate.now_us())
    with write(gate.engine) as db:
        db.execute(beds.care_bed.delete())
        db.execute(sql.disclosure.delete())


@pytest.fixture
def two():
    return [f"{n}{uuid7().replace('-', '')[-9:]}" for n in (7, 8)]


def take(gate, raw, at_us=0):
    prepared = handle(gate, Arrival(uuid7(), raw, HERE, at_us or gate.now_us(), HL7V2))
    commit_group(gate, [prepared])
    assert gate.trouble == "", gate.trouble
    gate.refresh()
    return prepared


def stamp(at_us):
    from oathward.core.clock import from_micros

    return f"{from_micros(at_us):%Y%m%d%H%M%S}"


def tells(gate, event, mrn, at_us, place="ICU^101^A^HOSP", **more):
    more = {"visit": f"V{mrn}^^^HOSP^VN"} | more
    return take(gate, adt(event, said=stamp(at_us), mrn=mrn, place=place, **more), at_us)


def measures(gate, mrn, at_us, place="ICU^101^A^HOSP"):
    """Let the monitor tell of a patient in a bed; gives what was found."""
    raw = oru(uuid7(), mrn=mrn).decode()
    lines = [line for line in raw.split("\r") if line and not line.startswith("PV1")]
    at = next(n for n, line in enumerate(lines) if line.startswith("PID")) + 1
    lines.insert(at, f"PV1||I|{place}")
    prepared = take(gate, "\r".join([*lines, ""]).encode(), at_us)
    assert prepared.held is None
    assert prepared.outgoing, "care gets it in any case"
    with read(gate.engine) as db:
        rows = db.exec_driver_sql(
            "SELECT subject, body FROM ledger_record WHERE kind = 'finding.raised' AND message = ?",
            (prepared.arrival.id,),
        ).fetchall()
    bodies = [(subject, json.loads(body)["body"]) for subject, body in rows]
    return [(s, body) for s, body in bodies if body["finding"] == care_beds.FINDING]


def subject_of(gate, mrn, now_us):
    return tells(gate, "A08", mrn, now_us, place="").message.subject


def test_a_patient_in_anothers_bed_is_suspected_and_the_message_goes_its_way(gate, two):
    one, other = two
    now_us = gate.now_us()
    begun_us = now_us - 2 * LATER
    lies = tells(gate, "A01", one, begun_us).message.subject
    other_subject = subject_of(gate, other, begun_us)
    assert measures(gate, one, now_us) == []
    [(subject, body)] = measures(gate, other, now_us)
    assert subject == other_subject
    assert (body["device"], body["other"]) == ("mon-1", lies)
    assert measures(gate, other, now_us + 2 * MINUTE) == [], "told once"
    assert len(measures(gate, other, now_us + care_beds.TELL_US)) == 1


FINE = {
    "nobody in that bed": [],
    "no bed in what ADT says": [("A01", 0, -3 * LATER, "ICU^101^^HOSP")],
    "another room": [("A01", 0, -3 * LATER, "ICU^102^A^HOSP")],
    "another house": [("A01", 0, -3 * LATER, "ICU^101^A^ELSE")],
    "who lies there came a moment ago": [("A01", 0, -MINUTE, "ICU^101^A^HOSP")],
    "who lay there left a moment ago": [
        ("A01", 1, -3 * LATER, "ICU^101^A^HOSP"),
        ("A01", 0, -2 * LATER, "ICU^101^A^HOSP"),
        ("A02", 1, -MINUTE, "ICU^103^A^HOSP"),
    ],
    "both lie there": [
        ("A01", 0, -3 * LATER, "ICU^101^A^HOSP"),
        ("A01", 1, -3 * LATER, "ICU^101^A^HOSP"),
    ],
    "one of two came a moment ago": [
        ("A01", 0, -3 * LATER, "ICU^101^A^HOSP"),
        ("A17", 0, -MINUTE, "ICU^101^B^HOSP"),
    ],
    "the other was discharged": [
        ("A01", 0, -3 * LATER, "ICU^101^A^HOSP"),
        ("A03", 0, -2 * LATER, "ICU^101^A^HOSP"),
    ],
    "the other was moved where no bed is named": [
        ("A01", 0, -3 * LATER, "ICU^101^A^HOSP"),
        ("A02", 0, -2 * LATER, "WARD^^^HOSP"),
    ],
}


@pytest.mark.parametrize("name", FINE)
def test_nothing_is_suspected_where(gate, two, name):
    now_us = gate.now_us()
    subject_of(gate, two[1], now_us - 4 * LATER)
    for event, who, ago_us, place in FINE[name]:
        tells(gate, "A02" if event == "A17" else event, two[who], now_us + ago_us, place=place)
    assert measures(gate, two[1], now_us) == []


def test_who_left_long_ago_is_suspected_again_and_a_move_told_late_moves_nobody(gate, two):
    one, other = two
    now_us = gate.now_us()
    tells(gate, "A01", other, now_us - 4 * LATER)
    tells(gate, "A02", other, now_us - 3 * LATER, place="ICU^103^A^HOSP")
    tells(gate, "A01", one, now_us - 2 * LATER)
    take(gate, adt("A02", said=stamp(now_us - 3 * LATER), mrn=one, place="ICU^109^A^HOSP"), now_us - LATER)
    assert len(measures(gate, other, now_us)) == 1


def test_a_newborn_lies_where_the_mother_does(gate, two):
    mother, baby = two
    now_us = gate.now_us()
    tells(gate, "A01", mother, now_us - 3 * LATER)
    born = adt("A01", said=stamp(now_us - 3 * LATER), mrn=baby, place="", visit=f"V{baby}^^^HOSP^VN").decode()
    pid = next(line for line in born.split("\r") if line.startswith("PID"))
    fields = pid.split("|")
    fields += [""] * (22 - len(fields))
    fields[21] = f"{mother}^^^HOSP^MR"
    take(gate, born.replace(pid, "|".join(fields)).encode(), now_us - 3 * LATER)
    assert measures(gate, baby, now_us) == []


def test_swapped_beds_are_two_moves(gate, two):
    now_us = gate.now_us()
    a, b = "ICU^101^A^HOSP", "ICU^101^B^HOSP"
    for mrn, place in zip(two, (a, b), strict=True):
        tells(gate, "A01", mrn, now_us - 4 * LATER, place=place)
    parts = [
        adt("A17", said=stamp(now_us - 2 * LATER), mrn=mrn, place=place, visit=f"V{mrn}^^^HOSP^VN").decode()
        for mrn, place in zip(two, (b, a), strict=True)
    ]
    second = [line for line in parts[1].split("\r") if line.startswith(("PID", "PV1"))]
    take(gate, "\r".join([*[x for x in parts[0].split("\r") if x], *second, ""]).encode(), now_us - 2 * LATER)
    assert measures(gate, two[0], now_us, b) == []
    assert measures(gate, two[1], now_us, a) == []
    assert len(measures(gate, two[0], now_us, a)) == 1


@pytest.fixture
def suspected(gate, two):
    """What a person finds to settle: a suspicion."""
    now_us = gate.now_us()
    tells(gate, "A01", two[0], now_us - 3 * LATER)
    subject_of(gate, two[1], now_us - 3 * LATER)
    assert len(measures(gate, two[1], now_us)) == 1
    with write(gate.engine) as db:
        actions.take_in(db, gate.site, now_us)
    with read(gate.engine) as db:
        [row] = views.listed(db, gate.site)
    return row


def kinds(gate, row):
    with read(gate.engine) as db:
        found = db.exec_driver_sql(
            "SELECT kind FROM ledger_record WHERE subject IN (?, ?)", (row.subject, row.other)
        )
        return [kind for (kind,) in found if kind.startswith(("disclosure.", "suspicion."))]


def test_nothing_is_a_disclosure_before_a_person_confirms_it(gate, suspected):
    assert (suspected.told, suspected.device, kinds(gate, suspected)) == (Told.SUSPECTED, "mon-1", [])
    late_us = suspected.due_us + 1
    with write(gate.engine) as db:
        assert actions.tell_overdue(db, gate.site, late_us) == 0
    with write(gate.engine) as db, pytest.raises(InputError):
        actions.settle(db, gate.site, suspected.id, outcome="corrected", by="p", now_us=late_us)
    with write(gate.engine) as db:
        row = actions.confirm(db, gate.site, suspected.id, by="p", now_us=late_us)
    assert (row.told, row.by, row.due_us > late_us) == (Told.CONFIRMED, "p", True)
    assert kinds(gate, row) == ["disclosure.reported", "disclosure.reported"]
    with read(gate.engine) as db:
        assert views.reached(db, gate.site, row).messages
    with write(gate.engine) as db, pytest.raises(InputError):
        actions.confirm(db, gate.site, row.id, by="p", now_us=late_us)
    with write(gate.engine) as db:
        actions.settle(db, gate.site, row.id, outcome="corrected", by="p", now_us=late_us)
    assert kinds(gate, row).count("disclosure.settled") == 2


def test_what_was_dismissed_is_on_record_and_not_suspected_again_that_day(gate, two, suspected):
    now_us = gate.now_us()
    with write(gate.engine) as db:
        actions.settle(db, gate.site, suspected.id, outcome="not-so", by="p", now_us=now_us)
    assert kinds(gate, suspected) == ["suspicion.dismissed"]
    for later_us, count in ((care_beds.TELL_US + MINUTE, 0), (25 * care_beds.TELL_US, 1)):
        assert len(measures(gate, two[1], now_us + later_us)) == 1
        with write(gate.engine) as db:
            assert actions.take_in(db, gate.site, now_us + later_us) == count


def test_one_that_goes_on_is_one(gate, two, suspected):
    later_us = gate.now_us() + 2 * care_beds.TELL_US
    assert len(measures(gate, two[1], later_us)) == 1
    with write(gate.engine) as db:
        assert actions.take_in(db, gate.site, later_us) == 0
    with read(gate.engine) as db:
        [row] = views.listed(db, gate.site)
    assert row.until_us == later_us


def test_beds_are_hashed_forgotten_and_erased(gate, two):
    now_us = gate.now_us()
    subject = tells(gate, "A01", two[0], now_us - LATER).message.subject
    with read(gate.engine) as db:
        [row] = beds.of(db, gate.site, subject)
    assert b"101" not in row.bed
    tells(gate, "A03", two[0], now_us)
    with write(gate.engine) as db:
        assert beds.forget_before(db, gate.site, now_us + beds.KEPT_US - MINUTE) == 0
        assert beds.forget_before(db, gate.site, now_us + beds.KEPT_US + MINUTE) == 1
    again = tells(gate, "A01", two[1], now_us).message.subject
    with write(gate.engine) as db:
        patients.forget(db, gate.site, again, source="t", now_us=now_us)
        assert beds.of(db, gate.site, again) == []
