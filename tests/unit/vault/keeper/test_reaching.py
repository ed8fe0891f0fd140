"""Promises of reaching a patient in an emergency: who has just proved who they are gets through, for minutes, seen; nobody can guess."""

from dataclasses import replace

import pytest
from tests.care import adt
from tests.unit.vault.keeper.test_breaking import (
    begin,
    mrn,
    no,
    nothing_stands,
    open_,
    read_,
    records,
    refused,
    says,
    take,
    world,
)
from tests.wire import oru

from oathward.core.db import read, write
from oathward.core.ids import uuid7
from oathward.core.phi import Phi
from oathward.core.reasons import Reason
from oathward.patients import confirming
from oathward.patients import sql as edges
from oathward.policy.glass import REASONS
from oathward.vault.keeper import erasing, glasses, proof
from oathward.vault.keeper.signing import Wanted, confirm_stored, sign

__all__ = ["mrn", "nothing_stands", "world"]
MISSES = 5


@pytest.fixture(autouse=True)
def no_misses(world):
    world.keeper.store.rows("DELETE FROM glass_miss")


@pytest.fixture
def patient(world, mrn):
    subject = take(world, adt("A01", said="20260504080000", mrn=mrn)).subject
    return subject, take(world, oru(f"{mrn}-o", mrn=mrn, value="72")).id


def reach(
    world, proof_, number, *, authority="HOSP", code="life-threat", words="no pulse", minutes=10, once=""
):
    told = (Phi(number), authority, "MR")
    return world.app.glass.reach(told, code, Phi(words), minutes, once or uuid7(), proof_)


def test_a_clinician_without_a_relation_gets_through_and_only_to_this_patient(world, patient, mrn):
    subject, message = patient
    other = take(world, adt("A01", said="20260504080000", mrn=mrn[::-1])).subject
    ward = world.enter("p-ward")
    assert refused(lambda: open_(world, ward, subject)) is Reason.ACCESS_RELATION
    says(world, subject, no())
    found = reach(world, ward, mrn)
    assert (found.subject, found.reached) == (subject, True)
    opened = open_(world, ward, subject)
    assert message in {one.message for one in opened.originals}
    assert opened.card is not None
    assert opened.relation.basis == "emergency"
    assert read_(world, ward, message)
    assert refused(lambda: open_(world, ward, other)) is Reason.ACCESS_RELATION
    assert refused(lambda: open_(world, world.enter("p-ward"), subject)) is Reason.ACCESS_RELATION


def test_each_try_is_a_record_without_the_number_and_each_opening_says_by_which_glass(world, patient, mrn):
    subject, _ = patient
    ward, nobody = world.enter("p-ward"), f"{mrn}00"
    assert reach(world, ward, nobody) is None
    assert reach(world, ward, nobody) is None
    found = reach(world, ward, mrn)
    open_(world, ward, subject)
    missed, again = [one["body"] for one in records(world, "breakglass.missed")][-2:]
    begun = records(world, "breakglass.begun")[-1]
    assert missed["tried"] == again["tried"] != begun["body"]["tried"]
    assert (begun["subject"], begun["body"]["reached"], begun["body"]["care"]) == (subject, True, "")
    opening = records(world, "keeper.opened")[-1]["body"]
    assert (opening["basis"], opening["glass"], opening["purpose"]) == ("break-glass", found.id, "ETREAT")
    every = str(records(world, "breakglass.missed", "breakglass.begun", "keeper.opened", "finding.raised"))
    assert mrn not in every
    assert "no pulse" not in every


def test_it_ends_by_time_by_hand_and_with_the_session(world, patient, mrn):
    subject, _ = patient
    ward = world.enter("p-ward")
    found = reach(world, ward, mrn)
    world.keeper.glasses[found.id] = world.keeper.monotonic() - 1
    assert refused(lambda: open_(world, ward, subject)) is Reason.ACCESS_RELATION
    found = reach(world, ward, mrn)
    assert open_(world, ward, subject).originals
    world.app.glass.end(found.id, ward)
    assert refused(lambda: open_(world, ward, subject)) is Reason.ACCESS_RELATION


def test_sent_twice_it_is_one_and_it_is_reviewed_like_any(world, patient, mrn):
    subject, _ = patient
    ward, privacy = world.enter("p-ward"), world.enter("p-privacy")
    once = uuid7()
    first, second = reach(world, ward, mrn, once=once), reach(world, ward, mrn, once=once)
    assert first.id == second.id
    assert [one.id for one in world.app.glass.listed(privacy, waiting=True)] == [first.id]
    world.app.glass.end(first.id, ward)
    world.app.glass.review(first.id, "justified", "resuscitation", privacy)
    assert world.app.glass.listed(privacy, waiting=True) == []
    assert refused(lambda: open_(world, ward, subject)) is Reason.ACCESS_RELATION


@pytest.mark.parametrize("who", ["p-privacy", "p-auditor", "p-admin"])
def test_who_is_no_clinician_reaches_nobody_and_hears_the_same_of_anybody(world, patient, mrn, who):
    client = world.enter(who)
    there, absent = (refused(lambda one=one: reach(world, client, one)) for one in (mrn, f"{mrn}00"))
    assert there is absent


