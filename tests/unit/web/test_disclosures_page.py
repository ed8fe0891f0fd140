"""Promises of Wrong patient: reported or taken back it is a finding with a clock, followed to whoever got it, of both patients."""

import json
from datetime import timedelta

import pytest
from tests.care import adt
from tests.unit.web.test_patients_page import HERE, measured, mrn, now, post, take, viewer, world  # noqa: F401  fixtures

from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.ids import uuid7
from oathward.disclosures import actions, sql, views
from oathward.ledger import Record, append, prepare

HOUR = 3_600_000_000


@pytest.fixture(autouse=True)
def nothing_known(world):  # noqa: F811  the fixture
    with write(world.gate.engine) as db:
        db.execute(sql.disclosure.delete())
        actions.take_in(db, world.gate.site, world.gate.now_us())


@pytest.fixture
def sent(world, mrn):  # noqa: F811  the fixture
    """Two messages of a monitor about somebody; one of them was delivered to the record."""
    subject = take(world, adt("A01", said=now(world, 70), mrn=mrn)).subject
    first, last = (measured(world, mrn, value, 1).id for value in (87, 88))
    body = {"answer": "AA", "id": uuid7(), "sha256": "00", "tries": 1}
    with write(world.gate.engine) as db:
        at_us = world.gate.now_us()
        append(
            db, world.gate.site, [prepare(Record("message.delivered", body, at_us, subject, ("ehr",), first))]
        )
    return subject, first, last


def records(world, kind):  # noqa: F811  the fixture
    with read(world.gate.engine) as db:
        rows = db.exec_driver_sql(
            f"SELECT subject, body FROM ledger_record WHERE kind = '{kind}' ORDER BY idx"
        )
        return [(row[0], json.loads(row[1])["body"]) for row in rows.fetchall()]


def fields(world, subject, **more):  # noqa: F811  the fixture
    at = world.gate.clock.now()
    times = {
        "from": f"{at - timedelta(hours=1):%Y-%m-%dT%H:%M}",
        "until": f"{at + timedelta(minutes=2):%Y-%m-%dT%H:%M}",
    }
    return {"device": "mon-1", "subject": subject} | times | more


def test_reported_it_names_who_got_it_and_is_settled_once(world, sent, mrn):  # noqa: F811  the fixture
    subject, _, _ = sent
    other = take(world, adt("A01", said=now(world, 70), mrn=f"8{mrn[1:]}")).subject
    officer = viewer(world, "p-privacy")
    answer = post(officer, "/wrong-patient", "/wrong-patient", **fields(world, subject, other=other))
    assert answer.status_code == 303, answer.text
    place = answer.headers["location"]
    page = officer.get(place).text
    assert "2 messages" in page
    assert 'href="/links/ehr"' in page
    mine = [(whose, body) for whose, body in records(world, "disclosure.reported") if body["id"] in place]
    assert [(whose, body.get("as", ""), body["messages"], body["links"]) for whose, body in mine] == [
        (subject, "", 2, {"ehr": 1}),
        (other, "other", 2, {"ehr": 1}),
    ]
    found = [body for whose, body in records(world, "finding.raised") if whose == subject]
    assert found[-1]["finding"] == "device.wrong-patient"
    assert "Wrong patient" in officer.get("/").text
    assert post(officer, place, place, outcome="corrected").status_code == 303
    assert "Corrected: whoever got it" in officer.get(place).text
    assert "Nothing to settle" in officer.get("/wrong-patient").text
    with write(world.gate.engine) as db, pytest.raises(InputError):
        actions.settle(db, world.gate.site, place.rsplit("/", 1)[1], outcome="not-so", by="p", now_us=1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"device": "no-such"},
        {"subject": "01a2-none"},
        {"other": "01a2-none"},
        {"from": "x"},
        {"until": "2020-01-01T00:00"},
    ],
)
def test_what_is_wrong_shows_the_form_again_and_keeps_nothing(world, sent, wrong):  # noqa: F811  the fixture
    officer = viewer(world, "p-privacy")
    answer = post(officer, "/wrong-patient", "/wrong-patient", **fields(world, sent[0]) | wrong)
    assert answer.status_code == 400
    assert "Nothing was reported" in answer.text
    assert "Nothing to settle" in officer.get("/wrong-patient").text


