"""Promises of the keeper about what patients report: whose it is, who reads the words, what becomes of it."""

from dataclasses import replace

import pytest
from tests.unit.vault.keeper import test_portal as portal
from tests.unit.vault.keeper.people import Direct
from tests.unit.vault.keeper.test_portal import BY, enrol, letters, records, refused, subject_of

from oathward import ledger
from oathward.core.db import read, write
from oathward.core.labels import Role
from oathward.core.phi import Phi
from oathward.core.reasons import Reason
from oathward.ledger import Query, Record
from oathward.vault.authority import trust_anchor
from oathward.vault.keeper import proof as proving
from oathward.vault.keeper.client import Client
from oathward.vault.keeper.client.asks import NO_RECORD
from oathward.vault.keeper.erasing import erase
from oathward.vault.keeper.portal import reports

house = portal.house
WORDS = Phi("My neighbour Quentin looked at my pulse")


@pytest.fixture
def asks(house):
    return Client(Direct(house.keeper, "portal"), "portal", trust_anchor(house.settings)).asks


@pytest.fixture
def staff(house):
    return house.app.asks


def test_a_report_goes_from_sent_over_looking_to_done_and_its_holder_gets_a_letter(house, asks, staff):
    mine = enrol(house)
    id_ = asks.report(house.subject, "looked", WORDS, "once", mine)
    assert [(one.id, one.kind, one.state) for one in asks.sent(house.subject, mine)] == [
        (id_, "looked", "sent")
    ]
    (waiting,) = staff.reports(house.staff, waiting=True)
    assert (waiting.id, waiting.due_us - waiting.at_us) == (id_, 72 * 3_600_000_000)
    found, words = staff.opened(id_, house.staff)
    assert (found.state, words.reveal()) == ("looking", WORDS.reveal())
    assert [one.state for one in asks.sent(house.subject, mine)] == ["looking"]
    staff.settle(id_, "stopped", house.staff)
    (done,) = asks.sent(house.subject, mine)
    assert (done.state, done.outcome, done.settled_us >= done.at_us) == ("done", "stopped", True)
    assert [one.values.reveal() for one in letters(house, "notice")] == [{"about": "report"}]
    assert refused(staff.settle, id_, "mended", house.staff)[0] is Reason.CONFLICT
    kinds = [
        one["id"]
        for one in records(house, "portal.reported", "portal.report-opened", "portal.report-settled")
    ]
    assert kinds == [id_] * 3
    assert staff.reports(house.staff, waiting=True) == []


def test_words_stand_nowhere_in_clear(house, asks, staff):
    mine = enrol(house)
    staff.opened(asks.report(house.subject, "other", WORDS, "once", mine), house.staff)
    files = [path.read_bytes() for path in house.keeper.store.folder.iterdir() if path.is_file()]
    with read(house.keeper.engine) as db:
        rows = db.exec_driver_sql("SELECT body FROM ledger_record").all()
    everything = b"".join(files) + b"".join(
        bytes(body, "utf-8") if isinstance(body, str) else body for (body,) in rows
    )
    for word in (b"Quentin", b"neighbour"):
        assert word not in everything


def test_another_patients_report_and_another_holders_are_not_to_be_seen(house, asks):
    mine = enrol(house)
    other = subject_of(house)
    theirs = enrol(house, subject=other, address="ben@example.org")
    asks.report(house.subject, "data", WORDS, "once", mine)
    answers = {
        refused(asks.sent, house.subject, theirs),
        refused(asks.report, house.subject, "data", WORDS, "x", theirs),
    }
    assert answers == {(Reason.NOT_FOUND, "subject", "there is no such")}
    proxy = enrol(house, basis="wish", address="friend@example.org")
    assert asks.sent(house.subject, proxy) == [], "each sees what they sent themselves"


def test_a_report_names_a_record_of_this_patient_alone(house, asks):
    mine = enrol(house)
    other = subject_of(house)
    enrol(house, subject=other, address="ben@example.org")
    with read(house.keeper.engine) as db:
        (own,) = ledger.search(
            db, house.keeper.site, Query(kind="portal.invited", subject=house.subject), limit=1
        )
        (foreign,) = ledger.search(
            db, house.keeper.site, Query(kind="portal.invited", subject=other), limit=1
        )
    asks.report(house.subject, "looked", WORDS, "a", mine, about=own.index)
    answers = {
        refused(asks.report, house.subject, "looked", WORDS, "b", mine, about=one)
        for one in (foreign.index, 10**9)
    }
    assert answers == {(Reason.NOT_FOUND, "subject", "there is no such")}
    assert [one.about for one in asks.sent(house.subject, mine)] == [own.index]


