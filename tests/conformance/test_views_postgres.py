"""Lists of messages give on PostgreSQL what they give on SQLite: the same tests, another database."""

import pytest
from tests.postgres import needs_postgres, postgres_server, postgres_url  # noqa: F401  fixtures
from tests.unit.messages.test_views import (  # noqa: F401  its tests and fixtures run here too
    db,
    test_a_list_of_some_devices_has_theirs_alone,
    test_a_look_that_ended_early_says_how_far_it_came,
    test_counts_stop_at_a_bound_and_say_so,
    test_filters_find_all_whatever_is_looked_at_in_one_go,
    test_pages_give_every_message_once_newest_first,
    test_quarantine_is_listed_by_state_and_reason,
    test_what_is_newer_than_a_page_is_counted,
    test_what_waits_is_told_by_link_with_its_oldest,
)

pytestmark = needs_postgres


@pytest.fixture
def url(postgres_url):  # noqa: F811  the fixture
    """A database of the test's own."""
    return postgres_url
