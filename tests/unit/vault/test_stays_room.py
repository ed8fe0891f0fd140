"""Promises about how many stays there are: a source fills no disk, and what a limit does is on record."""

import dataclasses

import pytest
from tests.unit.vault.test_stays import (
    ADMIT,
    ALL,
    DAY,
    HOUR,
    LEAVE,
    NOW,
    STAMPS,
    assign,
    assigned,
    room,
    said,
    who,
)

import oathward.vault.care_rows  # noqa: F401  declares its tables
from oathward.core.db import connect, create_tables, read, write
from oathward.core.settings import People
from oathward.vault import care_room, care_rows, stays
from oathward.vault.care_rows import Tie
from oathward.vault.stays import Turn
from oathward.vault.stays_moved import Moved, move

LIMIT = {"finding": "care.limit", "about": "patient"}
PEOPLE = People(care_silence_days=30.0, care_ended_days=30.0)


@pytest.fixture
def engine(tmp_path):
    found = connect(f"sqlite:///{tmp_path / 'x.db'}")
    create_tables(found)
    yield found
    found.dispose()


def take(engine, where, *statements):
    with write(engine) as db:
        leaves = [leaf for one in statements for leaf in stays.take(db, "s", [one], STAMPS, where)]
    return [(leaf.record.kind, leaf.record.body) for leaf in leaves]


def visit(n, turn=Turn.ADMIT, **more):
    return said(turn, n, encounter=f"v{n}".encode(), **more)


def there(engine, subjects=("s1",)):
    with read(engine) as db:
        return {one.encounter.decode(): one.ended_us is None for one in care_rows.stays_of(db, "s", subjects)}


def test_beyond_the_limit_of_a_patient_the_stay_longest_unheard_of_ends_on_record(engine):
    where = room(3)
    take(engine, where, *(visit(n) for n in range(1, 4)))
    take(engine, where, said(Turn.TELL, 5, encounter=b"v1", unit="HOSP|WARD"))
    records = take(engine, where, visit(6))
    assert [kind for kind, _ in records] == ["finding.raised", "care.ended", "care.began"]
    assert records[0][1] == LIMIT
    assert there(engine) == {"v1": True, "v2": False, "v3": True, "v6": True}


def test_tied_subjects_are_one_patient_to_the_limit_too(engine):
    with write(engine) as db:
        care_rows.tie(db, "s", [Tie("e1", "s1", "s2")], STAMPS)
    where = room(2)
    take(engine, where, visit(1), visit(2, subject="s2"))
    assert LIMIT in [body for _, body in take(engine, where, visit(3))]
    assert sum(there(engine, ("s1", "s2")).values()) == 2


def test_a_stay_nobody_speaks_of_takes_no_place(engine):
    where = room(1)
    take(engine, where, visit(1))
    assert [kind for kind, _ in take(engine, where, visit(24 * 31))] == ["care.began"]


def test_admissions_and_discharges_without_end_leave_a_bounded_number_of_rows(engine):
    where = room(4)
    for n in range(1, 40):
        take(engine, where, visit(n), said(Turn.DISCHARGE, n + 0.5, encounter=f"v{n}".encode()))
    assert len(there(engine)) <= 6
    assert "v39" in there(engine)


def test_beyond_the_limit_of_all_a_new_stay_is_a_finding_and_those_there_go_on(engine):
    where = room(in_all_max=2)
    take(engine, where, ADMIT, said(Turn.ADMIT, 1, subject="s2"))
    assert take(engine, where, said(Turn.ADMIT, 2, subject="s3")) == [
        ("finding.raised", {"finding": "care.limit", "about": "site"})
    ]
    assert who(engine, subject="s3") == {}
    assert who(engine) == ALL
    take(engine, where, LEAVE)
    assert who(engine) == {}


def test_room_that_house_keeping_made_is_seen_within_a_minute(engine):
    now = [0.0]
    where = room(in_all_max=1, monotonic=lambda: now[0])
    take(engine, where, ADMIT)
    with write(engine) as db:
        care_rows.forget(db, "s", ["s1"])
    assert take(engine, where, visit(2, subject="s2"))[0][0] == "finding.raised"
    now[0] += care_room.COUNTED_ANEW_S
    assert take(engine, where, visit(3, subject="s2"))[0][0] == "care.began"


def test_at_the_limit_of_all_the_ended_stay_longest_unheard_of_is_forgotten_first(engine):
    where = room(in_all_max=3)
    take(engine, where, visit(1), visit(2, subject="s2"), visit(3, subject="s3"))
    for n, subject in ((4, "s2"), (5, "s1")):
        number = b"v2" if subject == "s2" else b"v1"
        take(engine, where, said(Turn.DISCHARGE, n, encounter=number, subject=subject))
    with write(engine) as db:
        care_rows.name(db, "s", "s2", [b"h"], STAMPS)
    records = take(engine, where, visit(6, subject="s4"))
    assert records == [
        ("care.began", records[0][1]),
        ("care.forgotten", {"ended": 1, "silent": 0}),
    ]
    assert there(engine, ("s1", "s2", "s3", "s4")) == {"v1": False, "v3": True, "v6": True}
    with read(engine) as db:
        assert care_rows.named(db, "s", [b"h"], STAMPS) == "", "nor is that patient called anything"
    take(engine, where, visit(7, subject="s5"))
    assert take(engine, where, visit(8, subject="s6"))[0] == (
        "finding.raised",
        {"finding": "care.limit", "about": "site"},
    )
    assert there(engine, ("s1", "s3", "s4", "s5", "s6")) == {"v3": True, "v6": True, "v7": True}