def test_it_takes_a_proof_of_this_moment(world, patient, mrn, monkeypatch):
    stale = world.enter("p-ward")
    monkeypatch.setattr(type(world.keeper.sessions), "fresh", lambda *_: False)
    before = len(records(world, "breakglass.begun", "breakglass.missed"))
    assert {refused(lambda one=one: reach(world, stale, one)) for one in (mrn, f"{mrn}00")} == {
        Reason.ACCESS_STEP_UP
    }
    assert len(records(world, "breakglass.begun", "breakglass.missed")) == before


@pytest.mark.parametrize("wrong", [{"code": "other"}, {"code": "x"}, {"words": "  "}, {"minutes": 31}])
def test_without_an_emergencys_reason_nobody_is_looked_for(world, mrn, patient, wrong):
    ward = world.enter("p-ward")
    assert refused(lambda: reach(world, ward, mrn, **wrong)) in {Reason.INPUT_INVALID, Reason.LIMIT_EXCEEDED}
    assert not world.keeper.store.rows("SELECT 1 FROM glass")
    assert REASONS["other"].purpose != "ETREAT"


def test_numbers_of_nobody_are_counted_and_then_it_is_a_finding_and_a_block(world, patient, mrn):
    ward = world.enter("p-ward")
    found = len(records(world, "finding.raised"))
    for number in range(MISSES):
        assert reach(world, ward, f"{mrn}{number}") is None
    assert refused(lambda: reach(world, ward, mrn)) is Reason.RATE_OF_OPENING
    assert refused(lambda: reach(world, world.enter("p-ward"), mrn)) is Reason.RATE_OF_OPENING
    raised = [one["body"] for one in records(world, "finding.raised")][found:]
    assert [(one["finding"], one["person"]) for one in raised] == [("breakglass.misses", "p-ward")]
    assert records(world, "breakglass.refused")[-1]["body"]["person"] == "p-ward"
    assert reach(world, world.enter("p-nurse-2"), mrn).subject == patient[0]
    world.keeper.store.rows("UPDATE glass_miss SET at_us = at_us - 3600000000")
    assert reach(world, ward, mrn).subject == patient[0]


def test_how_many_numbers_of_nobody_are_too_many_is_the_sites_to_say(world, patient, mrn, monkeypatch):
    strict = replace(world.keeper.settings.breakglass, misses_per_hour=2)
    monkeypatch.setattr(world.keeper, "settings", replace(world.keeper.settings, breakglass=strict))
    ward = world.enter("p-ward")
    for number in range(2):
        assert reach(world, ward, f"{mrn}{number}") is None
    assert refused(lambda: reach(world, ward, mrn)) is Reason.RATE_OF_OPENING


def test_whom_one_reaches_never_blocks_a_clinician(world, mrn):
    ward = world.enter("p-ward")
    for number in range(MISSES + 2):
        one = f"{mrn}{number}"
        take(world, adt("A01", said="20260504080000", mrn=one))
        assert reach(world, ward, one) is not None


def test_an_erased_patient_is_nobody(world, patient, mrn):
    erasing.erase(world.keeper, patient[0], "gdpr.art17", proof.Person("test", "test"))
    assert reach(world, world.enter("p-ward"), mrn) is None


def test_a_merge_that_waits_is_not_crossed_and_one_that_was_confirmed_is(world, mrn):
    parent, child = f"{mrn}P", f"{mrn}C"
    whole = take(world, adt("A01", said="20260504080000", mrn=parent)).subject
    part = take(world, adt("A01", said="20260504080000", mrn=child, visit="V2^^^HOSP^VN")).subject
    message = take(world, oru(f"{mrn}-c", mrn=child, value="72")).id
    take(world, adt("A40", said="20260504090000", mrn=parent, mrg=child))
    ward = world.enter("p-ward")
    assert reach(world, ward, parent).subject == whole
    assert message not in {one.message for one in open_(world, ward, whole).originals}
    assert refused(lambda: read_(world, ward, message)) is Reason.ACCESS_RELATION
    with read(world.gate.engine) as db:
        edge = next(one for one in edges.edges(db, world.keeper.site) if part in {one.child, one.parent})
        drafted = confirming.draft(db, world.keeper.site, edge.id)
    wanted = [Wanted(confirming.KIND, edge.id, 0, drafted.body)]
    (signed,) = sign(world.keeper, wanted, [proof.Person("test", "test")])
    with write(world.keeper.engine) as db:
        confirming.store(db, world.keeper.site, signed, by="test", why="same", now_us=world.keeper.now_us())
    confirm_stored(world.keeper)
    assert message in {one.message for one in open_(world, ward, whole).originals}
    assert read_(world, ward, message)


def test_a_glass_for_what_is_withheld_crosses_a_confirmed_merge_alone(world, mrn, monkeypatch):
    subject = take(world, adt("A01", said="20260504080000", mrn=mrn)).subject
    nurse = world.enter("p-nurse")
    broken = begin(world, nurse, subject)
    glass = glasses.get(world.keeper, broken.id)
    assert glasses.opens(world.keeper, glass) == {subject}
    monkeypatch.setattr(world.keeper, "register", None)
    assert glasses.opens(world.keeper, glass) == {subject}
