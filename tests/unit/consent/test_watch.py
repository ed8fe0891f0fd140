"""What is known of consents is as old as the last good read of it; what could not be read is noticed, and so is its end."""

import threading

import pytest

from oathward.consent import watch
from oathward.consent.watch import Watch
from oathward.core.errors import StorageError

POLL_S = 0.01


class Database:
    def __init__(self):
        self.away, self.looks, self.looked = False, 0, threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def look(self):
        self.looks += 1
        self.looked.set()
        self.go_on.wait(10)
        if self.away:
            raise StorageError("database", "away")


@pytest.fixture
def database():
    one = Database()
    yield one
    one.go_on.set()


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(watch, "FRESH_S", 0.1)
    monkeypatch.setattr(watch, "_AGAIN_S", 0.0)


def until(what):
    tick = threading.Event()
    for _ in range(1_000):
        if what():
            return
        tick.wait(0.01)
    raise AssertionError("waited in vain")


@pytest.fixture
def running(database):
    one = Watch(database.look, POLL_S)
    one.start()
    yield one
    one.stop()


def test_nothing_is_known_before_the_first_good_read(database):
    database.away = True
    one = Watch(database.look, POLL_S)
    with pytest.raises(StorageError):
        one.look()
    assert not one.fresh
    assert not one.sure()


@pytest.mark.usefixtures("soon")
def test_it_goes_stale_while_nothing_can_be_read_and_recovers_by_itself(database, running):
    until(lambda: running.fresh)
    database.away = True
    until(lambda: not running.fresh)
    assert not running.sure()
    database.away = False
    until(lambda: running.fresh)


@pytest.mark.usefixtures("soon")
def test_a_read_that_hangs_is_no_good_one(database, running):
    until(lambda: running.fresh)
    database.go_on.clear()
    until(lambda: not running.fresh)
    database.go_on.set()
    until(lambda: running.fresh)


@pytest.mark.usefixtures("soon")
def test_the_age_counts_from_before_the_read(database):
    one = Watch(database.look, POLL_S)
    database.go_on.clear()
    thread = threading.Thread(target=one.look)
    thread.start()
    database.looked.wait(10)
    threading.Event().wait(0.15)
    database.go_on.set()
    thread.join()
    assert not one.fresh, "what it read may have changed since it began"


@pytest.mark.usefixtures("soon")
def test_who_does_not_look_by_a_clock_looks_when_asked(database):
    one = Watch(database.look, POLL_S)
    assert one.sure()
    assert one.sure()
    assert database.looks == 1, "once is enough while it is fresh"


@pytest.mark.usefixtures("soon")
def test_a_process_that_stood_still_asks_once_more(database, running, monkeypatch):
    monkeypatch.setattr(watch, "_PATIENCE_S", 5.0)
    until(lambda: running.fresh)
    running._good_at_s -= 10  # as after a second in which nothing of us ran
    assert running.sure()
