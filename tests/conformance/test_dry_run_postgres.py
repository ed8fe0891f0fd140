"""A dry run and a policy review on PostgreSQL: the same records, the same numbers, findings kept and signed off."""

import random

import pytest
from bench import bench_dryrun as made
from tests.postgres import needs_postgres, postgres_server, postgres_url  # noqa: F401  fixtures

from oathward.changes import findings_actions, findings_views
from oathward.changes.findings_model import FindingState
from oathward.core.db import connect, create_tables, read, write
from oathward.dry_running import dry_run
from oathward.policy.review_findings import Proposal, ReviewFinding

pytestmark = needs_postgres
UNTIL_US = made.BASE_US + 8 * made.DAY_US


@pytest.fixture
def engine(postgres_url):  # noqa: F811  the fixture
    engine = connect(postgres_url)
    create_tables(engine)
    yield engine
    engine.dispose()


def test_it_finds_what_it_finds_on_sqlite(engine, tmp_path):
    other = connect(f"sqlite:///{tmp_path / 'x.db'}")
    create_tables(other)
    bodies = []
    for one in (engine, other):
        made.build(one, random.Random(1), 300)
        found = dry_run(one, made.SITE, made.before(), made.after(), since_us=made.BASE_US, until_us=UNTIL_US)
        assert (found.decisions, found.undecided) == (300, 0)
        assert found.changed > 50
        bodies.append(found.links[0].counts)
    other.dispose()
    assert bodies[0] == bodies[1]


def test_findings_are_kept_and_signed_off(engine):
    found = ReviewFinding(
        "link.unused", "link:ehr", "nothing passed", Proposal("take it away", {"links/ehr.toml": None})
    )
    with write(engine) as db:
        made.start(db, made.SITE, "test/ledger", "key", 1)
        row = findings_views.row_of(found, "b", 5)
        assert findings_actions.take_in(db, made.SITE, [row], 5)["new"] == 1
        assert findings_actions.take_in(db, made.SITE, [row], 6)["new"] == 0
        findings_actions.sign_off(db, made.SITE, found.id, by="p", why="w", days=1, now_us=7)
    with read(engine) as db:
        (view,) = findings_views.findings(db, made.SITE, 8, [FindingState.SIGNED_OFF])
        assert findings_views.counts(db, made.SITE) == {"signed-off": 1}
    assert (view.row.by, view.proposal) == ("p", found.proposal)
