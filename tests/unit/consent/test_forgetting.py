"""What one patient says makes a process read that patient anew and nobody else; and everybody where it is not said whose it is."""

import pytest
from sqlalchemy import event
from tests.unit.consent.conftest import SITE, says

from oathward.consent import actions, sql, views
from oathward.consent.arrived import Arrived
from oathward.core.db import write
from oathward.core.ids import uuid7
from oathward.policy.consents import ConsentFact


@pytest.fixture
def reads(office):
    """Count statements of the database."""
    count = []

    def one(*_):
        count.append(1)

    event.listen(office.engine, "before_cursor_execute", one)

    def of(subject):
        before = len(count)
        found = office.of(subject)
        return len(count) - before, found

    return of


def several(office, count=5):
    names = [uuid7() for _ in range(count)]
    for name in names:
        office.record(name, says())
        office.of(name)
    return names


def test_a_withdrawal_is_read_anew_and_nobody_elses_words_are(office, reads):
    first, *others = several(office)
    for one in others:
        assert reads(one)[0] == 0
    office.record(first, says(permit=False))
    steps, (version, facts) = reads(first)
    assert steps > 0
    assert (version, sorted(one.permit for one in facts)) == (2, [False, True])
    assert [reads(one)[0] for one in others] == [0] * len(others)


def test_who_is_one_person_with_somebody_is_read_anew_too(office, reads):
    first, second, third = several(office, 3)
    for one in (first, second):
        office.families[one] = (first, second)
        office.of(one)
    office.of(third, first)
    office.record(second, says(permit=False))
    for asked in ((first,), (second,), (third, first)):
        assert False in {one.permit for one in office.of(*asked)[1]}, asked
    assert reads(third)[0] == 0


def test_what_came_as_a_message_pends_for_that_patient(office, reads):
    first, second = several(office, 2)
    denial = ConsentFact("d", False, frozenset({"*"}), frozenset({"*"}), frozenset({"*"}))
    with write(office.engine) as db:
        found = Arrived((denial,), frozenset({"o"}), (), 1)
        actions.arrive(db, SITE, uuid7(), subject=first, device="hub", found=found, at_us=1)
    office.refresh()
    assert False in {one.permit for one in office.of(first)[1]}
    assert reads(second)[0] == 0


def unsaid(office):
    office.sql("UPDATE consent_change SET n = n + 1")


def unnamed(office):
    with write(office.engine) as db:
        sql.bump(db, SITE)


def one_row_gone(office):
    stranger = uuid7()
    for _ in range(2):
        with write(office.engine) as db:
            sql.bump(db, SITE, [stranger])
    office.sql("DELETE FROM consent_changed WHERE n = (SELECT n FROM consent_change)")


def put_back(office):
    office.sql("UPDATE consent_change SET n = n - 1")


def too_many(office):
    for _ in range(sql.CHANGED_KEPT + 1):
        with write(office.engine) as db:
            sql.bump(db, SITE, ["somebody"])


@pytest.mark.parametrize("how", [unsaid, unnamed, one_row_gone, put_back, too_many])
def test_where_it_is_not_known_whose_it_is_everybody_is_read_anew(office, reads, how):
    names = several(office, 3)
    how(office)
    assert office.refresh()
    assert all(reads(one)[0] > 0 for one in names)


def test_now_and_then_everybody_is_read_anew_whosever_change_it_is(office, reads, monkeypatch):
    first, *others = several(office, 3)
    monkeypatch.setattr(views, "WHOLE_S", 0.0)
    office.record(first, says(permit=False))
    assert all(reads(one)[0] > 0 for one in others)


def test_what_was_being_read_when_it_changed_is_not_remembered(office, monkeypatch):
    """A load that began before the change ends after it: what it found is of before."""
    first, other = several(office, 2)
    office.record(first, says())
    load = office.consents._load
    said = []

    def slow(db, persons):
        found = load(db, persons)
        if not said:
            said.append(persons)
            office.record(first, says(permit=False))
        return found

    monkeypatch.setattr(office.consents, "_load", slow)
    office.consents._remembered = {}
    office.of(first)
    assert said
    assert False in {one.permit for one in office.of(first)[1]}
    assert other
