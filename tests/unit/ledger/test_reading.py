"""Searching by subject, link, kind, message and time gives what looking at every record gives."""

import pytest
from tests.unit.ledger import sample
from tests.unit.ledger.sample import SITE, START_US

from oathward.core.db import read, write
from oathward.core.errors import LedgerError
from oathward.core.reasons import Reason
from oathward.ledger import (
    Query,
    append,
    entries,
    entry,
    facts,
    naming,
    postings,
    prepare,
    remove_bodies,
    search,
)

QUERIES = [
    Query(),
    Query(subject="subject-3"),
    Query(link="registry"),
    Query(kind="message.accepted"),
    Query(kind="ledger.started"),
    Query(message="message-17"),
    Query(message="message-5"),
    Query(subject="subject-3", link="cloud"),
    Query(subject="subject-3", link="cloud", kind="message.accepted"),
    Query(subject="nobody"),
    Query(since_us=START_US + 100, until_us=START_US + 140),
    Query(link="ehr", since_us=START_US + 650),
    Query(link="ehr", until_us=START_US + 3),
    Query(subject="subject-1", message="message-8"),
]


@pytest.mark.parametrize("query", QUERIES, ids=str)
@pytest.mark.parametrize("before", [None, 700, 640, 128, 5])
def test_a_search_finds_what_a_look_at_everything_finds(engine, query, before):
    with read(engine) as db:
        everything = entries(db, SITE, 0, 700 if before is None else before)
        wanted = [found for found in reversed(everything) if query.holds(found)]
        assert search(db, SITE, query, before=before, limit=1_000) == wanted


def test_pages_continue_at_the_last_index(engine):
    query = Query(link="ehr")
    with read(engine) as db:
        whole = search(db, SITE, query, limit=1_000)
        paged, before = [], None
        while page := search(db, SITE, query, before=before, limit=33):
            paged += page
            before = page[-1].index
    assert paged == whole
    assert len(whole) > 300


def test_the_index_covers_whole_blocks_and_stays_so(engine):
    with read(engine) as db:
        assert postings.indexed(db, SITE) == 640
    assert postings.index(engine, SITE) == 0
    sample.add(engine, 100, 700)
    assert postings.index(engine, SITE) == 128
    with read(engine) as db:
        found = [e.index for e in search(db, SITE, Query(subject="subject-0"), limit=1_000)]
    assert found[:3] == [798, 791, 784]


def test_a_removed_record_is_found_no_more(engine):
    for index in (100, 690):
        with write(engine) as db:
            query = Query(subject=entry(db, SITE, index).subject)
            assert index in [e.index for e in search(db, SITE, query, limit=1_000)]
            remove_bodies(db, SITE, [index], "erasure/art-17", START_US)
        with read(engine) as db:
            assert index not in [e.index for e in search(db, SITE, query, limit=1_000)]


def test_one_record(engine):
    with read(engine) as db:
        found = entry(db, SITE, 303)
        assert (found.kind, found.message, found.links) == ("message.accepted", "message-303", sample.LINKS)
        assert found.body["n"] == 303
        removed = entry(db, SITE, 6)
        assert (removed.rule, removed.removed_by, removed.body) == ("retention/90-days", 400, {})
        with pytest.raises(LedgerError) as error:
            entry(db, SITE, 700)
    assert error.value.reason is Reason.NOT_FOUND


def test_facts_are_kept_once_and_read_by_digest(engine):
    digest, body = sample.facts_of(1)
    with read(engine) as db:
        assert facts(db, SITE, digest) == body
        assert facts(db, SITE, sample.facts_of(4)[0]) is None  # removed
        assert facts(db, SITE, b"\0" * 32) is None


def test_a_new_ledger_is_searched_without_an_index(empty):
    with write(empty) as db:
        append(db, SITE, [prepare(sample.record(n)) for n in range(10)])
    with read(empty) as db:
        assert [e.index for e in search(db, SITE, Query(subject="subject-2"))] == [9, 2]


def test_what_names_a_word_is_found_in_a_range_and_only_whole(engine):
    with read(engine) as db:
        everything = entries(db, SITE, 0, 700)
        cloud = [e for e in reversed(everything) if "cloud" in e.links and 100 <= e.index < 600]
        assert naming(db, SITE, ["cloud"], 100, 600, limit=1_000) == cloud
        assert cloud
        assert naming(db, SITE, ["clou"], 0, 700) == []
        assert len(naming(db, SITE, ["cloud"], 0, 700, limit=3)) == 3