def test_a_full_site_is_one_finding_an_hour_and_not_one_a_message(engine):
    where = room(in_all_max=1)
    take(engine, where, ADMIT)
    found = [take(engine, where, visit(2 + n / 100, subject=f"p{n}")) for n in range(3)]
    assert [len(one) for one in found] == [1, 0, 0]
    again = take(engine, where, visit(2.0, subject="p0"))
    assert len(again) == 1, "the same message, tried again"
    assert len(take(engine, where, visit(3.1, subject="p9"))) == 1


@pytest.mark.parametrize(("begun", "kept_days"), [(False, 7), (True, 30)])
def test_what_ended_and_never_began_here_is_kept_for_the_order_of_messages_alone(engine, begun, kept_days):
    take(engine, room(), *([ADMIT] if begun else []), LEAVE)
    heard = NOW + 5 * HOUR
    assert forget(engine, heard + kept_days * DAY) == (0, 0)
    assert forget(engine, heard + kept_days * DAY + 1) == (1, 0)


def test_what_is_moved_from_nobody_known_ends_whomever_it_is_of(engine):
    take(engine, room(), visit(1), visit(2))
    moved = Moved(visit(3, Turn.TELL, subject="s2"), (b"x",), b"v1", b"")
    with write(engine) as db:
        leaves = move(db, "s", [moved], lambda *_: [], STAMPS, room())
    assert [leaf.record.body.get("finding") for leaf in leaves] == ["care.prior-unknown", None]
    assert there(engine) == {"v1": False, "v2": True}
    assert take(engine, room(), said(Turn.ADMIT, 2, encounter=b"v1", subject="s3")) == []
    assert there(engine, ("s3",)) == {"v1": False}
    take(engine, room(), said(Turn.ADMIT, 4, encounter=b"v1", subject="s4"))
    assert there(engine, ("s4",)) == {"v1": True}, "said after the move"


def forget(engine, now_us, limit=100, people=PEOPLE):
    with write(engine) as db:
        return dataclasses.astuple(care_room.forget_before(db, "s", people, now_us, limit))


def test_ended_stays_are_forgotten_after_their_time_and_open_ones_are_not(engine):
    take(engine, room(), ADMIT, LEAVE, said(Turn.ADMIT, 1, subject="s2"))
    ends = NOW + 5 * HOUR + 30 * DAY
    assert forget(engine, ends) == (0, 0)
    assert forget(engine, ends + 1) == (1, 0)
    assert (there(engine), there(engine, ("s2",))) == ({}, {"v1": True})


def test_a_stay_whose_end_was_lost_goes_when_it_has_long_given_nothing(engine):
    take(engine, room(), ADMIT)
    assert forget(engine, NOW + HOUR + 60 * DAY) == (0, 0)
    assert forget(engine, NOW + HOUR + 60 * DAY + 1) == (0, 1)


def test_an_end_long_ago_is_kept_as_long_as_its_message_is_new(engine):
    """A discharge entered a year late: what comes behind it still finds it."""
    take(engine, room(), said(Turn.DISCHARGE, 2, at=-365 * 24))
    assert forget(engine, NOW + DAY) == (0, 0)


def test_the_oldest_are_forgotten_first_and_so_many_at_once(engine):
    take(engine, room(), *(visit(n, Turn.DISCHARGE) for n in (3, 1, 2)))
    assert forget(engine, NOW + 99 * DAY, limit=2) == (2, 0)
    assert list(there(engine)) == ["v3"]


@pytest.mark.parametrize("keeps", ["", "a stay", "a tie", "an assignment"])
def test_with_the_last_of_a_patient_goes_what_the_patient_is_called(engine, keeps):
    take(engine, room(), ADMIT, LEAVE)
    with write(engine) as db:
        care_rows.name(db, "s", "s1", [b"h"], STAMPS)
        if keeps == "a tie":
            care_rows.tie(db, "s", [Tie("e1", "s1", "s2")], STAMPS)
        if keeps == "an assignment":
            assign(db, assigned(subject="s1"))
    if keeps == "a stay":
        take(engine, room(), visit(24 * 40))
    assert forget(engine, NOW + 45 * DAY) == (1, 0)
    with read(engine) as db:
        assert care_rows.named(db, "s", [b"h"], STAMPS) == ("s1" if keeps else "")


def test_reverse_without_house_keeping_they_are_there_for_good(engine):
    take(engine, room(), ADMIT, LEAVE)
    assert forget(engine, NOW + 10_000 * DAY, people=dataclasses.replace(PEOPLE, care_ended_days=1e9)) == (
        0,
        0,
    )
    assert there(engine) == {"v1": False}
