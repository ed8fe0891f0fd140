"""Changes of policy on PostgreSQL: the same rows, the same steps, and the same refusals of what was tampered with."""

import pytest
from tests.postgres import needs_postgres, postgres_engine, postgres_server, postgres_url  # noqa: F401  fixtures
from tests.unit.changes import test_changes as cases

import oathward.app  # noqa: F401  declares every table

pytestmark = needs_postgres


@pytest.mark.parametrize(
    "case",
    [
        cases.test_a_proposal_is_read_as_it_was_written,
        cases.test_what_was_proposed_takes_no_more_attachments,
        cases.test_attachments_have_an_end,
        cases.test_a_file_is_kept_by_what_it_is,
        cases.test_what_starts_from_another_version_goes_stale,
        cases.test_an_emergency_is_due_and_then_overdue,
        cases.test_what_somebody_writes_is_theirs_alone,
        cases.test_lists_page_from_the_newest,
    ],
    ids=lambda case: case.__name__,
)
def test_as_elsewhere(engine, case):
    case(engine)
