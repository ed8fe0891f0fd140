"""What is seen on the network, its lists and the map do on PostgreSQL what they do on SQLite: the same tests, another database."""

import pytest
from tests.opened import folder  # noqa: F401  a fixture
from tests.postgres import needs_postgres, postgres_server, postgres_url  # noqa: F401  fixtures
from tests.unit.governance.conftest import office  # noqa: F401  a fixture
from tests.unit.mapping.test_telling import (  # noqa: F401  its tests and fixtures run here too
    clocked,
    test_a_host_stands_for_the_address_that_a_name_server_answered_never_for_who_calls_itself_so,
    test_a_part_never_says_that_something_was_not_seen,
    test_all_is_told_by_itself_and_told_again_only_counts,
    test_what_differs_is_told_and_what_is_gone_is_cleared,
)
from tests.unit.network.test_totals_kept import (  # noqa: F401  likewise
    engine,
    test_a_group_comes_with_its_place_or_not_at_all,
    test_a_source_is_told_by_how_it_begins_wherever_it_lies,
    test_a_source_that_was_read_and_a_plan_are_records_without_addresses,
    test_another_holder_of_an_address_is_another_conversation,
    test_another_plan_moves_conversations_to_other_zones,
    test_classes_in_clear_text_stand_with_their_conversation,
    test_groups_add_up_and_are_read_by_peer_zone_and_hour,
    test_old_hours_go_and_conversations_nobody_saw_since,
)
from tests.unit.observing.test_exported import (  # noqa: F401  likewise
    test_a_list_is_gone_through_in_batches_and_a_dry_run_changes_nothing,
    test_a_models_file_is_what_its_devices_spoke,
    test_everything_can_be_had_and_taken_in_again,
)
from tests.unit.observing.test_late import (  # noqa: F401  likewise
    in_time,
    small,
    test_a_lease_of_days_before_has_what_was_seen_of_its_address_since,
    test_killed_in_the_middle_it_goes_on_and_doubles_nothing,
    test_sums_go_to_the_two_devices_that_had_an_address_one_after_the_other,
    test_whichever_is_read_first_each_device_did_the_same,
    test_whoever_never_answered_has_its_sums_too_and_classes_in_clear_text_go_along,
)
from tests.unit.observing.test_run import (  # noqa: F401  likewise
    test_a_dry_run_stores_nothing,
    test_two_runs_over_one_source_add_it_once,
    test_who_was_seen_is_there_with_who_held_the_address_then,
)
from tests.unit.observing.test_versions import (  # noqa: F401  likewise
    test_a_flow_that_went_on_for_days_has_one_version,
    test_ended_in_the_middle_it_goes_on_and_gives_once,
    test_tls_that_a_later_run_reads_goes_on_flows_that_are_stored,
)

from oathward.app import build, create
from oathward.core.settings import load

pytestmark = needs_postgres


@pytest.fixture
def url(postgres_url):  # noqa: F811  the fixture
    """A database of the test's own."""
    return postgres_url


@pytest.fixture
def site(url, tmp_path):
    """A site whose database is PostgreSQL."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "oathward.toml").write_text(f'[database]\nurl = "{url}"\n')
    create(load(data))
    opened = build(load(data), "admin")
    yield opened
    opened.keeper.close()
    opened.engine.dispose()
