"""Followers act once per record, move with their effects, and do not stop each other."""

import pytest
from sqlalchemy import text
from tests.unit.ledger import sample
from tests.unit.ledger.sample import KEYS, SITE

from oathward.core.db import read, write
from oathward.ledger import Record, append, entries, head, prepare
from oathward.ledger.follow import Follower, follow, follow_each, position
from oathward.ledger.verify import verify_database


def add(engine, *kinds):
    with write(engine) as db:
        append(db, SITE, [prepare(sample.record(n, kind)) for n, kind in enumerate(kinds)])


def test_each_record_of_its_kinds_once_and_in_order(empty):
    add(empty, *["a.b", "c.d", "a.b"] * 200)
    seen = []

    def handle(_db, entry):
        seen.append(entry.index)
        return ()

    moves = []
    while moved := follow(empty, SITE, "f", {"a.b"}, handle, batch=100):
        moves.append(moved)
    assert seen == [n for n in range(600) if n % 3 != 1]
    assert sum(moves) == 600
    assert follow(empty, SITE, "f", {"a.b"}, handle) == 0


def test_a_follower_of_everything_and_one_of_nothing_that_happens(empty):
    add(empty, "a.b", "c.d")
    seen = []
    assert follow(empty, SITE, "all", (), lambda _db, e: seen.append(e.kind) or ()) == 2
    assert seen == ["a.b", "c.d"]
    assert follow(empty, SITE, "none", {"x.y"}, lambda _db, _e: 1 / 0) == 2


def test_what_a_handler_gives_back_is_appended_last(empty):
    add(empty, "finding.raised")
    reply = prepare(Record("incident.opened", {}, 1))
    assert follow(empty, SITE, "f", {"finding.raised"}, lambda _db, _e: [reply]) == 1
    with read(empty) as db:
        assert [e.kind for e in entries(db, SITE, 0, 9)] == ["finding.raised", "incident.opened"]


def test_a_failure_undoes_the_batch_and_keeps_the_position(empty):
    add(empty, *["a.b"] * 5)

    def fail_on_third(db, entry):
        db.execute(text("CREATE TABLE IF NOT EXISTS effect (n)"))
        db.execute(text("INSERT INTO effect VALUES (:n)"), {"n": entry.index})
        if entry.index == 2:
            raise RuntimeError
        return ()

    with pytest.raises(RuntimeError):
        follow(empty, SITE, "f", (), fail_on_third)
    with read(empty) as db:
        assert position(db, SITE, "f") == 0
        assert db.execute(text("SELECT COUNT(*) FROM sqlite_master WHERE name = 'effect'")).scalar() == 0


def test_one_failure_does_not_stop_the_others(empty):
    add(empty, "a.b")
    failures, seen = [], []

    def bad(_db, _entry):
        raise RuntimeError

    followers = [
        Follower("bad", (), bad),
        Follower("good", (), lambda _db, e: seen.append(e.index) or ()),
    ]

    def told(name, error):
        failures.append((name, type(error)))

    assert follow_each(empty, SITE, followers, told) == 1
    assert failures == [("bad", RuntimeError)]
    assert seen == [0]


def test_removed_records_are_passed_over(engine):
    seen = []
    while follow(engine, SITE, "f", (), lambda _db, e: seen.append(e.index) or ()):
        pass
    assert seen == [n for n in range(700) if n not in (5, 6, 7, 290)]
    assert verify_database(engine, SITE, KEYS).ok  # a follower's position is its own


def test_two_processes_with_one_name_do_a_batch_once(empty, monkeypatch):
    """The second finds the position moved and does nothing."""
    add(empty, "a.b")
    seen = []
    from oathward.ledger import follow as module

    real, raced = module._next, []

    def race(*args):
        result = real(*args)
        if not raced:
            raced.append(1)
            follow(empty, SITE, "f", (), lambda _db, e: seen.append(e.index) or ())
        return result

    monkeypatch.setattr(module, "_next", race)
    assert follow(empty, SITE, "f", (), lambda _db, e: seen.append(e.index) or ()) == 0
    assert seen == [0]
    with read(empty) as db:
        assert head(db, SITE).size == 1
