"""What feed and recorder promise together on a real database: once each, in order, across restarts and refusals."""

import asyncio
from dataclasses import replace

import pytest
from tests.outbox import waiting

import oathward.ledger.tables  # noqa: F401  declares the ledger's tables
from oathward import ledger
from oathward.core.clock import Clock
from oathward.core.db import connect, create_tables, read, write
from oathward.core.errors import StorageError
from oathward.core.settings import Courier
from oathward.courier.feed import Feed
from oathward.courier.look import Look
from oathward.courier.model import Item
from oathward.courier.record import Recorder
from oathward.messages import actions
from oathward.messages import sql as messages
from oathward.messages.model import Delivery

from .test_lane import Recipient

LIMITS = Courier(
    retry_first_s=0.001,
    retry_longest_s=0.004,
    attempts_max=3,
    poll_s=0.001,
    batch_rows=16,
    waiting_rows_max=64,
)


@pytest.fixture
def engine(tmp_path):
    engine = connect(f"sqlite:///{tmp_path}/t.db")
    create_tables(engine)
    return engine


def put(engine, names, sender="d0"):
    rows = [waiting(n, sender=sender) for n in names]
    with write(engine) as db:
        messages.insert_outbox(db, rows)


class Post:
    """A feed with its recorder, as the process wires them."""

    def __init__(self, engine, recipient, *, ordered=True, later=frozenset(), limits=LIMITS):
        self.settling = set()
        loop = asyncio.get_running_loop()

        def recorded(group):
            def forget():
                for item, *_ in group:
                    self.feed.recorded(item.row.seq)
                    self.settling.discard(item.row.seq)

            loop.call_soon_threadsafe(forget)

        self.recorder = Recorder(engine, "s", Clock(), recorded, group_max=8)

        def settle(settled):
            self.settling.add(settled[0].row.seq)
            self.recorder.put(settled)

        def ready(rows):
            return [Item(row, b"") for row in rows if row.id not in later]

        self.feed = Feed(engine, "link", [recipient], limits, ready, settle, self.settling, ordered=ordered)
        look = Look(engine, limits.poll_s, lambda _links: self.feed.arrived())
        self.tasks = [asyncio.create_task(self.feed.run()), asyncio.create_task(look.run())]

    async def stop(self):
        await self.feed.drain(1.0)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await asyncio.to_thread(self.recorder.stop)


async def until(what, patience_s=5.0):
    async with asyncio.timeout(patience_s):
        while not what():
            await asyncio.sleep(0.002)


def left(engine):
    with read(engine) as db:
        return messages.outbox_counts(db)


def kinds(engine):
    with read(engine) as db:
        return [kind for (kind,) in db.exec_driver_sql("SELECT kind FROM ledger_record ORDER BY idx")]


def test_rows_written_while_it_runs_are_delivered_once_in_order_and_recorded(engine):
    async def go():
        recipient = Recipient(window=1)
        post = Post(engine, recipient)
        names = [f"m{n}" for n in range(200)]
        for start in range(0, 200, 7):
            await asyncio.to_thread(put, engine, names[start : start + 7])
        await until(lambda: len(recipient.kept) >= 200)
        await until(lambda: not left(engine))
        await asyncio.sleep(0.02)
        await post.stop()
        assert recipient.kept == names

    asyncio.run(go())
    assert kinds(engine).count("message.delivered") == 200


def test_a_restart_of_the_feed_neither_loses_nor_repeats(engine):
    async def go():
        recipient = Recipient(window=3)
        put(engine, [f"m{n}" for n in range(120)])
        while left(engine):
            post = Post(engine, recipient, ordered=False)
            await asyncio.sleep(0.01)
            await post.stop()
        assert sorted(recipient.kept, key=lambda n: int(n[1:])) == [f"m{n}" for n in range(120)]

    asyncio.run(go())


def test_reconsidering_often_neither_loses_nor_repeats(engine):
    async def go():
        recipient = Recipient(window=2)
        put(engine, [f"m{n}" for n in range(150)])
        post = Post(engine, recipient)
        while left(engine):
            post.feed.reconsider()
            await asyncio.sleep(0.003)
        await post.stop()
        assert recipient.kept == [f"m{n}" for n in range(150)]

    asyncio.run(go())


def test_a_blocked_sender_waits_for_a_person_and_then_goes_on(engine, monkeypatch):
    monkeypatch.setattr("oathward.courier.feed._RESCAN_S", 0.01)

    async def go():
        recipient = Recipient({"m0": ["refuse"] * 3})
        put(engine, ["m0", "m1"], sender="stuck")
        put(engine, ["m2"], sender="free")
        post = Post(engine, recipient)
        await until(lambda: left(engine) == {("link", Delivery.BLOCKED): 1, ("link", Delivery.PENDING): 1})
        assert recipient.kept == ["m2"]
        with write(engine) as db:
            actions.retry(db, "m0", by="t", reason="mended", now_us=1)
        await until(lambda: not left(engine))
        await post.stop()
        assert recipient.kept == ["m2", "m0", "m1"]

    asyncio.run(go())
    assert "finding.raised" in kinds(engine)
    assert "delivery.retried" in kinds(engine)
    with read(engine) as db:
        assert ledger.head(db, "s").size == len(kinds(engine))


