"""Findings on PostgreSQL: raised, listed by page, counted, suppressed, woken and forgotten, as on SQLite."""

import pytest
from tests.postgres import needs_postgres, postgres_server, postgres_url  # noqa: F401  fixtures
from tests.unit.findings.test_findings import (  # noqa: F401  its tests and fixtures run here too
    engine,
    test_counts_of_each_filter_are_what_it_would_leave,
    test_lists_go_by_page_the_gravest_and_first_due_on_top,
    test_many_at_once_are_decided_where_their_state_allows_it,
    test_suppressed_it_is_in_no_list_of_open_ones_until_its_end_and_wakes_once,
    test_what_its_source_sees_no_longer_is_cleared_and_back_it_is_the_same_with_its_owner,
    test_what_was_cleared_long_ago_goes_with_its_history,
)

pytestmark = needs_postgres


@pytest.fixture
def url(postgres_url):  # noqa: F811  the fixture
    """A database of the test's own."""
    return postgres_url
