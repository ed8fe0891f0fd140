"""Promises of the inventory's pages: who says what of an endpoint, what nobody knows, filters in the address, hostile names."""

import re
from dataclasses import replace

import polars as pl
import pytest
from tests.unit.web.test_patients_page import BASE, token_of, viewer, world  # noqa: F401  fixtures

from oathward.core.clock import micros
from oathward.core.db import write
from oathward.core.finding import Raised
from oathward.core.finding_kinds import KINDS
from oathward.core.settings_findings import Findings
from oathward.discovery.model import FLOW_COLUMNS, Fact, Mark, MarkKind, Statement
from oathward.discovery.totals import HOUR_US, totals
from oathward.endpoints import sql
from oathward.endpoints.actions import take
from oathward.findings.actions import raise_
from oathward.network import actions as network
from oathward.network import sql as flows
from oathward.network.model import ObservedSource
from oathward.network.plan import Plan
from oathward.web.pages.inventory import ROWS

SEEN = (
    sql.endpoint_attribute,
    sql.endpoint_mark,
    sql.endpoint_lease,
    sql.endpoint_conflict,
    sql.endpoint,
    flows.flow_conversation,
    flows.flow_total,
)
"""Tables of what was seen, those that depend on others first."""

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def nothing_seen(world):  # noqa: F811  the fixture
    with write(world.gate.engine) as db:
        for table in SEEN:
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
    assert officer.get("/inventory?show=nonsense&lifecycle=nonsense").status_code == 200
    assert officer.get("/inventory?lifecycle=%00").status_code == 400


def test_care_state_is_a_filter_with_its_counts(world):  # noqa: F811  the fixture
    seen(
        world,
        *(said(n, ("care", "in use", 0.9), world=world) for n in (1, 2)),
        said(3, ("care", "idle", 0.6), world=world),
        said(4, world=world),
    )
    officer = viewer(world, "p-privacy")
    text = officer.get("/inventory").text
    for value, words in (("in-use", "in use (2)"), ("idle", "idle (1)"), ("-", "unknown (1)")):
        assert f'<option value="{value}">{words}</option>' in text
    found = {
        asked: len(ids(officer.get(f"/inventory?care={asked}").text)) for asked in ("in-use", "idle", "-")
    }
    assert found == {"in-use": 2, "idle": 1, "-": 1}
    assert '<option value="in-use" selected>in use (2)</option>' in officer.get("/inventory?care=in-use").text


def test_what_was_not_heard_for_a_week_is_a_filter(world):  # noqa: F811  the fixture
    day_us = 24 * HOUR_US
    seen(world, said(1, world=world), said(2, ago_us=8 * day_us, world=world))
    officer = viewer(world, "p-privacy")
    both, week = (ids(officer.get(f"/inventory{asked}").text) for asked in ("", "?silent=7"))
    assert len(both) == 2
    assert week == both[1:]
    assert (
        ids(officer.get("/inventory?silent=30").text)
        == ids(officer.get("/inventory?silent=never").text)
        == []
    )


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
    assert {one["kind"] for one in whole["marks"]} == {"mac", "address"}, "where its list has it"
    assert officer.get("/api/v1/inventory/none", headers=shown).status_code == 404


def sent(client, address, page, **fields):
    return client.post(
        address,
        data={"token": token_of(client.get(page).text), **fields},
        headers={"origin": BASE},
        follow_redirects=False,
    )


def test_people_say_what_ticked_endpoints_are_and_go_back_to_their_list(world):  # noqa: F811  the fixture
    seen(world, said(1, world=world), said(2, world=world))
    engineer = viewer(world, "p-integration")
    both = ids(engineer.get("/inventory").text)
    done = sent(
        engineer,
        "/inventory",
        "/inventory",
        endpoint=both,
        attribute="unit",
        value="ICU 2",
        back="show=undeclared",
    )
    assert (done.status_code, done.headers["location"]) == (303, "/inventory?show=undeclared&done=2")
    assert "Said of 2 endpoints." in engineer.get(done.headers["location"]).text
    assert len(ids(engineer.get("/inventory?unit=ICU+2").text)) == 2
    text = engineer.get(f"/inventory/{both[0]}").text
    assert "ICU 2" in text
    assert "person" in text
    sent(engineer, f"/inventory/{both[0]}", "/inventory", verb="say", attribute="unit", value="")
    assert len(ids(engineer.get("/inventory?unit=ICU+2").text)) == 1


