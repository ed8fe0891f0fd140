"""What is kept of patients and of who sees them, on PostgreSQL: the same promises as elsewhere, by the same code."""

import pytest
from tests.postgres import needs_postgres, postgres_engine, postgres_server, postgres_url  # noqa: F401  fixtures
from tests.unit.accesses import test_reviews as reviews
from tests.unit.consent import test_effects as effects
from tests.unit.consent import test_listing as listing
from tests.unit.consent import test_withdrawals as withdrawals
from tests.unit.consent.conftest import Office
from tests.unit.gateway import test_care_deaths as deaths
from tests.unit.gateway import test_notices as notices
from tests.unit.gateway.test_merges import two  # noqa: F401  a fixture
from tests.unit.jobs import test_jobs as jobs
from tests.unit.patients import test_confirming as confirming
from tests.unit.patients.making import Site
from tests.unit.uploads import test_uploads as uploads

import oathward.app  # noqa: F401  declares every table
from oathward.core.ids import uuid7

pytestmark = needs_postgres

merged, signer, policy, take = confirming.merged, confirming.signer, effects.policy, listing.take
"""Fixtures of theirs, over an engine of ours."""


@pytest.fixture
def office(engine):
    return Office(engine)


@pytest.fixture
def site(engine):
    return Site(engine)


@pytest.fixture
def database(postgres_url):  # noqa: F811  the fixture
    """Settings of a whole site."""
    return f'[database]\nurl = "{postgres_url}"\n'


def test_what_a_withdrawal_did_is_noted(office, policy):
    effects.test_what_a_version_did_is_noted_once_with_a_record(office, uuid7(), policy)


def test_versions_are_noticed(office):
    effects.test_versions_are_noticed_once_late_ones_too(office, uuid7(), uuid7())


def test_a_link_is_as_slow_as_its_slower_process(office, policy):
    withdrawals.test_a_link_is_as_slow_as_its_slower_process_and_half_and_worst_are_told(
        office, uuid7(), policy
    )


def test_the_list_of_consents(office, take):
    listing.test_a_merge_makes_one_row_and_finds_what_contradicts_across_it(office, take, uuid7(), uuid7())


def test_pages_of_the_list_of_consents(office, take):
    listing.test_pages_follow_each_other_and_hold_everybody_once(office, take)


@pytest.mark.parametrize(
    "case",
    [
        uploads.test_seen_again_it_is_one_and_only_news_is_on_record,
        uploads.test_one_that_is_over_is_over_once_and_seen_anew_is_another,
        uploads.test_a_missing_yes_is_a_finding_once_an_answer,
        uploads.test_an_erased_patient_leaves_no_row,
    ],
    ids=lambda case: case.__name__,
)
def test_uploads(engine, case):
    case(engine)


@pytest.mark.parametrize(
    "case",
    [
        jobs.test_a_job_is_on_record_when_it_begins_and_when_it_ends,
        jobs.test_what_is_told_of_a_file_again_is_told_once,
        jobs.test_held_items_come_in_pages_that_miss_none,
        jobs.test_jobs_are_listed_newest_first_and_by_filter,
    ],
    ids=lambda case: case.__name__,
)
def test_jobs(engine, case):
    case(engine)


@pytest.mark.parametrize(
    "case",
    [
        reviews.test_what_nothing_explains_waits_and_what_something_explains_does_not,
        reviews.test_another_person_reviews_once_with_words,
        reviews.test_overdue_is_a_finding_once_and_not_before,
        reviews.test_openings_of_one_person_and_patient_are_reviewed_together_and_no_others,
        reviews.test_a_roster_replaces_what_it_said_of_that_time_and_is_on_record,
        reviews.test_an_order_is_found_and_explains,
    ],
    ids=lambda case: case.__name__,
)
def test_reviews_of_access(engine, case):
    reviews.take(engine, reviews.T)
    case(engine)


def test_a_merge_is_crossed_once_confirmed(site, signer, merged):
    confirming.test_a_merge_ties_at_once_and_is_crossed_only_once_confirmed(site, signer, merged)


def test_notices_of_a_withdrawal(database, tmp_path, two, monkeypatch):  # noqa: F811  the fixture
    with notices.opened(tmp_path / "s", database) as world:
        notices.test_a_withdrawal_is_told_as_each_link_knows_the_patient(world, two, monkeypatch)


def test_a_death_ends_access(database, tmp_path):
    with deaths.opened(tmp_path / "s", database) as world:
        deaths.test_a_mistake_is_undone_by_staff_and_stays_undone(world, "7000001")
        deaths.test_erasing_a_patient_forgets_the_death(world, "7000002")
