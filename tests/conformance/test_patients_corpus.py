"""Real messages: everyone in them is resolved, merges merge, nobody is made up twice."""

import pytest
from tests.corpus import CORPUS, needs_corpus
from tests.unit.patients.making import FEED, PUMP, Site

import oathward.ledger.tables
import oathward.patients.sql  # noqa: F401  declares its tables
from oathward.core.db import connect, create_tables, read
from oathward.core.errors import DecodeError
from oathward.patients import views
from oathward.protocols.hl7v2.reader import decode, split_batch

pytestmark = needs_corpus

FILES = (
    sorted(p for p in (CORPUS / "hl7v2").rglob("*") if p.suffix == ".hl7" or "input" in p.parts)
    if CORPUS.is_dir()
    else []
)


def messages():
    for path in FILES:
        if not path.is_file():
            continue
        try:
            yield from ((path.name, decode(raw)) for raw in split_batch(path.read_bytes()))
        except DecodeError:
            continue


@pytest.fixture
def site(tmp_path):
    engine = connect(f"sqlite:///{tmp_path}/site.db")
    create_tables(engine)
    yield Site(engine)
    engine.dispose()


@pytest.mark.parametrize("source", [FEED, PUMP], ids=["feed", "device"])
def test_every_message_is_resolved_the_same_way_twice(site, source):
    count, seen = 0, {}
    for name, message in messages():
        first = site.take(message, source)
        again = site.take(message, source)
        assert again.subject == first.subject or again.refused or message.code == "ADT", name
        assert again.rows.subjects == (), name
        seen.setdefault(message.code + message.trigger, first.refused)
        count += 1
    assert count > 90
    with read(site.engine) as db:
        kinds = {e.kind for e in views.edges(db, "north")}
    assert kinds if source is FEED else not kinds
    print(f"{count} messages of {len(seen)} types")