@pytest.mark.parametrize(
    ("attribute", "value", "told"),
    [
        ("type", "teapot", "infusion-pump"),
        ("criticality", "very", "high, medium, low"),
        ("fda-class", "3", "one of name"),
        ("lifecycle", "gone", "retired"),
    ],
)
def test_a_word_that_is_none_changes_nothing_and_says_which_are(world, attribute, value, told):  # noqa: F811  the fixture
    seen(world, said(1, world=world))
    engineer = viewer(world, "p-integration")
    [id_] = ids(engineer.get("/inventory").text)
    for address, more in (("/inventory", {"endpoint": id_}), (f"/inventory/{id_}", {"verb": "say"})):
        answer = sent(engineer, address, "/inventory", attribute=attribute, value=value, **more)
        assert answer.status_code == 422
        assert "Nothing was changed" in answer.text
        assert told in answer.text


def test_what_is_refused_leaves_filters_ticks_and_words_as_they_were(world):  # noqa: F811  the fixture
    seen(world, said(1, world=world), said(2, world=world))
    engineer = viewer(world, "p-integration")
    id_, other = ids(engineer.get("/inventory").text)
    page = "/inventory?show=undeclared"
    assert 'action="/inventory?show=undeclared"' in engineer.get(page + "&done=3").text
    text = sent(engineer, page, "/inventory", endpoint=id_, attribute="type", value="teapot").text
    assert f'value="{id_}" checked' in text
    assert f'value="{other}" checked' not in text
    assert 'value="teapot"' in text
    assert '<option value="type" selected>' in text
    assert '<option value="undeclared" selected>' in text
    none = sent(engineer, page, "/inventory", attribute="unit", value="ICU")
    assert (none.status_code, "endpoints: tick at least one" in none.text) == (422, True)


def test_a_list_goes_back_to_no_other_place(world):  # noqa: F811  the fixture
    seen(world, said(1, world=world))
    engineer = viewer(world, "p-integration")
    [id_] = ids(engineer.get("/inventory").text)
    done = sent(
        engineer,
        "/inventory",
        "/inventory",
        endpoint=id_,
        attribute="unit",
        value="ICU",
        back="x\r\nset-cookie: a=b",
    )
    assert done.headers["location"] == "/inventory?done=1"


def test_two_are_said_to_be_one_and_that_is_undone(world):  # noqa: F811  the fixture
    seen(world, said(1, world=world), said(2, world=world))
    engineer = viewer(world, "p-integration")
    one, other = ids(engineer.get("/inventory").text)
    assert (
        sent(engineer, f"/inventory/{one}", "/inventory", verb="join", other=other).status_code == 422
    )  # why is missing
    assert (
        sent(
            engineer, f"/inventory/{one}", "/inventory", verb="join", other=other, reason="one box"
        ).status_code
        == 303
    )
    assert ids(engineer.get("/inventory").text.partition("<tbody>")[2]) == [one]
    text = engineer.get(f"/inventory/{one}").text
    assert "one box" in text
    assert "became part of another" in engineer.get(f"/inventory/{other}").text
    merge = re.search(r'name="merge" value="([^"]+)"', text)[1]
    assert (
        sent(
            engineer, f"/inventory/{one}", "/inventory", verb="undo", merge=merge, reason="two after all"
        ).status_code
        == 303
    )
    assert set(ids(engineer.get("/inventory").text.partition("<tbody>")[2])) == {one, other}


def test_a_ticked_mark_becomes_another_endpoint(world):  # noqa: F811  the fixture
    seen(world, said(1, marks=(Mark(MarkKind.SERIAL, "acme|77"),), world=world))
    engineer = viewer(world, "p-integration")
    [id_] = ids(engineer.get("/inventory").text)
    mark = next(
        m
        for m in re.findall(r'name="mark" value="([^"]+)"', engineer.get(f"/inventory/{id_}").text)
        if m.startswith("serial")
    )
    done = sent(
        engineer,
        f"/inventory/{id_}",
        "/inventory",
        verb="part",
        mark=mark,
        reason="a sticker of another pump",
    )
    assert done.status_code == 303
    assert "acme|77" in engineer.get(done.headers["location"]).text
    assert (
        "acme|77"
        not in engineer.get(f"/inventory/{id_}")
        .text.partition("What tells it from others")[2]
        .partition("Join and")[0]
    )


