"""Findings on PostgreSQL: raised, listed by page, counted, suppressed, woken and forgotten, as on SQLite."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.postgres import needs_postgres, postgres_server, postgres_url  # noqa: F401  fixtures
from tests.unit.findings.test_findings import (  # noqa: F401  its tests and fixtures run here too
    SITE,
    T,
    all_of,
    engine,
    records,
    tell,
    test_counts_of_each_filter_are_what_it_would_leave,
    test_lists_go_by_page_the_gravest_and_first_due_on_top,
    test_many_at_once_are_decided_where_their_state_allows_it,
    test_suppressed_it_is_in_no_list_of_open_ones_until_its_end_and_wakes_once,
    test_what_its_source_sees_no_longer_is_cleared_and_back_it_is_the_same_with_its_owner,
    test_what_was_cleared_long_ago_goes_with_its_history,
    undeclared,
)

from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.findings import actions

pytestmark = needs_postgres


@pytest.fixture
def url(postgres_url):  # noqa: F811  the fixture
    """A database of the test's own."""
    return postgres_url


WAITS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def at_once(engine, first, second):  # noqa: F811  the fixture
    """Do the first, and the second once that waits for somebody; gives what the second gave or raised."""

    def other():
        with write(engine) as db:
            return second(db)

    with ThreadPoolExecutor(1) as pool:
        with write(engine) as db:
            first(db)
            later = pool.submit(other)
            waits = 0
            while not waits and not later.done():
                with read(engine) as looks:
                    waits = looks.exec_driver_sql(WAITS).scalar_one()
        return later.exception() or later.result()


def test_what_two_people_decide_at_once_one_of_them_decides(engine):  # noqa: F811  the fixture
    tell(engine, undeclared(1))
    ids = [row.id for row in all_of(engine)]

    def given(db):
        return actions.assign(db, SITE, ids, by="p-1", to="p-2", now_us=T + 1)

    found = at_once(engine, given, given)
    assert isinstance(found, InputError), found
    assert found.reason is Reason.CONFLICT
    assert [kind for kind, _ in records(engine)].count("finding.assigned") == 1


def test_what_is_decided_while_its_source_clears_it_stays_cleared(engine):  # noqa: F811  the fixture
    tell(engine, undeclared(1))
    ids = [row.id for row in all_of(engine)]
    found = at_once(
        engine,
        lambda db: actions.clear_unseen(db, SITE, "mapping", T + 1, T + 1),
        lambda db: actions.suppress(
            db, SITE, ids, by="p-1", why="x", until_us=T + 86_400_000_000, now_us=T + 1
        ),
    )
    assert isinstance(found, InputError), found
    assert [row.id for row in all_of(engine, state="cleared")] == ids
