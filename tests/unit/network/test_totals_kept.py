"""Promises about totals in the database: they add up, a group with its source's place or not at all, read by device, zone, hour."""

import json
from dataclasses import replace

import polars as pl
import pytest
from sqlalchemy import event

import oathward.ledger.tables  # noqa: F401  declares its tables
from oathward.core.db import connect, create_tables, read, write
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.discovery.model import FLOW_COLUMNS, Clear
from oathward.discovery.totals import HOUR_US, totals
from oathward.network import actions, views
from oathward.network.model import ConversationFilters, ObservedSource, PlanRow
from oathward.network.plan import Plan

SITE = "north"
T = 500_000 * HOUR_US
PLAN = Plan([PlanRow("r", "10.1.0.0/16", "clinical"), PlanRow("r", "10.2.0.0/16", "enterprise")])
SOURCE = ObservedSource(
    *("", "zeek", "conn.log", "r", "", 1, 2, 10, "aa", 0, 0, 0, 0, 0, 0, 0),
    updated_us=T, finished=False,
)  # fmt: skip


@pytest.fixture
def url(tmp_path):
    """Where the database is; the tests on PostgreSQL have another one."""
    return f"sqlite:///{tmp_path}/site.db"


@pytest.fixture
def engine(url):
    engine = connect(url)
    create_tables(engine)
    yield engine
    engine.dispose()


def flow(client, server, at=T, port=2575, **more):
    empty = {"String": "", "Int64": 0, "UInt16": 0, "Boolean": True}
    row = {name: empty[kind] for name, kind in FLOW_COLUMNS.items()}
    said = {
        "start_us": at,
        "end_us": at,
        "realm": "r",
        "client": client,
        "server": server,
        "transport": "tcp",
    }
    return row | said | {"port": port, "service": "hl7", "client_bytes": 10, "server_bytes": 1} | more


def prepared(*rows, clear=(), plan=PLAN):
    summed = totals(pl.DataFrame(list(rows), schema={n: getattr(pl, k) for n, k in FLOW_COLUMNS.items()}))
    summed = summed.with_columns(
        *((pl.lit("e-") + pl.col(side)).alias(f"{side}_endpoint") for side in ("client", "server"))
    )
    return actions.prepare(SITE, summed, clear, plan, lambda _realm, address, _at: f"e-{address}")


def begun(engine, row=SOURCE):
    with write(engine) as db:
        return actions.begin_source(db, SITE, row, lambda n: "aa" if n == 10 else "")


def stored(engine, rows, source):
    after = replace(source, parts=source.parts + 1)
    with write(engine) as db:
        actions.store(db, SITE, rows, after, source.parts)
    return after


def test_groups_add_up_and_are_read_by_peer_zone_and_hour(engine):
    source = begun(engine)
    source = stored(
        engine,
        prepared(flow("10.1.0.1", "10.2.0.9"), flow("10.1.0.1", "8.8.8.8", port=53, service="dns")),
        source,
    )
    stored(engine, prepared(flow("10.1.0.1", "10.2.0.9", T + HOUR_US), flow("10.1.0.2", "10.2.0.9")), source)
    with read(engine) as db:
        [busy, *_] = views.conversations(db, SITE, ConversationFilters())
        assert (busy.key.client, busy.key.server_endpoint, busy.sums.flows, busy.sums.client_bytes) == (
            "10.1.0.1",
            "e-10.2.0.9",
            2,
            20,
        )
        assert (busy.first_us, busy.last_us, busy.client_zone, busy.server_zone) == (
            T,
            T + HOUR_US,
            "clinical",
            "enterprise",
        )
        assert [(hour, sums.flows) for hour, sums in views.hours(db, SITE, busy.id)] == [
            (T, 1),
            (T + HOUR_US, 1),
        ]
        mine = views.peers(db, SITE, ["e-10.2.0.9"])
        assert [(peer.address, peer.asked, peer.received_bytes, peer.flows) for peer in mine] == [
            ("10.1.0.1", False, 20, 2), ("10.1.0.2", False, 10, 1),
        ]  # fmt: skip
        assert views.use(db, SITE, ["e-10.2.0.9"], T, T + HOUR_US)[0][1:] == (2, 2, 20)
        pairs = {
            (one.client_zone, one.server_zone, one.service): one.flows for one in views.zone_pairs(db, SITE)
        }
        assert pairs == {("clinical", "enterprise", "hl7"): 3, ("clinical", "external", "dns"): 1}
        assert views.count(db, SITE, ConversationFilters(endpoints=("e-10.1.0.1",))) == 2
        assert views.count(db, SITE, ConversationFilters(zone="external", service="dns", port=53)) == 1
        assert views.count(db, SITE, ConversationFilters(address="10.1.0.2", since_us=T + 1)) == 0
        assert views.services(db, SITE) == {"hl7": 2, "dns": 1}
        assert views.span(db, SITE) == (T, T + HOUR_US)


