"""Promises of the inventory's pages: who says what of an endpoint, what nobody knows, filters in the address, hostile names."""

import re

import pytest
from tests.unit.web.test_patients_page import BASE, token_of, viewer, world  # noqa: F401  fixtures

from oathward.core.clock import micros
from oathward.core.db import write
from oathward.discovery.model import Fact, Mark, MarkKind, Statement
from oathward.endpoints import sql
from oathward.endpoints.actions import take
from oathward.web.pages.inventory import ROWS

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def nothing_seen(world):  # noqa: F811  the fixture
    with write(world.gate.engine) as db:
        for table in (
            sql.endpoint_attribute,
            sql.endpoint_mark,
            sql.endpoint_lease,
            sql.endpoint_conflict,
            sql.endpoint,
        ):
            db.execute(table.delete())


def said(number, *facts, source="zeek.dhcp", marks=(), realm="main", ago_us=0, world=None):  # noqa: F811  the fixture
    at_us = micros(world.gate.clock.now()) - ago_us
    own = (
        Mark(MarkKind.MAC, f"00:1b:63:00:{number // 256:02x}:{number % 256:02x}"),
        Mark(MarkKind.ADDRESS, f"10.0.{number // 250}.{number % 250 + 1}"),
    )
    return Statement(at_us, source, realm, (*own, *marks), tuple(Fact(*one) for one in facts))


def seen(world, *statements):  # noqa: F811  the fixture
    return take(world.gate.engine, world.gate.site, statements, micros(world.gate.clock.now()), "test")


def ids(text):
    return list(dict.fromkeys(re.findall(r'href="/inventory/([^"?]+)"', text)))


def test_before_anything_was_seen_the_page_says_what_would_fill_it(world):  # noqa: F811  the fixture
    text = viewer(world, "p-privacy").get("/inventory").text
    assert "Nothing was seen yet" in text
    assert "oathward observe" in text


def test_the_list_says_what_is_known_and_what_is_not(world):  # noqa: F811  the fixture
    seen(
        world,
        said(
            1, ("make", "Acme", 0.9), ("model", "Vista 3", 0.9), ("type", "infusion-pump", 0.9), world=world
        ),
        said(2, world=world),
    )
    text = viewer(world, "p-privacy").get("/inventory").text
    assert "2 endpoints" in text
    assert "Acme Vista 3" in text
    assert "infusion pump" in text
    assert "unknown" in text


def test_facets_and_search_stand_in_the_address(world):  # noqa: F811  the fixture
    seen(
        world,
        said(1, ("make", "Acme", 0.9), world=world),
        said(2, ("make", "Bolt", 0.9), world=world),
        said(3, world=world),
    )
    officer = viewer(world, "p-privacy")
    assert "Acme" not in officer.get("/inventory?make=Bolt").text.partition("<tbody>")[2]
    assert len(ids(officer.get("/inventory?make=Bolt").text)) == 1
    assert len(ids(officer.get("/inventory?make=-").text)) == 1
    assert len(ids(officer.get("/inventory?search=10.0.0.3").text)) == 1
    assert len(ids(officer.get("/inventory?show=undeclared").text)) == 3
    assert "No endpoint fits" in officer.get("/inventory?make=Nobody").text
    assert officer.get("/inventory?show=nonsense&lifecycle=%00").status_code == 200


def test_pages_miss_none(world):  # noqa: F811  the fixture
    seen(world, *(said(n, ago_us=n * 1_000_000, world=world) for n in range(ROWS + 7)))
    officer, address, found = viewer(world, "p-privacy"), "/inventory", []
    while address:
        text = officer.get(address).text
        found += ids(text.partition("<tbody>")[2])
        more = re.search(r'href="([^"]+)" rel="next"', text)
        address = more[1].replace("&amp;", "&") if more else ""
    assert len(found) == len(set(found)) == ROWS + 7


def test_one_says_who_says_what_and_how_sure_that_is(world):  # noqa: F811  the fixture
    seen(
        world,
        said(1, ("model", "Vista 3", 0.9), ("make", "Acme", 0.3), source="pcap.hl7", world=world),
        said(1, ("model", "Vista 4", 0.9), source="cmms", world=world),
    )
    officer = viewer(world, "p-privacy")
    [id_] = ids(officer.get("/inventory").text)
    text = officer.get(f"/inventory/{id_}").text
    for words in (
        "Vista 3",
        "Vista 4",
        "pcap.hl7",
        "cmms",
        "30 %",
        "90 %",
        "conflict",
        "nobody declared it",
        "No traffic of it was seen",
    ):
        assert words in text
    assert officer.get("/inventory/none").status_code == 404


def test_hostile_names_are_printed_and_nothing_else(world):  # noqa: F811  the fixture
    seen(
        world,
        said(
            1,
            ("model", HOSTILE, 0.9),
            ("host", HOSTILE, 0.9),
            marks=(Mark(MarkKind.HOST, HOSTILE),),
            world=world,
        ),
    )
    officer = viewer(world, "p-privacy")
    [id_] = ids(officer.get("/inventory").text)
    for address in ("/inventory", f"/inventory/{id_}", "/inventory?search=%3Cscript%3E"):
        text = officer.get(address).text
        assert HOSTILE not in text
        assert "&lt;script&gt;" in text


def test_who_looks_after_patients_or_products_alone_has_no_such_page(world):  # noqa: F811  the fixture
    assert viewer(world, "p-auditor").get("/inventory").status_code == 200
    for person in ("p-nurse", "p-vendor"):
        assert viewer(world, person).get("/inventory").status_code == 404
        assert viewer(world, person).get("/inventory/none").status_code == 404


def test_the_api_says_the_same(world):  # noqa: F811  the fixture
    seen(world, said(1, ("make", "Acme", 0.9), source="cmms", world=world), said(2, world=world))
    officer = viewer(world, "p-privacy")
    shown = {"oathward-token": token_of(officer.get("/inventory").text), "origin": BASE}
    first = officer.get("/api/v1/inventory?limit=1", headers=shown).json()
    rest = officer.get(f"/api/v1/inventory?limit=1&after={first['next']}", headers=shown).json()
    assert {one["address"] for one in first["items"] + rest["items"]} == {"10.0.0.2", "10.0.0.3"}
    [acme] = officer.get("/api/v1/inventory?make=Acme", headers=shown).json()["items"]
    whole = officer.get(f"/api/v1/inventory/{acme['id']}", headers=shown).json()
    assert whole["endpoint"] == acme
    assert [
        (one["value"], one["source"], one["shown"]) for one in whole["said"] if one["attribute"] == "make"
    ] == [("Acme", "cmms", True)]
    assert {one["kind"] for one in whole["marks"]} == {"mac"}
    assert officer.get("/api/v1/inventory/none", headers=shown).status_code == 404
