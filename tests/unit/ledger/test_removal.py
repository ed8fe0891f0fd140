"""Bodies go by rule, the tree stays, and nothing goes unsaid."""

from hashlib import sha256

import pytest
from sqlalchemy import text
from tests.unit.ledger import sample
from tests.unit.ledger.sample import KEYS, SITE, START_US

from oathward.core.db import read, write
from oathward.core.errors import InputError, LedgerError
from oathward.ledger import (
    append,
    entry,
    facts,
    head,
    postings,
    prepare,
    remove_bodies,
    remove_body,
    remove_facts,
)
from oathward.ledger.verify import verify_database


def test_a_removed_body_leaves_no_value_behind(engine):
    with read(engine) as db:
        before = entry(db, SITE, 100)
    with write(engine) as db:
        remove_body(db, SITE, 100, "erasure/art-17", START_US)
    with read(engine) as db:
        row = db.execute(text("SELECT * FROM ledger_record WHERE idx = 100")).mappings().one()
        assert {k: v for k, v in row.items() if v not in (None, "", 0)} == {
            "site": SITE, "idx": 100, "leaf": before.leaf, "rule": "erasure/art-17", "removed_by": 700,
        }  # fmt: skip
        said = entry(db, SITE, 700)
    assert (said.kind, said.body) == ("record.removed", {"ranges": [[100, 100]], "rule": "erasure/art-17"})
    report = verify_database(engine, SITE, KEYS)
    assert report.problems == ()
    assert report.removed == {"erasure/art-17": 1, "retention/90-days": 4}


def test_a_whole_block_may_go(engine):
    with write(engine) as db:
        assert remove_bodies(db, SITE, range(128, 256), "retention/90-days", START_US) == 128
    assert verify_database(engine, SITE, KEYS).problems == ()


def test_removing_again_changes_nothing(engine):
    with write(engine) as db:
        assert remove_bodies(db, SITE, [5, 6], "other", START_US) == 0
        assert remove_facts(db, SITE, [sample.facts_of(4)[0]], "other", START_US) == 0
        assert head(db, SITE).size == 700


def test_facts_go_and_records_still_name_them(engine):
    with write(engine) as db:
        assert remove_facts(db, SITE, [sample.facts_of(n)[0] for n in (1, 2)], "facts/30-days", START_US) == 2
    report = verify_database(engine, SITE, KEYS)
    assert report.problems == ()
    assert (report.facts, report.facts_removed) == (2, 3)


def test_facts_come_back_when_a_later_decision_rests_on_them(engine):
    digest, body = sample.facts_of(4)
    with read(engine) as db:
        assert facts(db, SITE, digest) is None
    with write(engine) as db:
        append(db, SITE, [prepare(sample.record(1, facts=digest.hex()))], {digest: body})
    with read(engine) as db:
        assert facts(db, SITE, digest) == body
    report = verify_database(engine, SITE, KEYS)
    assert (report.problems, report.facts, report.facts_removed) == ((), 5, 0)


def test_facts_that_a_writer_remembers_come_back_too(engine):
    digest, body = sample.facts_of(2)

    def again():
        with write(engine) as db:
            append(db, SITE, [prepare(sample.record(1, facts=digest.hex()))], {digest: body})

    again()  # found kept, and remembered
    with write(engine) as db:
        assert remove_facts(db, SITE, [digest], "facts/30-days", START_US) == 1
    again()
    with read(engine) as db:
        assert facts(db, SITE, digest) == body
    assert verify_database(engine, SITE, KEYS).problems == ()


def test_facts_of_a_transaction_that_failed_are_not_remembered(engine):
    body = b'{"new":1}'
    digest = sha256(body).digest()

    def attempt(*, fail):
        with write(engine) as db:
            append(db, SITE, [prepare(sample.record(1, facts=digest.hex()))], {digest: body})
            if fail:
                raise InputError("test", "give it up")

    with pytest.raises(InputError):
        attempt(fail=True)
    attempt(fail=False)
    with read(engine) as db:
        assert facts(db, SITE, digest) == body


@pytest.mark.parametrize("index", [0, 400, 401])
def test_what_the_ledger_stands_on_is_never_removed(engine, index):
    with pytest.raises(InputError), write(engine) as db:
        remove_body(db, SITE, index, "retention/90-days", START_US)


def test_bad_removals_are_refused(engine):
    with pytest.raises(LedgerError), write(engine) as db:
        remove_body(db, SITE, 700, "r", START_US)
    with pytest.raises(InputError), write(engine) as db:
        remove_body(db, SITE, 1, "", START_US)
    with pytest.raises(InputError), write(engine) as db:
        remove_bodies(db, SITE, range(1_001), "r", START_US)


def test_a_removal_while_a_block_is_being_indexed(engine, monkeypatch):
    """The index reads a block, a body of it goes, the index writes: the posting must not come back."""
    sample.add(engine, 100, 700)
    real = postings._bodies

    def race(db, site, start):
        rows = real(db, site, start)
        monkeypatch.setattr(postings, "_bodies", real)
        db.rollback()
        with write(engine) as other:
            remove_body(other, SITE, 650, "erasure/art-17", START_US)
        return rows

    monkeypatch.setattr(postings, "_bodies", race)
    assert postings.index(engine, SITE) == 128
    assert verify_database(engine, SITE, KEYS).problems == ()
