"""The list of patients who said something: cut by state, in pages, out of what is signed."""

import pytest
from tests.unit.consent.conftest import NOW, SITE, says

from oathward.consent import listing
from oathward.core.db import read, write
from oathward.core.ids import uuid7

DAY = 86_400_000_000


@pytest.fixture
def take(office):
    def one(*family, now_us=NOW, seen=None):
        with write(office.engine) as db:
            listing.take(db, SITE, family, authority=office.signer, seen=seen or office.seen, now_us=now_us)

    return one


def listed(office, state="", *, now_us=NOW, **more):
    with read(office.engine) as db:
        return listing.page(db, SITE, state, now_us=now_us, **more)


def states(office, subject, now_us=NOW):
    return {
        state
        for state in listing.STATES
        if state and subject in {row.subject for row in listed(office, state, now_us=now_us).rows}
    }


def test_each_patient_is_in_the_states_they_are_in(office, take):
    cases = {
        "stands": (says(),),
        "soon": (says(end_us=NOW + 3 * DAY), says(purposes=["HPAYMT"])),
        "ended": (says(end_us=NOW - DAY),),
        "contradictory": (says(purposes=["HRESCH"]), says(permit=False)),
    }
    expected = {
        "stands": {"stands"},
        "soon": {"stands", "soon"},
        "ended": {"ended"},
        "contradictory": {"stands", "contradictory"},
    }
    for name, statements in cases.items():
        subject = uuid7()
        office.record(subject, *statements)
        take(subject)
        assert states(office, subject) == expected[name], name
        with read(office.engine) as db:
            assert listing.one(db, SITE, subject, now_us=NOW).state(NOW) == name
            assert listing.count(db, SITE, name, now_us=NOW) >= 1


def test_what_was_all_taken_back_ended(office, take, ann):
    office.record(ann, says())
    office.record(ann, replaces=True)
    take(ann)
    assert states(office, ann) == {"ended"}


def test_a_state_changes_with_time_alone(office, take, ann):
    office.record(ann, says(end_us=NOW + 40 * DAY))
    take(ann)
    assert states(office, ann) == {"stands"}
    assert states(office, ann, NOW + 20 * DAY) == {"stands", "soon"}
    assert states(office, ann, NOW + 40 * DAY) == {"ended"}
    with read(office.engine) as db:
        assert listing.due(db, SITE, now_us=NOW + 41 * DAY, limit=9) == [ann]
    take(ann, now_us=NOW + 41 * DAY)
    with read(office.engine) as db:
        assert listing.due(db, SITE, now_us=NOW + 41 * DAY, limit=9) == []


def test_a_merge_makes_one_row_and_finds_what_contradicts_across_it(office, take, ann, bob):
    office.record(ann, says(purposes=["HRESCH"]))
    office.record(bob, says(permit=False))
    take(ann)
    take(bob)
    assert {row.subject for row in listed(office).rows} == {ann, bob}
    assert listed(office, "contradictory").rows == ()
    take(ann, bob)
    (row,) = listed(office).rows
    assert (row.subject, row.said, row.contradictions) == (ann, 2, 1)
    assert states(office, ann) == {"stands", "contradictory", "merged"}
    take(ann)  # taken apart again
    take(bob)
    assert {row.subject for row in listed(office).rows} == {ann, bob}
    assert listed(office, "contradictory").rows == ()


def test_a_signature_that_does_not_verify_is_unsure_and_counts_nothing(office, take, ann):
    office.record(ann, says())
    office.sql("UPDATE consent_fact SET signature = x'00' WHERE subject = ?", ann)
    take(ann)
    (row,) = listed(office, "unsure").rows
    assert (row.permits, row.denials, row.sure) == (0, 0, False)
    assert states(office, ann) == {"stands", "unsure"}, "it may stand: nobody can say that it ended"


def test_what_was_signed_and_is_gone_is_unsure(office, take, ann):
    office.record(ann, says())
    take(ann)
    office.sql("DELETE FROM consent_fact WHERE subject = ?", ann)
    take(ann)
    assert states(office, ann) >= {"unsure"}


def test_who_said_nothing_is_not_listed(office, take, ann):
    take(ann)
    assert listed(office).rows == ()


def test_pages_follow_each_other_and_hold_everybody_once(office, take):
    subjects = []
    for number in range(7):
        subjects.append(uuid7())
        office.record(subjects[-1], says(end_us=NOW + (number % 3 + 1) * DAY))
        take(subjects[-1])
    for state in ("", "stands", "soon"):
        seen, after = [], ""
        while True:
            page = listed(office, state, after=after, limit=2)
            seen += [row.subject for row in page.rows]
            after = page.after
            if not after:
                break
        assert sorted(seen) == sorted(subjects), state
    ends = [row.next_us for row in listed(office, "soon").rows]
    assert ends == sorted(ends), "those that end first come first"
    assert listed(office, "", after="nonsense").rows == listed(office).rows


def test_cuts_are_answered_by_an_index(office, take, ann):
    """None of them reads the whole table: the plan names an index for each, and sorts nothing but one page."""
    with read(office.engine) as db:
        for state, cut in listing.sql.cuts(NOW, NOW + DAY).items():
            table = listing.sql.person
            query = (
                table.select()
                .where(table.c.site == SITE, *cut.holds)
                .order_by(cut.by.desc() if cut.down else cut.by)
                .limit(51)
            )
            text = str(query.compile(db.engine, compile_kwargs={"literal_binds": True}))
            plan = " ".join(str(row) for row in db.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}"))
            assert "USING INDEX consent_person" in plan, (state, plan)
            assert "TEMP B-TREE" not in plan, (state, plan)
