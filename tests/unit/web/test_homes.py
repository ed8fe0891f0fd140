"""Promises of the first pages of who looks after devices and who watches the network: each number leads to as many rows."""

import html
import re

import pytest
from tests.unit.web.test_flows_page import seed
from tests.unit.web.test_inventory_page import SEEN, ids, said, seen
from tests.unit.web.test_patients_page import viewer, world  # noqa: F401  fixtures
from tests.unit.web.test_sources_page import heard

from oathward.core.clock import micros
from oathward.core.db import write
from oathward.core.finding import Raised
from oathward.discovery.model import Mark, MarkKind
from oathward.findings import sql as findings
from oathward.findings.reconciling import reconcile
from oathward.network import sql as network

DAY = 86_400_000_000


@pytest.fixture(autouse=True)
def nothing_known(world):  # noqa: F811  the fixture
    with write(world.gate.engine) as db:
        for table in (*SEEN, network.observed_source, findings.finding, findings.history):
            db.execute(table.delete())


def numbers(text, heading):
    """Numbers of a card with where they lead: words -> (address, number)."""
    card = text.partition(f'<h2 id="{heading}">')[2].partition("<h2")[0]
    found = re.findall(r'<li><a href="([^"]+)"><b>([\d,]+)</b><small>([^<]+)</small>', card)
    return {words: (html.unescape(address), int(number.replace(",", ""))) for address, number, words in found}


def test_every_number_of_the_inventory_leads_to_as_many_rows(world):  # noqa: F811  the fixture
    seen(
        world,
        said(1, ("type", "infusion-pump", 0.9), ("os-end", "2014-04-08", 0.9), world=world),
        said(2, ("os-end", "2099-01-01", 0.9), ago_us=40 * DAY, world=world),
        said(3, ("unit", "ICU", 1.0), source="cmms", marks=(Mark(MarkKind.TAG, "T3"),), world=world),
        said(4, ("make", "Acme", 0.9), source="pcap.hl7", world=world),
        said(4, ("make", "Bolt", 0.9), source="pcap.dicom", world=world),
    )
    officer = viewer(world, "p-privacy")
    text = officer.get("/").text
    told = numbers(text, "inventory")
    for words, (address, number) in told.items():
        assert len(ids(officer.get(address).text.partition("<tbody>")[2])) == number, words
    assert told["whose support has ended"][1] == 1
    assert told["new this week"][1] == 2
    lists = re.findall(r'<a href="(/inventory\?show=[a-z-]+)">(\d+) (?:on|heard|of)', text)
    assert [int(number) for _, number in lists] == [1, 3, 1]
    for address, number in lists:
        assert len(ids(officer.get(address).text.partition("<tbody>")[2])) == int(number)


def test_who_watches_reads_what_nobody_declared_what_is_late_and_who_is_silent(world):  # noqa: F811  the fixture
    seed(world, ("10.1.0.5", "", "10.2.0.9", "", 2575, "hl7", 0))
    for hour in range(5):
        heard(world, f"dns.{hour}.log", 30 + hour)
    raised = [
        Raised("flow.undeclared", "a", "endpoint:a"),
        Raised("connection.unregistered", "b", "address:203.0.113.7"),
    ]
    at_us = micros(world.gate.clock.now()) - 300 * DAY
    reconcile(world.gate.engine, world.gate.site, "mapping", raised, world.site.settings.findings, at_us)
    officer = viewer(world, "p-privacy")
    told = numbers(officer.get("/").text, "network")
    assert told["flows nobody declared"] == ("/findings?kind=flow.undeclared", 1)
    assert told["findings overdue"][1] == 2
    assert told["of 1 sensor or log silent"] == ("/sources?show=silent", 1)
    for words in ("flows nobody declared", "findings overdue"):
        page = officer.get(told[words][0]).text
        assert len(set(re.findall(r'href="/findings/([0-9a-f-]{36})"', page))) == told[words][1]


def test_before_anything_was_seen_there_is_no_card_of_it(world):  # noqa: F811  the fixture
    text = viewer(world, "p-privacy").get("/").text
    assert 'id="network"' not in text
    assert 'id="inventory"' not in text


def test_who_may_not_see_the_network_reads_nothing_of_it(world):  # noqa: F811  the fixture
    seed(world, ("10.1.0.5", "", "10.2.0.9", "", 2575, "hl7", 0))
    text = viewer(world, "p-nurse").get("/").text
    assert 'id="network"' not in text
    assert "/flows" not in text
