"""What a lane promises: order per sender, nothing lost, nothing twice without a fault, bounded tries."""

import asyncio
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.outbox import waiting

from oathward.core.reasons import Reason
from oathward.core.settings import Courier
from oathward.courier.lane import Lane
from oathward.courier.model import Delivered, Failed, Item

LIMITS = Courier(retry_first_s=0.001, retry_longest_s=0.004, attempts_max=4)


def item(seq, sender):
    row = waiting(f"m{seq}", sender=sender, seq=seq)
    return Item(row, b"")


class Recipient:
    """The far end as a script: for each try of a message, what happens. Keeps what it took, in order."""

    def __init__(self, script=None, window=1, unreachable=0):
        self.script, self.window, self.unreachable = script or {}, window, unreachable
        self.kept, self.tries, self.opened = [], defaultdict(int), 0
        self._outstanding = []
        self._broken = True

    async def open(self):
        self.opened += 1
        if self.unreachable:
            self.unreachable -= 1
            raise ConnectionRefusedError
        self._broken = False

    def send(self, item, answered):
        self._outstanding.append((item, answered))
        asyncio.get_running_loop().call_soon(self._answer)

    def _answer(self):
        if self._broken or not self._outstanding:
            return
        item, answered = self._outstanding.pop(0)
        name = item.row.id
        self.tries[name] += 1
        steps = self.script.get(name, ())
        what = (
            steps[min(self.tries[name], len(steps)) - 1]
            if steps and self.tries[name] <= len(steps)
            else "take"
        )
        if what == "take":
            self.kept.append(name)
            answered(item, Delivered("AA"))
        elif what == "refuse":
            answered(item, Failed(Reason.RECIPIENT_REFUSED, refused=True))
        else:
            if what == "take-and-break":
                self.kept.append(name)
            self._outstanding.insert(0, (item, answered))
            self.close()

    def close(self):
        self._broken = True
        outstanding, self._outstanding = self._outstanding, []
        for item, answered in outstanding:
            answered(item, Failed(Reason.RECIPIENT_NO_ANSWER))


async def deliver(recipient, items, *, ordered, settle_s=2.0, limits=LIMITS):
    results, dropped = {}, []

    def settled(item, result):
        assert item.row.id not in results, "settled twice"
        results[item.row.id] = result

    lane = Lane(recipient, limits, settled, dropped.extend, ordered=ordered)
    task = asyncio.create_task(lane.run())
    for one in items:
        lane.put(one)
    async with asyncio.timeout(settle_s):
        while len(results) + len(dropped) < len(items):
            await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return results, [i.row.id for i in dropped], lane


def run(*args, **kwargs):
    return asyncio.run(deliver(*args, **kwargs))


@pytest.mark.parametrize("window", [1, 3])
def test_everything_arrives_once_and_in_order_per_sender(window):
    recipient = Recipient(window=window)
    results, _, lane = run(recipient, [item(n, f"d{n % 3}") for n in range(30)], ordered=True)
    assert all(isinstance(r, Delivered) for r in results.values())
    assert len(recipient.kept) == len(set(recipient.kept)) == 30
    for sender in range(3):
        mine = [int(name[1:]) for name in recipient.kept if int(name[1:]) % 3 == sender]
        assert mine == sorted(mine)
    assert lane.size == 0


def test_a_recipient_that_is_away_loses_nothing():
    recipient = Recipient(unreachable=6)
    results, _, _ = run(recipient, [item(n, "d") for n in range(5)], ordered=True)
    assert recipient.kept == [f"m{n}" for n in range(5)]
    assert all(isinstance(r, Delivered) for r in results.values())


def test_a_broken_connection_sends_the_same_message_again_first():
    recipient = Recipient({"m1": ["break", "take"]})
    run(recipient, [item(n, "d") for n in range(4)], ordered=True)
    assert recipient.kept == ["m0", "m1", "m2", "m3"]
    assert recipient.tries["m1"] == 2


def test_a_lost_answer_may_repeat_only_that_message():
    recipient = Recipient({"m1": ["take-and-break", "take"]})
    run(recipient, [item(n, "d") for n in range(4)], ordered=True)
    assert recipient.kept == ["m0", "m1", "m1", "m2", "m3"]


