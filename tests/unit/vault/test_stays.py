"""Promises about stays: whatever order statements come in, nobody keeps access whose patient left, and who cares has it."""

from itertools import permutations

import pytest
from tests.care import person

import oathward.vault.care_rows  # noqa: F401  declares its tables
from oathward.core.db import connect, create_tables, read, write
from oathward.vault import care, care_rows, stays
from oathward.vault.care_room import Room
from oathward.vault.care_rows import Assignment, Stamps, Tie
from oathward.vault.stays import Said, Turn

HOUR = 3_600_000_000
DAY = 24 * HOUR
NOW = 1_900_000_000_000_000
STAMPS = Stamps(b"k" * 32, "s")
ASKED = care.Asked(STAMPS, 30 * DAY)
NURSE = person(units={"HOSP|ICU"})
WARD = person("p-2", units={"HOSP|WARD"})
DOCTOR = person("p-3", staff_ids={"HOSP|D1"})


@pytest.fixture
def engine(tmp_path):
    found = connect(f"sqlite:///{tmp_path / 'x.db'}")
    create_tables(found)
    yield found
    found.dispose()


def said(
    turn, hours, *, at=None, subject="s1", encounter=b"v1", unit="HOSP|ICU", attending=("HOSP|D1",), event=""
):
    """What is said some hours after a moment, and since when it is so."""
    said_us = NOW + int(hours * HOUR)
    at_us = said_us if at is None else NOW + int(at * HOUR)
    return Said(
        subject,
        encounter,
        turn,
        event or turn.value,
        said_us,
        at_us,
        max(said_us, at_us),
        f"m{hours}",
        unit,
        attending,
    )


def room(per_patient_max=64, in_all_max=1_000, **more):
    return Room(per_patient_max, in_all_max, 30 * DAY, **more)


def after(engine, *statements, site="s"):
    """Take statements in this order; gives what was recorded."""
    with write(engine) as db:
        leaves = [leaf for one in statements for leaf in stays.take(db, site, [one], STAMPS, room())]
    return [leaf.record for leaf in leaves]


def who(engine, people=(NURSE, WARD, DOCTOR), *, subject="s1", now=NOW + 9 * HOUR, asked=ASKED, site="s"):
    with read(engine) as db:
        found = [(p.id, care.relation(db, site, p, subject, now, asked)) for p in people]
    return {id_: why.basis for id_, why in found if why is not None}


ADMIT = said(Turn.ADMIT, 1)
MOVE = said(Turn.MOVE, 3, unit="HOSP|WARD")
LEAVE = said(Turn.DISCHARGE, 5)
ALL = {"p-1": "unit", "p-3": "attending"}
MOVED = {"p-2": "unit", "p-3": "attending"}

STORIES = {
    "admitted": ([ADMIT], ALL),
    "transferred": ([ADMIT, MOVE], MOVED),
    "discharged": ([ADMIT, MOVE, LEAVE], {}),
    "admission cancelled": ([ADMIT, said(Turn.DISCHARGE, 2, at=1, event="A11")], {}),
    "transfer cancelled": ([ADMIT, MOVE, said(Turn.MOVE_BACK, 4, at=3)], ALL),
    "discharge cancelled": ([ADMIT, MOVE, LEAVE, said(Turn.RETURN, 6, at=5, unit="HOSP|WARD")], MOVED),
    "discharged again": (
        [ADMIT, LEAVE, said(Turn.RETURN, 6, at=5), said(Turn.DISCHARGE, 7, at=5.5)],
        {},
    ),
    "a transfer told late, after an update that did not know it": (
        [ADMIT, said(Turn.TELL, 4), said(Turn.MOVE, 5, at=3, unit="HOSP|WARD")],
        MOVED,
    ),
    "a discharge told late, after an update that did not know it": (
        [ADMIT, said(Turn.TELL, 4), said(Turn.DISCHARGE, 5, at=3)],
        {},
    ),
    "an old transfer filled in late": (
        [ADMIT, said(Turn.MOVE, 4, unit="HOSP|WARD"), said(Turn.MOVE, 6, at=2, unit="HOSP|ER")],
        MOVED,
    ),
    "another attending": ([ADMIT, said(Turn.TELL, 2, attending=("HOSP|D2",))], {"p-1": "unit"}),
    "nowhere that was named": ([ADMIT, said(Turn.MOVE, 2, unit=None, attending=None)], {"p-3": "attending"}),
    "back again under the same number": ([ADMIT, LEAVE, said(Turn.ADMIT, 6)], ALL),
}