def test_a_device_that_takes_a_result_back_is_noticed_and_its_messages_are_found(world, sent, mrn):  # noqa: F811  the fixture
    from tests.wire import oru

    subject, first, last = sent
    raw = oru(f"{mrn}-w", mrn=mrn, value="88", name="Zebulonova^Quixotella").decode()
    raw = raw.replace("20260504081500+0000", now(world, 0)).replace("MDC|||||R", "MDC|||||W")
    correction = take(world, raw.encode())
    with write(world.gate.engine) as db:
        assert actions.take_in(db, world.gate.site, world.gate.now_us()) == 1
        assert actions.take_in(db, world.gate.site, world.gate.now_us()) == 0
    with read(world.gate.engine) as db:
        [row] = views.listed(db, world.gate.site)
        went = views.reached(db, world.gate.site, row)
    assert (row.device, row.subject, row.evidence, row.told.value) == (
        "mon-1",
        subject,
        correction.id,
        "correction",
    )
    assert set(went.messages) == {first, last, correction.id}
    assert "the device took it back" in viewer(world, "p-privacy").get("/wrong-patient").text


def test_a_result_that_is_final_is_no_correction(world, sent):  # noqa: F811  the fixture
    with write(world.gate.engine) as db:
        assert actions.take_in(db, world.gate.site, world.gate.now_us()) == 0


def test_late_it_is_a_finding_once_and_an_erased_patient_leaves_no_row(world, sent):  # noqa: F811  the fixture
    subject, site = sent[0], world.gate.site
    now_us = world.gate.now_us()
    period = now_us - HOUR, now_us + HOUR // 2
    with write(world.gate.engine) as db:
        row = actions.report(
            db, site, device="mon-1", subject=subject, other="", period=period, by="p", now_us=now_us
        )
    for late_us, count in ((row.due_us, 0), (row.due_us + 1, 1), (row.due_us + 2, 0)):
        with write(world.gate.engine) as db:
            assert actions.tell_overdue(db, site, late_us) == count
    with write(world.gate.engine) as db:
        actions.forget(db, site, [subject])
    with read(world.gate.engine) as db:
        assert views.listed(db, site) == []


def test_an_auditor_looks_and_a_clinician_has_no_such_page(world, sent):  # noqa: F811  the fixture
    assert "Report one" not in viewer(world, "p-auditor").get("/wrong-patient").text
    assert viewer(world, "p-nurse").get("/wrong-patient").status_code == 404


@pytest.mark.parametrize(("outcome", "words"), [("confirm", "a person confirmed it"), ("not-so", "Not so")])
def test_what_is_suspected_says_so_and_is_confirmed_or_dismissed(world, sent, outcome, words):  # noqa: F811  the fixture
    subject, _, last = sent
    now_us = world.gate.now_us()
    body = {"device": "mon-1", "finding": actions.SUSPECTED, "other": "01a2-other", "since": now_us - HOUR}
    with write(world.gate.engine) as db:
        raised = prepare(Record("finding.raised", body, now_us, subject, (), last))
        append(db, world.gate.site, [raised])
    with write(world.gate.engine) as db:
        assert actions.take_in(db, world.gate.site, now_us) == 1
        [row] = views.listed(db, world.gate.site)
    officer = viewer(world, "p-privacy")
    assert "suspected: ADT says that another patient lay in that bed" in officer.get("/wrong-patient").text
    place = f"/wrong-patient/{row.id}"
    page = officer.get(place).text
    assert "until somebody confirms it" in page
    assert "Corrected" not in page
    assert [one for one in records(world, "disclosure.reported") if one[1]["id"] == row.id] == []
    assert post(officer, place, place, outcome=outcome).status_code == 303
    assert words in officer.get(place).text
    told = [whose for whose, one in records(world, "disclosure.reported") if one["id"] == row.id]
    assert told == ([subject, "01a2-other"] if outcome == "confirm" else [])
    assert ("Corrected: whoever" in officer.get(place).text) == (outcome == "confirm")
