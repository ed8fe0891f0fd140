"""Promises of the keeper about a patient's copy: whose link it is, until when, how often, and what it opens."""

from dataclasses import replace

import pytest
from tests.unit.vault.keeper import test_portal as portal
from tests.unit.vault.keeper.people import Direct
from tests.unit.vault.keeper.test_portal import BY, enrol, records, refused, sign_in, subject_of
from tests.unit.vault.sites import gateway

from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.vault.authority import trust_anchor
from oathward.vault.keeper.client import Client
from oathward.vault.keeper.erasing import erase
from oathward.vault.keeper.portal import requests

house = portal.house
NOT_GOOD = (Reason.NOT_FOUND, "subject", "there is no such")


@pytest.fixture
def asks(house):
    return Client(Direct(house.keeper, "portal"), "portal", trust_anchor(house.settings)).asks


@pytest.fixture
def sealed(house):
    client = Client(Direct(house.keeper, "gateway"), "gateway", trust_anchor(house.settings))
    with gateway(house.settings, client) as found:
        yield found


def test_a_copy_opens_everything_of_this_patient_in_order_and_is_on_record_before(
    house, asks, sealed, monkeypatch
):
    monkeypatch.setattr(requests, "PART_MAX", 3)
    mine = enrol(house)
    sealed.keep(subject_of(house), b"of somebody else")
    sealed.keep(house.subject, b"held", purpose="quarantine")
    sealed.keep(house.subject, b"a paper", purpose="consent")
    for number in range(7):
        sealed.keep(house.subject, b"%d" % number)
    link = asks.request(house.subject, "once", mine)
    begun = asks.begin(house.subject, link, "bundle", mine)
    assert (begun.messages, begun.more, begun.card) == (7, False, None)
    (said,) = records(house, "portal.fetched")
    assert (said["form"], said["messages"]) == ("bundle", 7)
    (opened,) = [one for one in records(house, "keeper.opened") if "copy" in one]
    assert (opened["purpose"], opened["opened"], opened["basis"]) == ("PATRQT", 7, "self")
    parts = list(asks.parts(begun))
    assert [len(part) for part in parts] == [3, 3, 1]
    assert [one.data.reveal() for part in parts for one in part] == [b"%d" % n for n in range(7)]
    assert refused(next, asks.parts(begun))[0] is Reason.NOT_FOUND, "a part is given once"
    assert link not in str(records(house, "portal.requested", "portal.fetched", "keeper.opened"))


def test_one_that_has_more_than_a_copy_holds_gets_the_newest_and_is_told(house, asks, sealed, monkeypatch):
    monkeypatch.setattr(requests, "MESSAGES_MAX", 4)
    mine = enrol(house)
    for number in range(6):
        sealed.keep(house.subject, b"%d" % number)
    begun = asks.begin(house.subject, asks.request(house.subject, "once", mine), "page", mine)
    assert (begun.messages, begun.more) == (4, True)
    assert [one.data.reveal() for part in asks.parts(begun) for one in part] == [b"2", b"3", b"4", b"5"]


def test_nothing_kept_is_an_empty_copy(house, asks):
    mine = enrol(house)
    begun = asks.begin(house.subject, asks.request(house.subject, "once", mine), "pdf", mine)
    assert (begun.messages, list(asks.parts(begun))) == (0, [()])


def test_whatever_is_wrong_with_a_link_is_one_answer(house, asks):
    mine = enrol(house)
    other = subject_of(house)
    theirs = enrol(house, subject=other, address="ben@example.org")
    link, foreign = asks.request(house.subject, "a", mine), asks.request(other, "a", theirs)
    answers = {
        refused(asks.begin, house.subject, foreign, "bundle", mine),
        refused(asks.begin, other, foreign, "bundle", mine),
        refused(asks.begin, other, link, "bundle", mine),
        refused(asks.begin, house.subject, "guess", "bundle", mine),
        refused(asks.begin, uuid7(), link, "bundle", mine),
    }
    used = asks.request(house.subject, "b", mine)
    for _ in range(requests.FETCHES_MAX):
        asks.begin(house.subject, used, "bundle", mine)
    answers.add(refused(asks.begin, house.subject, used, "bundle", mine))
    house.time.pass_(hours=25)
    mine = sign_in(house)
    answers.add(refused(asks.begin, house.subject, link, "bundle", mine))
    assert answers == {NOT_GOOD}
    assert {one.over for one in asks.requests(house.subject, mine)} == {True}
    assert records(house, "access.denied")[-1]["action"] == "portal.request"


