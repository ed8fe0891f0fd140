"""What is taken in can be had again in every format, page by page; a MUD file is what devices of that model spoke, and no other's."""

import io

import orjson
import polars as pl
import pytest

import oathward.ledger.tables  # noqa: F401  declares its tables
from oathward.core.db import connect, create_tables, write
from oathward.core.errors import InputError
from oathward.discovery.exports import mud as as_mud
from oathward.discovery.exports import sheet
from oathward.discovery.lists.cmms import LIST as CMMS
from oathward.discovery.lists.mud import may_do
from oathward.discovery.lists.opening import sources
from oathward.discovery.lists.proposing import propose
from oathward.discovery.lists.reading import How, Peer
from oathward.discovery.model import FLOW_COLUMNS, Fact, Mark, MarkKind, Statement
from oathward.discovery.totals import totals
from oathward.endpoints import actions, views
from oathward.endpoints.model import Filters
from oathward.network import actions as network
from oathward.network import sql
from oathward.network.plan import Plan
from oathward.observing import exported, listed

SITE = "north"
T = 1_780_000_000_000_000


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


def pump(n: int, make: str = "Acme") -> Statement:
    marks = (Mark(MarkKind.TAG, f"t{n}"), Mark(MarkKind.MAC, f"00:1b:c5:00:{n // 256:02x}:{n % 256:02x}"))
    facts = (Fact("make", make, 1.0), Fact("model", "P1", 1.0), Fact("location", f"=Room {n}", 1.0))
    return Statement(T, "cmms", "main", marks, facts)


def known(engine) -> dict[str, str]:
    return {one.tag: one.id for one in exported.entries(engine, SITE, Filters())}


def test_everything_can_be_had_and_taken_in_again(engine, monkeypatch):
    monkeypatch.setattr(exported, "PAGE_ROWS", 7)
    actions.take(engine, SITE, [pump(n) for n in range(1, 21)], T, "test")
    text = "".join(sheet.rows(exported.entries(engine, SITE, Filters())))
    assert text.count("'=Room") == 20
    [source] = sources("x.csv", io.BytesIO(text.encode()))
    how = How(realm="main", at_us=T, columns=propose(source).mapping())
    found = CMMS.read(sources("x.csv", io.BytesIO(text.encode())), how)
    outcome = listed.take(engine, SITE, found, how, "cmms", by="test", now_us=T, dry=False)
    assert outcome.report.counts == {"rows": 20, "same": 20}
    assert outcome.taken["new"] == 0


def spoke(engine, *flows: tuple[str, str, str, str, int]) -> None:
    """Store conversations: (client, its endpoint, server, its endpoint, port)."""
    empty = {"String": "", "Int64": 1, "UInt16": 0, "Boolean": True}
    rows = [
        {name: empty[kind] for name, kind in FLOW_COLUMNS.items()}
        | {
            "start_us": T,
            "end_us": T,
            "realm": "main",
            "client": client,
            "server": server,
            "transport": "tcp",
            "port": port,
        }
        for client, _, server, _, port in flows
    ]
    ends = {address: end for one in flows for address, end in ((one[0], one[1]), (one[2], one[3]))}
    summed = totals(
        pl.DataFrame(rows, schema={name: getattr(pl, kind) for name, kind in FLOW_COLUMNS.items()})
    )
    summed = summed.with_columns(
        *(pl.col(side).replace_strict(ends).alias(f"{side}_endpoint") for side in ("client", "server"))
    )
    rows_ = network.prepare(SITE, summed, (), Plan(), lambda *_: "")
    with write(engine) as db:
        sql.add(db, sql.flow_conversation, rows_.conversations)


def test_a_models_file_is_what_its_devices_spoke(engine):
    actions.take(engine, SITE, [pump(1), pump(2), pump(3, "Other")], T, "test")
    ids = known(engine)
    spoke(
        engine,
        ("10.0.0.1", ids["t1"], "203.0.113.7", "", 443),
        ("10.0.0.2", ids["t2"], "203.0.113.7", "", 443),
        ("10.0.0.1", ids["t1"], "10.0.0.2", ids["t2"], 6000),
        ("10.0.0.3", ids["t3"], "203.0.113.9", "", 22),
    )
    model = as_mud.Model(url="https://house.example/p1.json", make="Acme", model="P1", at_us=T)
    document, left = as_mud.learn(exported.spoken(engine, SITE, "Acme", "P1"), model, devices_min=1)
    rules = may_do(orjson.loads(orjson.dumps(document)))[0].rules
    assert left["rare"] == 0
    assert {(rule.peers[0], rule.port, rule.own_port) for rule in rules if rule.from_device} == {
        (Peer("network", "203.0.113.7/32"), (443, 443), (0, 65_535)),
        (Peer("same-manufacturer"), (6000, 6000), (0, 65_535)),
        (Peer("same-manufacturer"), (0, 65_535), (6000, 6000)),
    }
    with pytest.raises(InputError):
        exported.spoken(engine, SITE, "Nobody", "P1")


def test_a_list_is_gone_through_in_batches_and_a_dry_run_changes_nothing(engine, monkeypatch):
    monkeypatch.setattr(listed, "BATCH_ROWS", 3)
    text = "tag,make,serial\n" + "".join(f"t{n},Acme,s{n}\n" for n in range(10))
    [source] = sources("x.csv", io.BytesIO(text.encode()))
    how = How(realm="main", at_us=T, columns=propose(source).mapping())
    for dry in (True, False):
        found = CMMS.read(sources("x.csv", io.BytesIO(text.encode())), how)
        outcome = listed.take(engine, SITE, found, how, "cmms", by="test", now_us=T, dry=dry)
        assert outcome.report.counts == {"rows": 10, "new": 10}
        assert len(known(engine)) == (0 if dry else 10)
    with engine.connect() as db:
        assert views.page(db, SITE, Filters(search="s7")).total == 1
