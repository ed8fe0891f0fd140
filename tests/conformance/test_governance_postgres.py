"""The register and the counters of traffic do on PostgreSQL what they do on SQLite: the same tests, another database."""

import pytest
from tests.postgres import needs_postgres, postgres_server, postgres_url  # noqa: F401  fixtures
from tests.unit.gateway.test_traffic import (  # noqa: F401  its tests and fixtures run here too
    engine,
    test_each_link_has_what_left_on_it,
    test_rows_are_added_to_and_summed_by_day,
)
from tests.unit.governance.conftest import office  # noqa: F401  a fixture
from tests.unit.governance.test_actions import (  # noqa: F401  likewise
    test_an_agreement_is_written_once_changed_when_asked_and_ended,
    test_an_assessment_stands_once_another_person_approved_it,
    test_an_entry_becomes_active_with_owner_and_steward_and_a_day_of_review,
    test_the_newest_that_was_approved_counts_and_a_draft_takes_the_place_of_none,
)
from tests.unit.governance.test_connections import (  # noqa: F401  likewise
    test_a_connection_is_kept_as_it_was_said_and_is_a_record,
    test_one_that_is_there_changes_only_where_that_is_meant_and_ends_once,
)
from tests.unit.governance.test_findings import (  # noqa: F401  likewise
    test_a_link_with_all_it_needs_is_no_finding,
)

from oathward.core.db import read, write
from oathward.messages import traffic
from oathward.messages.traffic import Counts

pytestmark = needs_postgres


@pytest.fixture
def url(postgres_url):  # noqa: F811  the fixture
    """A database of the test's own."""
    return postgres_url


def test_counts_of_traffic_are_added_up(engine):  # noqa: F811  the fixture
    for _ in range(2):
        with write(engine) as db:
            traffic.add(db, "north", {(0, "pump", ""): Counts(messages=3, malformed=1, unknown_device=2)})
    with read(engine) as db:
        (row,) = traffic.by_day(db, "north", 0, traffic.DAY_US)
    assert row == (0, "pump", "", Counts(messages=6, malformed=2, unknown_device=4))