@pytest.mark.parametrize("story", sorted(STORIES))
def test_the_same_story_in_any_order_ends_the_same(engine, story):
    statements, expected = STORIES[story]
    for number, order in enumerate(permutations(statements)):
        after(engine, *order, site=f"s{number}")
        got = who(engine, site=f"s{number}", asked=care.Asked(None, 30 * DAY))
        if order == tuple(statements):
            assert got == expected
        # Out of order nobody may be left with more than the story gives.
        assert got.items() <= expected.items(), [one.message for one in order]


@pytest.mark.parametrize("story", sorted(set(STORIES) - {"discharged again"}))
def test_orders_that_clocks_can_tell_lose_nobody_either(engine, story):
    statements, expected = STORIES[story]
    for number, order in enumerate(permutations(statements)):
        after(engine, *order, site=f"s{number}")
        if order[0].turn is Turn.ADMIT:
            assert who(engine, site=f"s{number}", asked=care.Asked(None, 30 * DAY)) == expected, [
                o.message for o in order
            ]


def test_in_the_same_second_whoever_came_last_is_right_but_an_end_stays(engine):
    after(engine, ADMIT, said(Turn.DISCHARGE, 1), said(Turn.ADMIT, 1))
    assert who(engine) == {}, "an admission of that second does not undo a discharge of it"


def test_a_discharge_that_names_no_encounter_is_of_all_of_them(engine):
    other = said(Turn.ADMIT, 2, encounter=b"v2", unit="HOSP|WARD")
    after(engine, ADMIT, other, said(Turn.DISCHARGE, 4, encounter=b""))
    assert who(engine) == {}


def test_a_new_number_for_another_class_ends_the_stay_before(engine):
    after(engine, ADMIT, said(Turn.CLASS, 2, encounter=b"v2", unit="HOSP|WARD", attending=()))
    assert who(engine) == {"p-2": "unit"}


def test_an_update_of_somebody_not_heard_of_begins_a_stay_that_anything_ends(engine):
    after(engine, said(Turn.TELL, 4))
    assert who(engine) == ALL
    after(engine, said(Turn.DISCHARGE, 3, at=2))
    assert who(engine) == {}


def test_records_say_counts_and_nothing_of_persons_or_places(engine):
    records = after(engine, ADMIT, said(Turn.TELL, 2), MOVE, LEAVE)
    assert [(r.kind, r.body["unit"]) for r in records] == [("care.began", True), ("care.ended", True)] * 2
    assert {r.subject for r in records} == {"s1"}
    assert records[0].body == {"at": ADMIT.at_us, "attending": 1, "event": "admit", "unit": True}


def test_of_another_patient_nothing_is_known(engine):
    after(engine, ADMIT)
    assert who(engine, subject="s2") == {}
    assert who(engine, subject="") == {}


def test_a_stay_of_which_nothing_was_heard_for_long_gives_nothing(engine):
    after(engine, ADMIT)
    assert who(engine, now=NOW + 30 * DAY) == ALL
    assert who(engine, now=NOW + 31 * DAY + HOUR) == {}


def assigned(**more):
    facts = {
        "id": "a1",
        "person": "p-9",
        "unit": "",
        "subject": "",
        "from_us": NOW,
        "until_us": NOW + 8 * HOUR,
        "source": "t",
    }
    return Assignment(**facts | more)


def assign(db, row, stamps=STAMPS):
    care_rows.assign(db, "s", [(row, care_rows.assignment_stamp(stamps, "s", row))])


@pytest.mark.parametrize(
    ("row", "hours", "basis"),
    [
        (assigned(unit="HOSP|ICU"), 7.99, "shift"),
        (assigned(unit="HOSP|ICU"), 8, None),
        (assigned(unit="HOSP|ICU"), -1, None),
        (assigned(unit="HOSP|WARD"), 2, None),
        (assigned(subject="s1"), 2, "assignment"),
        (assigned(subject="s2"), 2, None),
        (assigned(subject="s1", person="p-8"), 2, None),
        (assigned(subject="s1"), 8, None),
    ],
)
def test_a_shift_and_an_assignment_begin_and_end_to_the_moment(engine, row, hours, basis):
    after(engine, said(Turn.ADMIT, -2))
    with write(engine) as db:
        assign(db, row)
    got = who(engine, [person("p-9")], now=NOW + int(hours * HOUR))
    assert got == ({"p-9": basis} if basis else {})