def test_a_discarded_delivery_lets_the_next_ones_go(engine, monkeypatch):
    monkeypatch.setattr("oathward.courier.feed._RESCAN_S", 0.01)

    async def go():
        recipient = Recipient({"m0": ["refuse"] * 99})
        put(engine, ["m0", "m1"])
        post = Post(engine, recipient)
        await until(lambda: ("link", Delivery.BLOCKED) in left(engine))
        with write(engine) as db:
            actions.discard(db, "m0", by="t", reason="never", now_us=1)
        await until(lambda: left(engine) == {("link", Delivery.DEAD): 1})
        await post.stop()
        assert recipient.kept == ["m1"]

    asyncio.run(go())


def test_what_cannot_be_told_now_waits_in_its_place_and_goes_out_later(engine, monkeypatch):
    monkeypatch.setattr("oathward.courier.feed._RESCAN_S", 0.02)

    async def go():
        recipient, later = Recipient(), {"m0"}
        put(engine, ["m0", "m1"], sender="unsure")
        put(engine, ["m2"], sender="sure")
        post = Post(engine, recipient, later=later)
        await until(lambda: recipient.kept == ["m2"])
        await asyncio.sleep(0.1)
        assert recipient.kept == ["m2"], "nothing of its sender overtakes it"
        assert left(engine) == {("link", Delivery.PENDING): 2}, "nothing was given up"
        later.clear()
        await until(lambda: not left(engine))
        await post.stop()
        assert recipient.kept == ["m2", "m0", "m1"]

    asyncio.run(go())


def test_a_released_sender_with_more_waiting_than_fits_is_still_in_order(engine, monkeypatch):
    monkeypatch.setattr("oathward.courier.feed._RESCAN_S", 0.02)
    stuck, free = [f"m{n}" for n in range(100)], [f"f{n}" for n in range(30)]

    async def go():
        recipient = Recipient({"m0": ["refuse"] * 3})
        put(engine, stuck, sender="stuck")
        post = Post(engine, recipient, limits=replace(LIMITS, waiting_rows_max=16, batch_rows=8))
        await until(lambda: ("link", Delivery.BLOCKED) in left(engine))
        put(engine, free, sender="free")
        await until(lambda: recipient.kept == free)
        with write(engine) as db:
            actions.retry(db, "m0", by="t", reason="mended", now_us=1)
        for n in range(100, 140):  # what comes meanwhile lies behind all that waits
            await asyncio.to_thread(put, engine, [f"m{n}"], "stuck")
        await until(lambda: not left(engine))
        await post.stop()
        assert recipient.kept == free + stuck + [f"m{n}" for n in range(100, 140)]

    asyncio.run(go())


def test_rows_of_other_links_do_not_wake_a_feed_and_its_own_do_at_once(engine):
    told = []
    look = Look(engine, 1.0, told.append)
    assert look.added() is None, "at first any link may have some"
    put(engine, ["m0", "m1"])
    assert look.added() == {"link": 2}
    assert look.added() == {}
    with write(engine) as db:
        messages.delete_delivered(db, [1, 2])
    put(engine, ["m2"])
    assert look.added() == {"link": 3}, "numbers are never given again"


def test_a_look_that_failed_sends_every_feed_to_read(engine):
    look = Look(engine, 1.0, lambda _links: None)
    look.added()
    with write(engine) as db:
        db.exec_driver_sql("ALTER TABLE outbox RENAME TO gone")
    assert look.added() is None
    with write(engine) as db:
        db.exec_driver_sql("ALTER TABLE gone RENAME TO outbox")
    put(engine, ["m0"])
    assert look.added() is None, "where it stands is not known"
    put(engine, ["m1"])
    assert look.added() == {"link": 2}


def test_a_read_that_fails_is_tried_again_from_the_start(engine, monkeypatch):
    monkeypatch.setattr("oathward.courier.feed._FAILED_PAUSE_S", 0.01)
    pending, failures = messages.pending, [StorageError("database", "busy")] * 3

    def failing(*args, **kwargs):
        if failures:
            raise failures.pop()
        return pending(*args, **kwargs)

    monkeypatch.setattr(messages, "pending", failing)

    async def go():
        recipient = Recipient()
        put(engine, ["m0", "m1"])
        post = Post(engine, recipient)
        await until(lambda: post.feed.trouble == "storage.failed")
        await until(lambda: not left(engine))
        assert post.feed.trouble == ""
        await post.stop()
        assert recipient.kept == ["m0", "m1"]

    asyncio.run(go())
