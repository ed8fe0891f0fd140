"""What was kept of a patient, in the order of a copy: the same answers of PostgreSQL."""

from tests.postgres import needs_postgres, postgres_engine, postgres_server, postgres_url  # noqa: F401  fixtures
from tests.unit.vault import test_kept

pytestmark = needs_postgres
engine, ids = postgres_engine, test_kept.ids

test_the_newest_ids_are_each_message_once = (
    test_kept.test_the_newest_ids_are_each_message_once_and_of_one_patient
)
test_parts_follow_each_other = test_kept.test_parts_follow_each_other_without_a_gap_or_a_message_twice
