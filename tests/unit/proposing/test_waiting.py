"""What waits to be delivered is told before a change of policy that it may be withdrawn by, with the links it waits on."""

import html

import pytest
from tests.outbox import waiting
from tests.unit.cli.test_policy_change import line  # noqa: F401  fixture
from tests.unit.proposing.test_proposing import LESS, OTHER
from tests.unit.web import test_policy_api, test_policy_pages

from oathward import proposing
from oathward.core.db import write
from oathward.messages import sql
from oathward.web.frame import create


@pytest.fixture
def full(site):
    """Three deliveries for the maker (one of them blocked), one that is dead, and one for the record at the bedside."""
    rows = [
        waiting("W1", link="vendor-cloud", state="pending"),
        waiting("W2", link="vendor-cloud", state="pending"),
        waiting("W3", link="vendor-cloud", state="blocked"),
        waiting("W4", link="vendor-cloud", state="dead", reason="permit.narrowed"),
        waiting("W5", link="ehr", state="pending"),
    ]
    with write(site.opened.engine) as db:
        sql.insert_outbox(db, rows)
    return site


WORDS = (
    "vendor-cloud: 3 deliveries wait now, and less leaves on this link; each is decided again when this comes in force,"
    " and what is no longer permitted just as it was is withdrawn and never sent."
)


def told(people, files):
    return [
        (one.link, one.deliveries, one.less, one.words)
        for one in proposing.shown(people.opened, people.draft(files).id).waiting
    ]


def test_what_waits_on_a_link_that_loses_something_is_counted(full):
    assert told(full, LESS) == [("vendor-cloud", 3, True, WORDS)]


def test_a_link_that_nothing_touches_is_not_named(full):
    assert told(full, OTHER) == []


def test_once_it_is_decided_nothing_is_foretold(full):
    row = full.proposed(LESS)
    proposing.withdraw(full.opened, row.id, "no", *full.as_("ines"))
    assert proposing.shown(full.opened, row.id).waiting == ()


def test_the_page_says_it(full):
    full.app = create(full.opened)
    row = full.draft(LESS)
    page = test_policy_pages.Person(full, "ines").page(f"/policies/proposals/{row.id}")
    assert WORDS in page
    assert "Waiting now" in page


def test_the_emergency_says_it_before_it_is_put_in_force(full):
    full.app = create(full.opened)
    full.person = lambda id_, **how: test_policy_pages.Person(full, id_, **how)
    sara, form = test_policy_pages.typed(full, "sara")
    assert WORDS in html.unescape(sara.post("/policies/edit/emergency", form).text)


def test_one_step_back_says_it(full):
    full.app = create(full.opened)
    full.agree("MSA-2026-007", "Example Devices Inc.", "vendor-cloud", "HOPERAT")
    full.through(LESS)
    page = html.unescape(test_policy_pages.Person(full, "paul").post("/policies/back").text)
    assert "vendor-cloud: 3 deliveries wait now; each is decided again" in page


def test_the_api_says_it(full):
    full.app = create(full.opened)
    row = full.draft(LESS)
    whole = test_policy_api.Caller(full, "ines").get(f"/proposals/{row.id}").json()
    assert whole["waiting"] == [{"link": "vendor-cloud", "deliveries": 3, "less": True, "words": WORDS}]


def test_the_command_line_says_it(full, line):  # noqa: F811  the fixture
    assert f"waiting  {WORDS}" in line.run("propose", line.bundle(LESS), "--why", "less", person="ines")[1]
    assert f"waiting  {WORDS}" in line.run("dry-run", line.bundle(LESS))[1]
    assert line.told("dry-run", line.bundle(LESS))["waiting"][0]["deliveries"] == 3
