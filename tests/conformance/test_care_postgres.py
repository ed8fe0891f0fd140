"""Stays, shifts, ties and names on PostgreSQL: the same promises."""

import pytest
from tests.postgres import needs_postgres, postgres_engine, postgres_server, postgres_url  # noqa: F401  fixtures
from tests.unit.vault import test_stays as promises
from tests.unit.vault import test_stays_room as bounded

from oathward.core.db import read, write
from oathward.vault import care_rows, kept

pytestmark = needs_postgres


@pytest.fixture
def engine(postgres_engine):  # noqa: F811  a fixture
    return postgres_engine


@pytest.mark.parametrize("story", ["discharge cancelled", "transferred"])
def test_stories_in_any_order(engine, story):
    promises.test_the_same_story_in_any_order_ends_the_same(engine, story)


def test_ties_merge_and_part(engine):
    promises.test_merged_subjects_are_one_patient_until_that_is_undone(engine)


def test_lists_and_single_answers_agree(engine):
    promises.test_mine_lists_what_relation_says(engine)


def test_forged_rows_count_for_nothing(engine):
    promises.test_a_row_that_somebody_else_wrote_counts_for_nothing(engine, "care_stay")


def test_shifts_end(engine):
    row = promises.assigned(unit="HOSP|ICU")
    promises.test_a_shift_and_an_assignment_begin_and_end_to_the_moment(engine, row, 7.99, "shift")


def test_names_are_found_and_forgotten(engine):
    with write(engine) as db:
        care_rows.name(db, "s", "s1", [b"h", b"i"], promises.STAMPS)
        care_rows.name(db, "s", "s1", [b"h"], promises.STAMPS)
        assert care_rows.named(db, "s", [b"x", b"h"], promises.STAMPS) == "s1"
        care_rows.forget(db, "s", ["s1"])
        assert care_rows.named(db, "s", [b"h"], promises.STAMPS) == ""


def test_the_newest_originals_of_several_subjects(engine):
    with read(engine) as db:
        assert kept.newest(db, "s", ["s1", "s2"], after="", limit=5) == []


def test_stays_are_bounded_and_forgotten(engine):
    bounded.test_admissions_and_discharges_without_end_leave_a_bounded_number_of_rows(engine)


def test_with_the_last_stay_goes_the_name(engine):
    bounded.test_with_the_last_of_a_patient_goes_what_the_patient_is_called(engine, "")


def test_beyond_the_limit_of_all_nothing_begins(engine):
    bounded.test_beyond_the_limit_of_all_a_new_stay_is_a_finding_and_those_there_go_on(engine)


def test_at_the_limit_of_all_ended_stays_are_forgotten_first(engine):
    bounded.test_at_the_limit_of_all_the_ended_stay_longest_unheard_of_is_forgotten_first(engine)


def test_what_is_moved_from_nobody_known_ends_and_stays_ended(engine):
    bounded.test_what_is_moved_from_nobody_known_ends_whomever_it_is_of(engine)
