"""The ledger on PostgreSQL: the same sample, the same answers, the same attacks found."""

import pytest
from sqlalchemy import text
from tests.postgres import needs_postgres, postgres_server, postgres_url  # noqa: F401  fixtures
from tests.unit.ledger import sample
from tests.unit.ledger.sample import KEYS, LOG, SITE, START_US

from oathward.core.db import read, write
from oathward.ledger import (
    Query,
    entries,
    export,
    head,
    merkle,
    naming,
    offline,
    postings,
    remove_body,
    search,
)
from oathward.ledger.checkpoint import Checkpoint
from oathward.ledger.follow import follow
from oathward.ledger.restore import declare
from oathward.ledger.verify import verify_database

pytestmark = needs_postgres


@pytest.fixture
def engine(postgres_url, monkeypatch):  # noqa: F811  the fixture
    monkeypatch.setattr(postings, "BLOCK", 128)
    engine = sample.open_url(postgres_url)
    sample.fill(engine)
    yield engine
    engine.dispose()


def test_everything_once(engine, tmp_path):
    report = verify_database(engine, SITE, KEYS)
    assert report.problems == ()
    assert (report.size, report.signed_size, report.checkpoints, report.cosigned) == (700, 660, 4, 2)
    assert (report.removed, report.facts, report.facts_removed) == ({"retention/90-days": 4}, 4, 1)
    with read(engine) as db:
        everything = entries(db, SITE, 0, 700)
        for query in (Query(subject="subject-3", link="cloud"), Query(kind="record.removed"), Query(message="message-9"),
                      Query(since_us=START_US + 100, until_us=START_US + 500)):  # fmt: skip
            wanted = [e for e in reversed(everything) if query.holds(e)]
            assert search(db, SITE, query, limit=1_000) == wanted
            assert wanted
        cloud = [e for e in reversed(everything) if "cloud" in e.links and 100 <= e.index < 600]
        assert naming(db, SITE, ["cloud", "no-such"], 100, 600, limit=1_000) == cloud
        assert cloud
        proved = offline.check_proof(offline.prove(db, SITE, 300), KEYS)
        assert proved.record["body"]["n"] == 300
        assert head(db, SITE).root == report.root != merkle.EMPTY_ROOT
    export.export(engine, SITE, tmp_path / "out")
    assert export.verify_export(tmp_path / "out", KEYS).root == report.root


def test_what_changes_the_ledger_keeps_it_whole(engine):
    with write(engine) as db:
        remove_body(db, SITE, 100, "erasure/art-17", START_US)
    seen = []
    while follow(engine, SITE, "f", {"message.accepted"}, lambda _db, e: seen.append(e.index) or ()):
        pass
    assert len(seen) == len(set(seen)) == 692
    sample.add(engine, 300, 701)
    while postings.index(engine, SITE):
        pass
    with write(engine) as db:
        declare(
            db, SITE, Checkpoint(LOG.name, 2_000, b"\1" * 32), ("ada", "grace"), "oathward/ward/2", START_US
        )
    assert verify_database(engine, SITE, KEYS).problems == ()


@pytest.mark.parametrize(
    ("sql", "where", "index"),
    [
        ("UPDATE ledger_record SET body = '{}' WHERE idx = 300", "record 300", 300),
        (
            "UPDATE ledger_record SET salt = decode(repeat('00', 16), 'hex') WHERE idx = 300",
            "record 300",
            300,
        ),
        ("UPDATE ledger_record SET subject = 'x' WHERE idx = 300", "record 300", 300),
        ("DELETE FROM ledger_record WHERE idx = 300", "record 300", 300),
        ("DELETE FROM ledger_record WHERE idx = 699", "record 699", 699),
        ("UPDATE ledger_head SET size = 699", "record 699", 699),
        ("DELETE FROM ledger_tile WHERE level = 0 AND idx = 1", "tile 0/1", None),
        ("DELETE FROM ledger_posting WHERE term = 'l:ehr' AND block = 1", "index block 1", None),
        ("DELETE FROM ledger_checkpoint WHERE seq = 2", "checkpoint 2", None),
        ("UPDATE ledger_facts SET body = '{}' WHERE body IS NOT NULL", "facts", None),
        ("UPDATE ledger_record SET rule = 'erasure' WHERE idx = 6", "record 6", 6),
    ],
)
def test_attacks_are_found(engine, sql, where, index):
    with write(engine) as db:
        assert db.execute(text(sql)).rowcount
    report = verify_database(engine, SITE, KEYS)
    assert [p for p in report.problems if p.where.startswith(where)], report.problems
    if index is not None:
        assert report.first_bad_index == index