def test_who_may_not_change_is_offered_nothing_and_refused(world):  # noqa: F811  the fixture
    seen(world, said(1, world=world))
    officer = viewer(world, "p-privacy")
    [id_] = ids(officer.get("/inventory").text)
    assert "Say it" not in officer.get("/inventory").text + officer.get(f"/inventory/{id_}").text
    for address, more in (("/inventory", {"endpoint": id_}), (f"/inventory/{id_}", {"verb": "say"})):
        answer = officer.post(
            address,
            data={"token": token_of(officer.get("/deid").text), "attribute": "unit", "value": "X", **more},
            headers={"origin": BASE},
        )
        assert answer.status_code in {403, 404}


def test_findings_of_an_endpoint_stand_on_its_page(world):  # noqa: F811  the fixture
    seen(world, said(1, world=world))
    engineer = viewer(world, "p-integration")
    [id_] = ids(engineer.get("/inventory").text)
    with write(world.gate.engine) as db:
        now_us = micros(world.gate.clock.now())
        one = Raised("identity.claimed-twice", "x", f"endpoint:{id_}", details={"other": f"endpoint:{id_}"})
        raise_(db, world.gate.site, "observing", [one], Findings(), now_us)
    text = engineer.get(f"/inventory/{id_}").text
    assert KINDS["identity.claimed-twice"].title in text
    name = re.search(r"<h1>([^<]*?)\s*<", text)[1]
    finding = re.search(r'href="(/findings/[^"]+)"', text)[1]
    for address, times in (("/findings", 1), (finding, 2)):
        found = engineer.get(address).text
        assert found.count(f'<a href="/inventory/{id_}">{name}</a>') == times, found


def spoken(world, endpoint, hours):  # noqa: F811  the fixture
    """Have one endpoint ask a server in these hours, each as hours before now."""
    now_us = micros(world.gate.clock.now())
    empty = {"String": "", "Int64": 0, "UInt16": 0, "Boolean": True}
    rows = []
    for ago in hours:
        at_us = now_us - ago * HOUR_US
        row = {name: empty[kind] for name, kind in FLOW_COLUMNS.items()}
        row |= {
            "start_us": at_us,
            "end_us": at_us,
            "realm": "main",
            "client": "10.0.0.2",
            "server": "192.0.2.9",
            "transport": "tcp",
        }
        rows.append(row | {"port": 2575, "service": "hl7", "client_bytes": 2_048, "server_bytes": 1})
    frame = pl.DataFrame(rows, schema={name: getattr(pl, kind) for name, kind in FLOW_COLUMNS.items()})
    summed = totals(frame).with_columns(
        pl.lit(endpoint).alias("client_endpoint"), pl.lit("").alias("server_endpoint")
    )
    prepared = network.prepare(world.gate.site, summed, (), Plan([]), lambda *_: "")
    source = ObservedSource(
        "",
        "zeek",
        "conn.log",
        "main",
        "",
        1,
        2,
        10,
        "aa",
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        updated_us=now_us,
        finished=False,
    )
    with write(world.gate.engine) as db:
        source = network.begin_source(db, world.gate.site, source, lambda n: "")
    with write(world.gate.engine) as db:
        network.store(db, world.gate.site, prepared, replace(source, parts=1), 0)


def test_with_whom_and_when_it_speaks(world):  # noqa: F811  the fixture
    seen(world, said(1, world=world))
    engineer = viewer(world, "p-integration")
    [id_] = ids(engineer.get("/inventory").text)
    spoken(world, id_, [0, 1, 2, 24, 24 * 21])
    text = engineer.get(f"/inventory/{id_}").text
    for words in (
        "192.0.2.9",
        "hl7",
        "external",
        "clear or not known",
        "When it is in use",
        "Least in use",
        "ask the unit",
    ):
        assert words in text
    assert text.count('class="level0"') > 100
    assert "Traffic was seen from" in engineer.get("/inventory").text


def test_the_first_page_counts_what_matters_and_leads_there(world):  # noqa: F811  the fixture
    engineer = viewer(world, "p-integration")
    assert 'id="inventory"' not in engineer.get("/").text
    seen(world, said(1, ("type", "infusion-pump", 0.9), world=world), said(2, world=world))
    text = engineer.get("/").text
    for words in (
        "2 endpoints",
        "<b>2</b><small>nobody declared",
        "<b>1</b><small>of unknown type",
        "infusion pump",
        "/inventory?type=infusion-pump",
    ):
        assert words in text
    assert len(ids(engineer.get("/inventory?type=-").text)) == 1
