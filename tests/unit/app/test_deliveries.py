"""The app tells once about each delivery that is nowhere, keeps its place over restarts, and takes back what turns up."""

import itertools
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from tests.cpu import cpu_s
from tests.unit.messages.book import MINUTE_US, Book

from oathward.app import deliveries
from oathward.app.deliveries import Deliveries
from oathward.core.clock import from_micros
from oathward.core.db import connect, read, write
from oathward.core.settings import Settings
from oathward.messages import actions, missing

SITE = "north"


@pytest.fixture
def book(tmp_path):
    engine = connect(f"sqlite:///{tmp_path}/site.db")
    yield Book(engine)
    engine.dispose()


@pytest.fixture
def opened(book, tmp_path):
    clock = SimpleNamespace(now=lambda: from_micros(book.now_us))
    return SimpleNamespace(site=SITE, engine=book.engine, settings=Settings(tmp_path), clock=clock)


def turns(watch, count=3):
    for _ in range(count):
        watch._rarely_s = 0.0
        while watch.turn():
            pass


def listed(book):
    with read(book.engine) as db:
        return [(row.message, row.link, row.what) for row in missing.rows(db, SITE, limit=10)]


def test_it_is_told_once_and_after_its_time(book, opened):
    a, _ = book.accept("m1", "ehr", "cloud")
    book.tamper(f"DELETE FROM outbox WHERE id = '{a}'")
    watch = Deliveries(opened)
    turns(watch)
    assert book.findings() == [], "it is young"
    book.now_us += 6 * MINUTE_US
    turns(watch)
    assert book.findings() == [("delivery.missing", "m1", "ehr")]
    assert listed(book) == [("m1", "ehr", "missing")]
    turns(watch, 5)
    turns(Deliveries(opened), 5)
    (opened.settings.data / "app-deliveries").unlink()
    turns(Deliveries(opened), 5)
    assert len(book.findings()) == 1


def test_a_row_deleted_long_after_is_found_too_also_after_a_restart(book, opened):
    a, b = book.accept("m1", "ehr", "cloud")
    book.now_us += 6 * MINUTE_US
    first = Deliveries(opened)
    turns(first)
    book.tamper(f"DELETE FROM outbox WHERE id = '{a}'")
    second = Deliveries(opened)
    turns(second)
    assert second._pairing.next > 0
    assert book.findings() == [("delivery.missing", "m1", "ehr")]
    book.tamper(f"UPDATE outbox SET link = 'x' WHERE id = '{b}'")
    turns(second)
    assert book.findings()[1:2] == [("delivery.changed", "m1", "cloud")]


def test_what_turns_up_goes_off_the_list(book, opened):
    [a] = book.accept("m1", "ehr")
    book.tamper("UPDATE outbox SET state = 'dead'")
    book.now_us += 6 * MINUTE_US
    watch = Deliveries(opened)
    turns(watch)
    assert listed(book) == [("m1", "ehr", "state")]
    book.tamper("UPDATE outbox SET state = 'pending'")
    book.deliver(a)
    turns(watch)
    assert listed(book) == []


def test_a_person_gives_it_up(book, opened):
    [a] = book.accept("m1", "ehr")
    book.tamper("DELETE FROM outbox")
    book.now_us += 6 * MINUTE_US
    watch = Deliveries(opened)
    turns(watch)
    with write(book.engine) as db:
        assert actions.give_up_missing(db, SITE, a, by="t", reason="r", now_us=book.now_us)
    (opened.settings.data / "app-deliveries").unlink()
    turns(Deliveries(opened))
    assert (listed(book), len(book.findings())) == ([], 1)


def test_without_the_second_look_there_would_be_none(book, opened, monkeypatch):
    book.accept("m1", "ehr", rows=False)
    book.now_us += 6 * MINUTE_US
    monkeypatch.setattr(deliveries.Pairing, "look_again", lambda _self, _db, _limit: [])
    turns(Deliveries(opened))
    assert book.findings() == []


def test_a_ledger_that_is_shorter_is_read_from_its_start(book, opened):
    (opened.settings.data / "app-deliveries").write_text('{"next": 900, "standing": [7]}')
    book.accept("m1", "ehr", rows=False)
    book.now_us += 6 * MINUTE_US
    turns(Deliveries(opened))
    assert len(book.findings()) == 1


def test_a_message_costs_the_app_little(book, opened):
    """Five microseconds of CPU a message is the goal; the bound leaves room for a slow machine under load."""
    from oathward import ledger
    from oathward.ledger import Record, prepare

    count, leaves = 8_000, []
    for n in range(count):
        id_ = f"{n:032X}"
        answers = [["keep", "permit"], ["ehr", "permit", id_, {"patient.name": 1, "patient.address": 3}]]
        body = {
            "answers": answers,
            "bundle": "b 1",
            "device": "d",
            "facts": ["ab" * 32] * 2,
            "type": "ORU^R01",
        }
        leaves.append(prepare(Record("message.accepted", body, book.now_us, "s", ("ehr",), f"m{n}")))
        body = {"id": id_, "sha256": "ab" * 32, "tries": 1, "answer": "AA"}
        leaves.append(prepare(Record("message.delivered", body, book.now_us, "s", ("ehr",), f"m{n}")))
    for start in range(0, len(leaves), 256):
        with write(book.engine) as db:
            ledger.append(db, SITE, leaves[start : start + 256])
    watch = Deliveries(opened)
    watch._rarely_s = float("inf")

    def until_done():
        while watch.turn():
            pass

    spent_us = cpu_s(until_done) / count * 1e6
    print(f"{spent_us:.2f} µs of CPU a message, at {datetime.now(UTC):%H:%M}")
    assert watch._pairing.settled
    assert spent_us < 15


def test_a_ledger_that_grows_all_the_time_is_not_read_all_the_time(book, opened, monkeypatch):
    """Else the loop that calls it does nothing else any more: no checkpoint of the log, no purge."""
    numbers = itertools.count()
    settle = deliveries.Pairing.settle

    def while_more_comes(*arguments):
        book.accept(f"m{next(numbers)}", "ehr")
        settle(*arguments)

    monkeypatch.setattr(deliveries.Pairing, "settle", while_more_comes)
    book.accept("first", "ehr")
    assert not Deliveries(opened).turn(), "it has read all there was"
