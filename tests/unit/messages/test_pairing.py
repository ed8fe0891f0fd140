"""Every permit is delivered, given up, or stands in the outbox; one that is none of these is told."""

import pytest
from tests.unit.messages.book import Book

from oathward import ledger
from oathward.core.db import connect, read
from oathward.messages import missing, pairing
from oathward.messages.model import Delivery
from oathward.messages.pairing import Pairing, check_all

SITE = "north"
FAR_US = 1 << 62


@pytest.fixture
def book(tmp_path):
    engine = connect(f"sqlite:///{tmp_path}/site.db")
    yield Book(engine)
    engine.dispose()


def lost(book):
    return sorted((row.message, row.link, row.what) for row in check_all(book.engine, SITE))


def test_all_is_well(book):
    a, b = book.accept("m1", "ehr", "cloud", denied=("registry",))
    book.deliver(a)
    [c] = book.accept("m2", "ehr")
    book.fail(c)
    [d] = book.accept("m3", "ehr")
    book.fail(d, Delivery.BLOCKED)
    assert lost(book) == []
    book.deliver(b)
    book.retry(c)
    book.deliver(c)
    book.discard(d)
    assert lost(book) == []
    book.discard(d)
    assert lost(book) == [], "given up by a person"


@pytest.mark.parametrize("state", [None, Delivery.DEAD, Delivery.BLOCKED])
def test_a_row_that_was_deleted_is_missing(book, state):
    a, b = book.accept("m1", "ehr", "cloud")
    book.deliver(b)
    if state:
        book.fail(a, state)
    assert book.tamper(f"DELETE FROM outbox WHERE id = '{a}'") == 1
    assert lost(book) == [("m1", "ehr", "missing")]


def test_one_that_was_tried_twice_does_not_stand_in_for_another(book):
    a, b = book.accept("m1", "ehr", "cloud")
    book.fail(a)
    book.retry(a)
    book.deliver(a)
    book.tamper(f"DELETE FROM outbox WHERE id = '{b}'")
    assert lost(book) == [("m1", "cloud", "missing")]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("link = 'elsewhere'", "link"),
        ("message = 'm9'", "message"),
        ("state = 'dead'", "state"),
        ("state = 'blocked'", "state"),
        ("site = 'south'", "missing"),
        ("id = 'AA'", "missing"),
    ],
)
def test_a_row_that_was_changed_is_told(book, change, what):
    book.accept("m1", "ehr")
    book.tamper(f"UPDATE outbox SET {change}")
    assert lost(book) == [("m1", "ehr", what)]


def test_releases_and_parts_of_a_message_are_right(book):
    book.accept("m1", "ehr", denied=("cloud",))
    book.accept("m1", "cloud", release="r1")
    book.accept("m1.1", "ehr")
    [late] = book.accept("m1.1", "cloud", release="r1")
    assert lost(book) == []
    book.tamper(f"DELETE FROM outbox WHERE id = '{late}'")
    assert lost(book) == [("m1.1", "cloud", "missing")]


def test_nothing_is_lost_from_memory_that_is_too_small(book):
    ids = [id_ for n in range(60) for id_ in book.accept(f"m{n:02d}", "ehr", "cloud")]
    for id_ in ids[:40]:
        book.deliver(id_)
    book.tamper(f"DELETE FROM outbox WHERE id IN ('{ids[50]}', '{ids[119]}')")
    small = Pairing(SITE, young_max=7)
    found = []
    with read(book.engine) as db:
        while small.read(db, ledger.head(db, SITE).size):
            small.settle(db, 0, 5)
            assert len(small._young) <= 7
        small.settle(db, FAR_US, 100)
    assert small.settled
    for _ in range(40):
        with read(book.engine) as db:
            found += small.look_again(db, 7)
    assert {row.id for row in found} == {ids[50], ids[119]}, "one beside another that waits is seen again"
    assert len(small.standing) == 40


def test_young_permits_are_not_judged(book):
    book.accept("m1", "ehr", rows=False)
    one = Pairing(SITE)
    with read(book.engine) as db:
        one.read(db, 10)
        one.settle(db, book.now_us, 100)
        assert (len(one.standing), one.settled, one.position) == (0, False, 0)
        one.settle(db, book.now_us + 1, 100)
        assert (len(one.standing), one.settled, one.position) == (1, True, 10)


def test_with_the_outbox_not_asked_everything_that_waits_is_missing(book, monkeypatch):
    """The reverse: the check rests on the outbox, and on the records of what ended."""
    a, b = book.accept("m1", "ehr", "cloud")
    book.deliver(a)
    monkeypatch.setattr(missing, "standing", lambda _db, _site, _messages: {})
    monkeypatch.setattr(missing, "standing_by_id", lambda _db, _site, _ids: {})
    assert lost(book) == [("m1", "cloud", "missing")]
    monkeypatch.setattr(pairing, "_fates", lambda _db, _site, _messages: {})
    monkeypatch.setattr(pairing, "_ID", __import__("re").compile(b"never"))
    assert len(lost(book)) == 2
    assert b in {row.id for row in check_all(book.engine, SITE)}


def test_an_id_in_a_text_is_none(book):
    """Texts that look like a permit or an id are escaped in canonical JSON."""
    from oathward.core.db import write
    from oathward.ledger import Record, prepare

    body = {"answers": [["keep", "permit"]], "release": '["ehr","permit","X"'}
    with write(book.engine) as db:
        ledger.append(db, SITE, [prepare(Record("message.accepted", body, 1, "", (), "m1"))])
    assert lost(book) == []