def test_how_long_a_link_is_good_is_the_sites_to_say(house, asks, monkeypatch):
    short = replace(house.keeper.settings, portal=replace(house.keeper.settings.portal, copy_hours=2.0))
    monkeypatch.setattr(house.keeper, "settings", short)
    link = asks.request(house.subject, "a", enrol(house))
    house.time.pass_(hours=1.9)
    asks.begin(house.subject, link, "bundle", sign_in(house))
    house.time.pass_(hours=0.2)
    assert refused(asks.begin, house.subject, link, "bundle", sign_in(house)) == NOT_GOOD


def test_a_copy_under_way_ends_with_the_access_and_with_the_session(house, asks, sealed, monkeypatch):
    monkeypatch.setattr(requests, "PART_MAX", 1)
    for number in range(3):
        sealed.keep(house.subject, b"%d" % number)
    mine = enrol(house)
    parts = asks.parts(asks.begin(house.subject, asks.request(house.subject, "a", mine), "bundle", mine))
    next(parts)
    house.portal.sign_out(mine)
    assert refused(next, parts)[0] is Reason.NOT_FOUND
    mine = sign_in(house)
    (seat,) = house.portal.who(mine).seats
    link = asks.request(house.subject, "b", mine)
    parts = asks.parts(asks.begin(house.subject, link, "bundle", mine))
    next(parts)
    house.app.portal.end(seat.access, "staff", house.staff)
    assert refused(next, parts)[0] is Reason.NOT_FOUND
    assert refused(asks.begin, house.subject, link, "bundle", mine)[0] is Reason.NOT_PERMITTED, (
        "nobody is signed in"
    )


def test_the_same_form_sent_twice_asks_once_and_few_stand_at_a_time(house, asks):
    mine = enrol(house)
    assert asks.request(house.subject, "one", mine) == asks.request(house.subject, "one", mine)
    for number in range(requests.STANDING_MAX - 1):
        asks.request(house.subject, f"more {number}", mine)
    assert refused(asks.request, house.subject, "too many", mine)[0] is Reason.LIMIT_EXCEEDED
    assert len(records(house, "portal.requested")) == requests.STANDING_MAX


def test_who_may_only_look_asks_for_no_copy(house, asks):
    proxy = enrol(house, basis="wish", scope=("see",))
    assert refused(asks.request, house.subject, "a", proxy) == NOT_GOOD
    assert refused(asks.requests, house.subject, proxy) == NOT_GOOD


def test_what_cannot_be_told_to_be_shown_is_not_given_to_a_proxy(house, asks, sealed):
    """This keeper was given nothing that reads consents: all is withheld, as for who cares for the patient."""
    message = sealed.keep(house.subject, b"secret")
    proxy = enrol(house, basis="wish")
    begun = asks.begin(house.subject, asks.request(house.subject, "a", proxy), "bundle", proxy)
    assert [one for part in asks.parts(begun) for one in part] == []
    assert house.portal.open(house.subject, [message], proxy).originals == ()
    mine = enrol(house, address="patient@example.org")
    assert len(house.portal.open(house.subject, [message], mine).originals) == 1


def test_erasing_a_patient_forgets_requests_also_those_an_old_copy_brought_back(house, asks):
    mine = enrol(house)
    asks.request(house.subject, "a", mine)
    store = house.keeper.store
    rows = store.rows("SELECT * FROM copy_request")
    erase(house.keeper, house.subject, "gdpr.art17", BY)
    assert store.rows("SELECT * FROM copy_request") == []
    store.many("INSERT INTO copy_request VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    requests.keep_up(house.keeper)
    assert store.rows("SELECT * FROM copy_request") == []


def test_a_month_after_its_end_a_request_is_forgotten(house, asks):
    asks.request(house.subject, "a", enrol(house))
    house.time.pass_(days=30)
    requests.keep_up(house.keeper)
    assert len(house.keeper.store.rows("SELECT * FROM copy_request")) == 1
    house.time.pass_(days=2)
    requests.keep_up(house.keeper)
    assert house.keeper.store.rows("SELECT * FROM copy_request") == []


def test_messages_are_opened_of_this_patient_alone_whatever_is_named(house, sealed):
    mine = enrol(house)
    own = [sealed.keep(house.subject, b"%d" % number) for number in range(3)]
    other = sealed.keep(subject_of(house), b"of somebody else")
    held = sealed.keep(house.subject, b"held", purpose="quarantine")
    opened = house.portal.open(house.subject, [own[2], other, held, "guess", own[0], own[0]], mine)
    assert [one.data.reveal() for one in opened.originals] == [b"0", b"2"], "oldest first, each once"
    assert records(house, "keeper.opened")[-1]["opened"] == 2