def test_another_holder_of_an_address_is_another_conversation(engine):
    source = begun(engine)
    rows = [prepared(flow("10.1.0.1", "10.2.0.9")) for _ in range(2)]
    summed = totals(
        pl.DataFrame(
            [flow("10.1.0.1", "10.2.0.9")], schema={n: getattr(pl, k) for n, k in FLOW_COLUMNS.items()}
        )
    )
    summed = summed.with_columns(
        pl.lit("later").alias("client_endpoint"), pl.lit("e-10.2.0.9").alias("server_endpoint")
    )
    source = stored(engine, rows[0], source)
    stored(engine, actions.prepare(SITE, summed, (), PLAN, lambda *_: ""), source)
    with read(engine) as db:
        assert {one.key.client_endpoint for one in views.conversations(db, SITE, ConversationFilters())} == {
            "e-10.1.0.1",
            "later",
        }


def test_classes_in_clear_text_stand_with_their_conversation(engine):
    clear = [
        Clear(T, "r", "10.1.0.1", "10.2.0.9", "tcp", 2575, "hl7", {"patient.name": 2, "observation.value": 5})
    ] * 2
    source = stored(engine, prepared(flow("10.1.0.1", "10.2.0.9"), clear=clear), begun(engine))
    alone = [Clear(T, "r", "10.1.0.7", "10.2.0.9", "tcp", 2575, "hl7", {"patient.name": 1})]
    stored(engine, prepared(clear=alone), source)
    with read(engine) as db:
        found = views.conversations(db, SITE, ConversationFilters(clear=True))
    assert [(one.key.client, one.sums.flows, one.classes) for one in found] == [
        ("10.1.0.1", 1, {"patient.name": 4, "observation.value": 10}),
        ("10.1.0.7", 0, {"patient.name": 1}),
    ]


def test_a_group_comes_with_its_place_or_not_at_all(engine):
    source = begun(engine)
    rows = prepared(flow("10.1.0.1", "10.2.0.9"))
    stored(engine, rows, source)
    with pytest.raises(InputError) as error:  # another run, which began where this one began
        stored(engine, rows, source)
    assert error.value.reason is Reason.CONFLICT
    with read(engine) as db:
        assert views.conversations(db, SITE, ConversationFilters())[0].sums.flows == 1
        assert [one.parts for one in views.sources(db, SITE)] == [1]


def test_a_source_is_told_by_how_it_begins_wherever_it_lies(engine):
    first = stored(engine, prepared(flow("10.1.0.1", "10.2.0.9")), begun(engine))
    moved = begun(engine, replace(SOURCE, name="conn.1.log", inode=77, head_bytes=99, head_sha256="bb"))
    assert (moved.id, moved.parts, moved.name, moved.inode) == (first.id, 1, "conn.1.log", 77)
    with write(engine) as db:
        other = actions.begin_source(db, SITE, replace(SOURCE, head_sha256="cc"), lambda _: "cc")
        elsewhere = actions.begin_source(db, SITE, replace(SOURCE, realm="south"), lambda _: "aa")
        sockets = {
            actions.begin_source(db, SITE, replace(SOURCE, head_sha256="", head_bytes=0), lambda _: "").id
            for _ in range(2)
        }
    assert len({first.id, other.id, elsewhere.id, *sockets}) == 5