def test_block_holds_the_sender_behind_a_refused_message_and_serves_the_others():
    recipient = Recipient({"m0": ["refuse"] * 99})
    items = [item(0, "stuck"), item(1, "stuck"), item(2, "free"), item(3, "free")]
    results, dropped, _ = run(recipient, items, ordered=True)
    assert results["m0"] == Failed(Reason.RECIPIENT_REFUSED, refused=True)
    assert recipient.tries["m0"] == LIMITS.attempts_max
    assert recipient.kept == ["m2", "m3"]
    assert dropped == ["m1"]


def test_skip_sets_the_refused_message_aside_and_goes_on():
    recipient = Recipient({"m0": ["refuse"] * 99}, window=2)
    results, dropped, _ = run(recipient, [item(n, "d") for n in range(4)], ordered=False)
    assert isinstance(results["m0"], Failed)
    assert sorted(recipient.kept) == ["m1", "m2", "m3"]
    assert dropped == []


def test_an_ordered_link_never_gives_up_a_message_because_the_recipient_is_silent():
    recipient = Recipient({"m0": ["break"] * (LIMITS.attempts_max * 3)})
    results, _, _ = run(recipient, [item(0, "d"), item(1, "d")], ordered=True)
    assert recipient.kept == ["m0", "m1"]
    assert all(isinstance(r, Delivered) for r in results.values())


def test_cleared_items_are_given_back_and_not_sent():
    async def go():
        recipient = Recipient(unreachable=1000)
        lane = Lane(recipient, LIMITS, lambda *_: None, lambda _: None, ordered=True)
        task = asyncio.create_task(lane.run())
        for n in range(3):
            lane.put(item(n, "d"))
        await asyncio.sleep(0.01)
        cleared = lane.clear()
        recipient.unreachable = 0
        await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return cleared, recipient.kept

    cleared, kept = asyncio.run(go())
    assert [i.row.id for i in cleared] == ["m0", "m1", "m2"]
    assert kept == []


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("how", ["break", "refuse"])
def test_what_was_outstanding_when_items_were_cleared_is_not_sent_a_second_time(ordered, how):
    """Consent or policy changed: what comes back undelivered is read and decided anew."""

    async def go():
        recipient = Recipient({"m0": [how]})
        dropped = []
        lane = Lane(recipient, LIMITS, lambda *_: None, dropped.extend, ordered=ordered)
        task = asyncio.create_task(lane.run())
        lane.put(item(0, "d"))
        while not lane.in_flight:
            await asyncio.sleep(0)
        assert lane.clear() == []
        await asyncio.sleep(0.05)
        assert (recipient.tries["m0"], recipient.kept, lane.size) == (1, [], 0)
        assert [i.row.id for i in dropped] == ["m0"]
        lane.put(item(0, "d"))  # decided anew
        lane.put(item(1, "d"))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return recipient.kept

    assert asyncio.run(go()) == ["m0", "m1"]


def test_a_pause_from_before_a_clear_lets_nothing_overtake():
    async def go():
        recipient = Recipient({"m0": ["refuse", "break", "take"]}, window=2)
        lane = Lane(recipient, LIMITS, lambda *_: None, lambda _: None, ordered=True)
        task = asyncio.create_task(lane.run())
        lane.put(item(0, "d"))
        while not recipient.tries["m0"]:
            await asyncio.sleep(0)
        assert [i.row.id for i in lane.clear()] == ["m0"]
        sent = []
        monkey = recipient.send
        recipient.send = lambda one, answered: sent.append(one.row.id)  # no answer yet
        lane.put(item(0, "d"))
        lane.put(item(1, "d"))
        await asyncio.sleep(0.02)  # the pause of the refusal is over
        recipient.send = monkey
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return sent

    assert asyncio.run(go()) == ["m0"]


steps = st.lists(st.sampled_from(["refuse", "break", "take"]), max_size=3)


@given(
    script=st.dictionaries(st.integers(0, 11), steps, max_size=6),
    senders=st.integers(1, 4),
    window=st.integers(1, 4),
    unreachable=st.integers(0, 3),
)
def test_under_any_faults_each_message_is_kept_once_and_in_order(script, senders, window, unreachable):
    recipient = Recipient({f"m{n}": [*s, "take"] for n, s in script.items()}, window, unreachable)
    results, _, _ = run(recipient, [item(n, f"d{n % senders}") for n in range(12)], ordered=True, settle_s=10)
    assert len(results) == 12
    assert sorted(recipient.kept, key=lambda n: int(n[1:])) == [f"m{n}" for n in range(12)]
    for sender in range(senders):
        mine = [int(name[1:]) for name in recipient.kept if int(name[1:]) % senders == sender]
        assert mine == sorted(mine)