@pytest.mark.parametrize("kind", ["keeper.opened", "portal.invited"])
def test_nobody_reads_or_settles_what_is_about_themselves(house, asks, staff, kind):
    mine = enrol(house)
    with write(house.keeper.engine) as db:
        body = {"person": "p-privacy", "purpose": "HOPERAT"}
        leaf = ledger.prepare(Record("keeper.opened", body, house.keeper.now_us(), house.subject))
        ledger.append(db, house.keeper.site, [leaf])
    with read(house.keeper.engine) as db:
        (own,) = ledger.search(db, house.keeper.site, Query(kind=kind, subject=house.subject), limit=1)
    id_ = asks.report(house.subject, "looked", WORDS, "a", mine, about=own.index)
    assert {
        refused(staff.opened, id_, house.staff)[0],
        refused(staff.settle, id_, "explained", house.staff)[0],
    } == {Reason.ACCESS_OWN}
    assert [one.state for one in asks.sent(house.subject, mine)] == ["sent"]
    house.person("p-second", Role.PRIVACY_OFFICER)
    step, _ = house.enrol("p-second")
    other = proving.console_proof(step.secret)
    assert staff.opened(id_, other)[1].reveal() == WORDS.reveal()
    staff.settle(id_, "stopped", other)


@pytest.mark.parametrize(("kind", "words"), [("gossip", WORDS), ("data", Phi("  \n"))])
def test_what_cannot_be_meant_is_refused(house, asks, kind, words):
    mine = enrol(house)
    assert refused(asks.report, house.subject, kind, words, "x", mine)[0] is Reason.INPUT_INVALID
    assert asks.sent(house.subject, mine) == []


def test_the_same_form_twice_is_one_report_and_many_have_an_end(house, asks):
    mine = enrol(house)
    assert len({asks.report(house.subject, "data", WORDS, "same", mine) for _ in range(2)}) == 1
    for number in range(reports.OPEN_MAX - 1):
        asks.report(house.subject, "data", WORDS, f"n {number}", mine)
    assert refused(asks.report, house.subject, "data", WORDS, "z", mine)[0] is Reason.LIMIT_EXCEEDED


def test_who_protects_no_privacy_reads_none(house, asks, staff):
    id_ = asks.report(house.subject, "data", WORDS, "a", enrol(house))
    house.person("p-nurse", Role.CLINICIAN)
    step, _ = house.enrol("p-nurse")
    nurse = proving.console_proof(step.secret)
    assert {refused(call, *more)[0] for call, *more in (
        (staff.reports, nurse), (staff.opened, id_, nurse), (staff.settle, id_, "mended", nurse),
    )} == {Reason.ACCESS_ROLE}  # fmt: skip
    assert records(house, "portal.report-opened") == []


def test_reading_words_takes_a_fresh_proof(house, asks, staff):
    id_ = asks.report(house.subject, "data", WORDS, "a", enrol(house))
    house.time.pass_(minutes=11)
    assert refused(staff.opened, id_, house.staff)[0] is Reason.ACCESS_STEP_UP
    assert len(staff.reports(house.staff)) == 1


def test_what_waits_too_long_is_counted(house, asks):
    asks.report(house.subject, "data", WORDS, "a", enrol(house))
    assert house.app.state()["reports"] == {"waiting": 1, "overdue": 0}
    house.time.pass_(hours=73)
    assert house.app.state()["reports"] == {"waiting": 1, "overdue": 1}


def test_how_long_a_report_may_wait_is_the_sites_to_say(house, asks, monkeypatch):
    short = replace(house.keeper.settings, portal=replace(house.keeper.settings.portal, report_hours=2.0))
    monkeypatch.setattr(house.keeper, "settings", short)
    asks.report(house.subject, "data", WORDS, "a", enrol(house))
    house.time.pass_(hours=1)
    assert house.app.state()["reports"]["overdue"] == 0
    house.time.pass_(hours=2)
    assert house.app.state()["reports"]["overdue"] == 1


def test_erasing_a_patient_forgets_reports_also_those_an_old_copy_brought_back(house, asks):
    asks.report(house.subject, "data", WORDS, "a", enrol(house))
    store = house.keeper.store
    rows = store.rows("SELECT * FROM report")
    erase(house.keeper, house.subject, "gdpr.art17", BY)
    assert store.rows("SELECT * FROM report") == []
    store.many(f"INSERT INTO report VALUES ({', '.join('?' * len(rows[0]))})", rows)
    reports.keep_up(house.keeper)
    assert store.rows("SELECT * FROM report") == []


def test_a_report_names_no_record_unless_it_is_told_one():
    assert NO_RECORD == reports.NO_RECORD
