"""Promises of an endpoint's page beside the inventory: its declared device, changes on record, certificates, what declares its flows."""

import re

import pytest
from tests.unit.web.test_flows_page import seed
from tests.unit.web.test_inventory_page import HOUR_US, ids, nothing_seen, said, seen  # noqa: F401  fixture
from tests.unit.web.test_patients_page import viewer, world  # noqa: F401  fixtures

from oathward import ledger
from oathward.core.db import read
from oathward.discovery.model import Mark, MarkKind
from oathward.mapping.model import Declared, DeclaredKind
from oathward.network.rules import spans


def test_declared_devices_and_what_was_seen_lead_to_each_other_in_one_list(world):  # noqa: F811  the fixture
    engineer = viewer(world, "p-integration")
    before = engineer.get("/inventory?show=never-seen").text
    assert 'href="/devices/mon-1"' in before
    assert "declared and never seen" in engineer.get("/inventory").text
    assert "never seen" in engineer.get("/devices/mon-1").text
    seen(world, said(1, marks=(Mark(MarkKind.DEVICE, "mon-1"),), world=world))
    [id_] = ids(engineer.get("/inventory?show=declared").text)
    assert 'href="/devices/mon-1"' not in engineer.get("/inventory?show=never-seen").text
    for page in ("/devices", "/devices/mon-1"):
        assert f'href="/inventory/{id_}"' in engineer.get(page).text
    assert 'href="/devices/mon-1"' in engineer.get(f"/inventory/{id_}").text


def test_a_change_of_configuration_stands_there_with_before_after_and_who(world):  # noqa: F811  the fixture
    seen(world, said(1, ("firmware", "7.1", 0.9), source="pcap.hl7", ago_us=HOUR_US, world=world))
    seen(world, said(1, ("firmware", "7.2", 0.9), source="pcap.hl7", world=world))
    officer = viewer(world, "p-privacy")
    [id_] = ids(officer.get("/inventory").text)
    history = officer.get(f"/inventory/{id_}").text.partition("Changes of its configuration")[2]
    row = history.partition("<tbody>")[2].partition("</tr>")[0]
    assert [words in row for words in ("firmware", "7.1", "7.2", "test", "/ledger/")] == [True] * 5
    assert row.index("7.1") < row.index("7.2")
    with read(world.gate.engine) as db:
        [entry] = ledger.search(db, world.gate.site, ledger.Query(kind="endpoint.changed", link=id_), limit=5)
    assert "7.2" not in str(dict(entry.body))


def test_a_certificate_that_has_ended_says_so(world):  # noqa: F811  the fixture
    facts = (("certificate-subject", "CN=pump", 0.9), ("certificate-ends", "2020-01-31", 0.9))
    seen(world, said(1, *facts, source="pcap.tls", world=world))
    officer = viewer(world, "p-privacy")
    [id_] = ids(officer.get("/inventory").text)
    text = officer.get(f"/inventory/{id_}").text.partition("<h2>Certificates</h2>")[2]
    assert "CN=pump" in text
    assert "has ended" in text


def test_a_conversation_says_what_declares_it(world, monkeypatch):  # noqa: F811  the fixture
    link = Declared(
        kind=DeclaredKind.LINK, id="ehr", servers=(spans.address_span("10.2.0.9"),), ports=((2575, 2575),)
    )
    monkeypatch.setattr("oathward.mapping.reading.declared", lambda *_: [link])
    seen(world, said(1, world=world))
    officer = viewer(world, "p-privacy")
    [id_] = ids(officer.get("/inventory").text)
    seed(
        world,
        ("10.0.0.2", id_, "10.2.0.9", "", 2575, "hl7", 0),
        ("10.0.0.2", id_, "10.2.0.9", "", 80, "http", 0),
    )
    rows = re.findall(
        r"<tr>\s*<th scope=\"row\">10\.2\.0\.9.*?</tr>", officer.get(f"/inventory/{id_}").text, re.DOTALL
    )
    assert sorted(("link ehr" in row, "nobody declared it" in row) for row in rows) == [
        (False, True),
        (True, False),
    ]


@pytest.mark.parametrize(("realm", "declared"), [("main", True), ("elsewhere", False)])
def test_what_a_server_was_asked_for_counts_in_its_own_realm(world, monkeypatch, realm, declared):  # noqa: F811  the fixture
    link = Declared(kind=DeclaredKind.LINK, id="ehr", hosts=frozenset({"ehr.example"}), ports=((2575, 2575),))
    monkeypatch.setattr("oathward.mapping.reading.declared", lambda *_: [link])
    names = {(realm, "10.2.0.9", 2575): "ehr.example"}
    monkeypatch.setattr("oathward.web.endpoint_more.server_names", lambda *_: names)
    seen(world, said(1, world=world))
    officer = viewer(world, "p-privacy")
    [id_] = ids(officer.get("/inventory").text)
    seed(world, ("10.0.0.2", id_, "10.2.0.9", "", 2575, "hl7", 0))
    assert ("link ehr" in officer.get(f"/inventory/{id_}").text) is declared
