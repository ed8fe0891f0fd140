"""Promises of the page of flows: conversations by device, peer, service and time; by names and addresses; nothing is markup."""

import re

import pytest
from tests.unit.web.test_patients_page import viewer, world  # noqa: F401  fixtures

from oathward.core.clock import micros
from oathward.core.db import write
from oathward.discovery.model import Fact, Mark, MarkKind, Statement
from oathward.endpoints import sql as endpoints
from oathward.endpoints.actions import take
from oathward.network import actions, sql
from oathward.network.model import ConversationKey
from oathward.web.pages.flows import ROWS

EVIL = '"><script>alert(1)</script>'
DAY = 86_400_000_000


@pytest.fixture(autouse=True)
def nothing_seen(world):  # noqa: F811  the fixture
    with write(world.gate.engine) as db:
        for table in (sql.flow_conversation, sql.clear_class, endpoints.endpoint_mark, endpoints.endpoint):
            db.execute(table.delete())


def seed(world, *rows, tls=""):  # noqa: F811  the fixture
    """Write conversations: (client, its endpoint, server, its endpoint, port, service, days ago)."""
    for client, mine, server, theirs, port, service, days in rows:
        key = ConversationKey("main", client, mine, server, theirs, "tcp", port, service, tls)
        at_us = world.gate.now_us() - days * DAY
        row = (world.gate.site, actions.conversation_id(key), *key, "ward", "core", at_us - 1_000, at_us)
        with write(world.gate.engine) as db:
            sql.add(db, sql.flow_conversation, [(*row, 3, 3, 0, 100, 50, 4, 4)])


def clients(text):
    """The first cells of the table."""
    return [
        re.sub(r"<[^>]+>", " ", cell).split() for cell in re.findall(r'<th scope="row"[^>]*>(.*?)</th>', text)
    ]


def test_before_anything_was_seen_the_page_says_what_would_fill_it(world):  # noqa: F811  the fixture
    assert "oathward observe PATH" in viewer(world, "p-privacy").get("/flows").text


def test_filters_by_address_peer_service_port_and_time(world):  # noqa: F811  the fixture
    seed(
        world,
        ("10.1.0.5", "", "10.2.0.9", "", 2575, "hl7", 0),
        ("10.1.0.6", "", "10.2.0.9", "", 104, "dicom", 1),
        ("10.1.0.5", "", "10.2.0.7", "", 443, "tls", 9),
    )
    officer = viewer(world, "p-privacy")

    def rows(query):
        return len(clients(officer.get(f"/flows?{query}").text))

    day = f"{world.gate.clock.now():%Y-%m-%d}T00:00"
    assert [
        rows(""),
        rows("device=10.1.0.5"),
        rows("device=10.2.0.9"),
        rows("device=10.2.0.9&peer=10.1.0.6"),
    ] == [3, 2, 2, 1]
    assert [
        rows("service=hl7"),
        rows("port=104"),
        rows(f"until={day}"),
        rows("zone=core"),
        rows("zone=x"),
    ] == [1, 1, 2, 3, 0]
    assert rows("port=99999999999&since=nonsense") == 3
    assert rows("clear=yes") == 0


def test_a_device_is_found_by_what_the_inventory_knows_of_it(world):  # noqa: F811  the fixture
    at_us = micros(world.gate.clock.now())
    marks = (Mark(MarkKind.MAC, "00:1b:63:00:00:01"), Mark(MarkKind.ADDRESS, "10.1.0.5"))
    said = Statement(at_us, "zeek.dhcp", "main", marks, (Fact("name", "pump-seven", 0.9),))
    take(world.gate.engine, world.gate.site, [said], at_us, "test")
    officer = viewer(world, "p-privacy")
    [id_] = re.findall(r'href="/inventory/([0-9a-f-]{36})"', officer.get("/inventory").text)
    seed(
        world,
        ("10.1.0.5", id_, "10.2.0.9", "", 2575, "hl7", 0),
        ("10.9.0.9", "", "10.2.0.9", "", 2575, "hl7", 0),
    )
    for asked in ("pump-seven", id_):
        assert clients(officer.get(f"/flows?device={asked}").text) == [["pump-seven", "10.1.0.5"]]
    assert "No conversation fits" in officer.get("/flows?device=no-such-device").text
    assert f'href="/inventory/{id_}"' in officer.get("/flows").text


@pytest.mark.parametrize(
    ("version", "level"), [("TLSv1.3", "ok"), ("TLSv1.2", "ok"), ("TLSv1.0", "note"), ("SSLv3", "note")]
)
def test_a_version_of_tls_that_must_not_be_used_is_no_good_protection(world, version, level):  # noqa: F811  the fixture
    seed(world, ("10.1.0.5", "", "10.2.0.9", "", 443, "tls", 0), tls=version)
    page = viewer(world, "p-privacy").get("/flows").text
    said = re.search(
        r'class="status (\w+)">.*?</svg>\s*([^<]*)', page[page.index(' data-head="Protection"') :], re.DOTALL
    )
    assert (said[1], said[2]) == (level, version if level == "ok" else f"{version}, deprecated")


def test_pages_miss_none(world):  # noqa: F811  the fixture
    seed(world, *((f"10.1.{n}.1", "", "10.2.0.9", "", 443, "tls", n % 3) for n in range(ROWS + 7)))
    officer, address, found = viewer(world, "p-privacy"), "/flows?device=10.2.0.9", []
    while address:
        text = officer.get(address).text
        found += [one[0] for one in clients(text)]
        more = re.search(r'href="([^"]+)" rel="next"', text)
        address = more[1].replace("&amp;", "&") if more else ""
    assert len(found) == len(set(found)) == ROWS + 7


def test_names_of_the_network_are_never_markup_and_the_command_is_quoted(world):  # noqa: F811  the fixture
    seed(world, (EVIL, "", "10.2.0.9", "", 443, EVIL, 0))
    officer = viewer(world, "p-privacy")
    assert "<script>alert" not in officer.get("/flows").text
    page = officer.get("/flows", params={"service": EVIL}).text
    assert "<script>alert" not in page
    assert "oathward flows export --service &#39;" in page


def test_who_may_not_see_the_network_sees_no_such_page(world):  # noqa: F811  the fixture
    assert viewer(world, "p-nurse").get("/flows").status_code == 404
    assert viewer(world, "p-nurse").get("/sources").status_code == 404