def test_a_source_that_was_read_and_a_plan_are_records_without_addresses(engine):
    source = stored(engine, prepared(flow("10.1.0.1", "10.2.0.9")), begun(engine))
    with write(engine) as db:
        actions.end_source(db, SITE, source, {"observation.broken": 3})
    with write(engine) as db:
        assert actions.import_plan(db, SITE, PLAN.rows, by="p-1", now_us=T)
    with write(engine) as db:
        assert not actions.import_plan(db, SITE, list(reversed(PLAN.rows)), by="p-1", now_us=T)
    with read(engine) as db:
        rows = db.exec_driver_sql("SELECT kind, body FROM ledger_record ORDER BY idx").fetchall()
        assert views.plan(db, SITE).place("r", "10.1.0.1").zone == "clinical"
    assert [kind for kind, _ in rows] == ["network.observed", "network.planned"]
    assert json.loads(rows[0][1])["body"]["refused"] == {"observation.broken": 3}
    assert not any(word in str(rows) for word in ("10.1", "conn.log"))


def test_conversations_of_one_endpoint_are_found_by_index(engine):
    """A page of a device does not look through what a whole site has."""
    asked = []
    event.listen(
        engine, "before_cursor_execute", lambda _db, _cursor, text, values, *_: asked.append((text, values))
    )
    with read(engine) as db:
        views.conversations(db, SITE, ConversationFilters(endpoints=("e-1",)))
        views.peers(db, SITE, ["e-1"])
        text = " ".join(
            row[3]
            for one in list(asked)
            if one[0].startswith("SELECT")
            for row in db.exec_driver_sql("EXPLAIN QUERY PLAN " + one[0], one[1])
        )
    assert text.count("flow_conversation_client (site=? AND client_endpoint=?") == 2
    assert text.count("flow_conversation_server (site=? AND server_endpoint=?") == 2
    assert "PRIMARY KEY (site=?)" not in text


def test_the_busiest_are_read_in_the_order_of_an_index(engine):
    """The map reads some thousands of a million: they are not sorted out of all."""
    asked = []
    event.listen(
        engine, "before_cursor_execute", lambda _db, _cursor, text, values, *_: asked.append((text, values))
    )
    with read(engine) as db:
        views.conversations(db, SITE, ConversationFilters(since_us=T))
        text, values = next(one for one in asked if one[0].startswith("SELECT"))
        plan = [row[3] for row in db.exec_driver_sql("EXPLAIN QUERY PLAN " + text, values)]
    assert plan[0] == "SEARCH flow_conversation USING INDEX flow_conversation_bytes (site=?)"
    assert "USE TEMP B-TREE FOR ORDER BY" not in plan


def test_another_plan_moves_conversations_to_other_zones(engine):
    stored(engine, prepared(flow("10.1.0.1", "10.2.0.9"), plan=Plan()), begun(engine))
    with read(engine) as db:
        assert [one[:2] for one in views.zone_pairs(db, SITE)] == [("unplanned", "unplanned")]
    with write(engine) as db:
        actions.import_plan(db, SITE, PLAN.rows, by="p-1", now_us=T)
    assert [actions.place_again(engine, SITE) for _ in range(2)] == [1, 0]
    with read(engine) as db:
        assert [one[:2] for one in views.zone_pairs(db, SITE)] == [("clinical", "enterprise")]


def test_old_hours_go_and_conversations_nobody_saw_since(engine):
    clear = [Clear(T, "r", "10.1.0.3", "10.2.0.9", "tcp", 2575, "hl7", {"patient.name": 1})]
    source = stored(
        engine,
        prepared(flow("10.1.0.1", "10.2.0.9"), flow("10.1.0.3", "10.2.0.9"), clear=clear),
        begun(engine),
    )
    stored(engine, prepared(flow("10.1.0.1", "10.2.0.9", T + 9 * HOUR_US)), source)
    assert actions.forget(engine, SITE, T + HOUR_US) > 0
    with read(engine) as db:
        [left] = views.conversations(db, SITE, ConversationFilters())
        assert left.key.client == "10.1.0.1"
        assert [hour for hour, _ in views.hours(db, SITE, left.id)] == [T + 9 * HOUR_US]
        assert views.count(db, SITE, ConversationFilters(clear=True)) == 0
    assert actions.forget(engine, SITE, T + HOUR_US) == 0
