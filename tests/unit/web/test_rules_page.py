"""Promises of the page of rules: whose rules are kept, by whom, and what was found wrong with them."""

import pytest
from tests.unit.web.test_patients_page import viewer, world  # noqa: F401  fixtures

from oathward.core.clock import micros
from oathward.core.db import write
from oathward.core.finding import Raised
from oathward.findings import sql as findings
from oathward.findings.reconciling import reconcile
from oathward.network import actions, sql
from oathward.network.model import RulesetRow


@pytest.fixture(autouse=True)
def nothing_kept(world):  # noqa: F811  the fixture
    with write(world.gate.engine) as db:
        for table in (sql.network_ruleset, findings.finding, findings.history):
            db.execute(table.delete())


def kept(world, name):  # noqa: F811  the fixture
    row = RulesetRow(name, micros(world.gate.clock.now()), "p-privacy", "ab" * 32, 7, "", {}, {}, b"x")
    with write(world.gate.engine) as db:
        actions.import_rules(db, world.gate.site, row)


def test_before_any_were_imported_the_page_says_what_would_fill_it(world):  # noqa: F811  the fixture
    assert "oathward rules import NAME FILE" in viewer(world, "p-privacy").get("/rules").text


def test_each_device_stands_there_with_who_and_what_was_found(world):  # noqa: F811  the fixture
    kept(world, "core-fw")
    raised = [Raised("rule.unused", f"core-fw|{n}", "rules:core-fw") for n in range(2)]
    at_us = micros(world.gate.clock.now())
    reconcile(world.gate.engine, world.gate.site, "rules", raised, world.site.settings.findings, at_us)
    text = viewer(world, "p-privacy").get("/rules").text
    for words in (
        "of 1 firewall or switch",
        "core-fw",
        ">7<",
        "abababab",
        "<b>2</b><small>A rule nobody uses",
    ):
        assert words in text
    assert 'href="/findings?kind=rule.unused"' in text
    assert 'href="/findings?about=rules%3Acore-fw"' in text


def test_who_may_not_see_the_network_sees_no_such_page(world):  # noqa: F811  the fixture
    assert viewer(world, "p-nurse").get("/rules").status_code == 404
