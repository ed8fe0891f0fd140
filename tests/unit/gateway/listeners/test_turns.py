"""Turns and buckets: an address has its share, however many connections it opens."""

import asyncio

from oathward.gateway.listeners.handshakes import Buckets
from oathward.gateway.listeners.turns import ROUND_S, Turns


class Sender:
    """Asks for ``turns`` turns and notes when it has them."""

    def __init__(self, turns, address, log, count):
        self.turns, self.address, self.log, self.left = turns, address, log, count
        turns.ask(address, self)

    def turn(self):
        self.log.append(self.address)
        self.left -= 1
        if self.left:
            self.turns.ask(self.address, self)


async def rounds(log, senders):
    turns = Turns()
    for address, connections, count in senders:
        for _ in range(connections):
            Sender(turns, address, log, count)
    await asyncio.sleep(0)
    while turns._scheduled:
        await asyncio.sleep(0)


def test_an_address_with_one_connection_waits_for_one_turn_of_the_flood():
    log = []
    asyncio.run(rounds(log, [("flood", 300, 3), ("quiet", 1, 2)]))
    assert len(log) == 902
    assert [i for i, address in enumerate(log) if address == "quiet"] == [1, 3]


def test_everybody_gets_every_turn_asked_for():
    log = []
    asyncio.run(rounds(log, [(f"a{n}", n, 2) for n in range(1, 20)]))
    assert {a: log.count(a) for a in log} == {f"a{n}": 2 * n for n in range(1, 20)}


def test_the_loop_gets_its_turn_between(monkeypatch):
    """Each turn takes the whole round here: between two of them the loop does something else."""
    clock = iter(n * ROUND_S for n in range(10_000))
    monkeypatch.setattr("oathward.gateway.listeners.turns.time.monotonic", lambda: next(clock))
    log = []

    async def busy():
        turns = Turns()
        for n in range(5):
            Sender(turns, f"a{n}", log, 1)
        for _ in range(5):
            await asyncio.sleep(0)
            log.append("loop")

    asyncio.run(busy())
    first = log.index("loop")
    assert first <= 2
    assert sorted(set(log) - {"loop"}) == [f"a{n}" for n in range(5)]


def test_a_bucket_gives_what_was_saved_and_then_the_rate():
    buckets = Buckets(10.0, saved_s=3.0)
    assert all(buckets.take("a", 1, 0.0) for _ in range(30))
    assert not buckets.take("a", 1, 0.0)
    assert buckets.take("b", 1, 0.0), "others have their own"
    assert not buckets.take("a", 1, 0.1)
    assert buckets.take("a", 1, 0.5)


def test_a_bucket_forgets_only_what_is_full_again():
    buckets = Buckets(10.0, saved_s=1.0)
    assert not buckets.take("a", 25, 0.0)
    buckets.forget_full(1.0)
    assert not buckets.take("a", 1, 0.5), "its debt stands"
    buckets.forget_full(10.0)
    assert buckets.take("a", 10, 10.0)


def test_a_turn_that_raises_ends_nobody_elses():
    log, raised = [], []

    class Broken:
        @staticmethod
        def turn():
            raise ZeroDivisionError

    async def run():
        asyncio.get_running_loop().set_exception_handler(lambda _loop, told: raised.append(told["exception"]))
        turns = Turns()
        turns.ask("broken", Broken())
        Sender(turns, "well", log, 2)
        for _ in range(10):
            await asyncio.sleep(0)
        Sender(turns, "later", log, 1)
        for _ in range(10):
            await asyncio.sleep(0)

    asyncio.run(run())
    assert log == ["well", "well", "later"]
    assert len(raised) == 1