def test_merged_subjects_are_one_patient_until_that_is_undone(engine):
    after(engine, ADMIT)
    with write(engine) as db:
        care_rows.tie(db, "s", [Tie("e1", "s1", "s0"), Tie("e2", "s0", "s9")], STAMPS)
    assert who(engine, subject="s9") == ALL
    after(engine, said(Turn.DISCHARGE, 5, subject="s9"))
    assert who(engine, subject="s1") == {}, "said of one, true of both"
    after(engine, said(Turn.RETURN, 6, subject="s9"))
    with write(engine) as db:
        care_rows.tie(db, "s", [Tie("e3", "s1", "s0", "e1")], None)
    assert (who(engine, subject="s9"), who(engine, subject="s1")) == ({}, ALL)


@pytest.mark.parametrize("table", ["care_stay", "care_assignment", "care_tie", "care_name"])
def test_a_row_that_somebody_else_wrote_counts_for_nothing(engine, table):
    """The database's administrator, or a captured process, has no key to stamp with."""
    forger = Stamps(b"f" * 32, "s")
    with write(engine) as db:
        theirs = {
            name: forger if name == table else STAMPS
            for name in ("care_stay", "care_assignment", "care_tie", "care_name")
        }
        stays.take(db, "s", [ADMIT], theirs["care_stay"], room())
        assign(db, assigned(subject="s5"), theirs["care_assignment"])
        care_rows.tie(db, "s", [Tie("e1", "s1", "s7")], theirs["care_tie"])
        care_rows.name(db, "s", "s1", [b"h"], theirs["care_name"])
    got = {
        "care_stay": who(engine),
        "care_assignment": who(engine, [person("p-9")], subject="s5", now=NOW + HOUR),
        "care_tie": who(engine, subject="s7"),
        "care_name": care_rows.named(engine.connect(), "s", [b"h"], STAMPS),
    }
    assert not got.pop(table)
    assert got.pop("care_tie", ALL) == (ALL if table != "care_stay" else {})
    assert all(got.values())
    assert who(engine, asked=care.Asked(None, 30 * DAY)) == ALL, (
        "the rows are there; only the stamps fail them"
    )


def test_a_changed_row_counts_for_nothing(engine):
    after(engine, ADMIT)
    with write(engine) as db:
        db.exec_driver_sql("UPDATE care_stay SET unit = 'HOSP|WARD'")
    assert who(engine) == {}


def test_erasing_takes_everything_along(engine):
    after(engine, ADMIT)
    with write(engine) as db:
        care_rows.name(db, "s", "s1", [b"h"], STAMPS)
        assign(db, assigned(subject="s1"))
        care_rows.forget(db, "s", ["s1"])
        assert care_rows.stays_of(db, "s", ["s1"]) == care_rows.assignments(db, "s") == []
        assert care_rows.named(db, "s", [b"h"], STAMPS) == ""


def test_mine_lists_what_relation_says(engine):
    after(
        engine,
        ADMIT,
        said(Turn.ADMIT, 1, subject="s2", encounter=b"v2", unit="HOSP|WARD", attending=("HOSP|D",)),
    )
    with write(engine) as db:
        assign(db, assigned(person="p-3", subject="s5"))
    with read(engine) as db:
        got = {
            p.id: [(s, r.basis) for s, r in care.mine(db, "s", p, NOW + 2 * HOUR, ASKED)]
            for p in (NURSE, WARD, DOCTOR)
        }
    assert got == {
        "p-1": [("s1", "unit")],
        "p-2": [("s2", "unit")],
        "p-3": [("s5", "assignment"), ("s1", "attending")],
    }
    with read(engine) as db:
        for p in (NURSE, WARD, DOCTOR):
            for subject, why in care.mine(db, "s", p, NOW + 2 * HOUR, ASKED):
                assert care.relation(db, "s", p, subject, NOW + 2 * HOUR, ASKED) == why
