"""What a connection kept is given back, however it ends."""

import asyncio
from types import SimpleNamespace

import pytest
from tests.unit.gateway.listeners.nobody import Transport
from tests.wire import frame, oru

from oathward.core.errors import VaultError
from oathward.core.settings import Mllp
from oathward.gateway.arrival import Outcome, Prepared
from oathward.gateway.listeners import answers
from oathward.gateway.listeners.beside import Beside
from oathward.gateway.listeners.mllp import connection
from oathward.gateway.listeners.mllp.connection import MllpConnection
from oathward.gateway.listeners.mllp.listener import MllpListener

HEAVY = oru("H1", more="NTE|1||" + "a" * 60_000 + "\r")
LIGHT = oru("L1")


class Gate:
    """Counts what is refused; every message comes through as it is."""

    def __init__(self):
        self.refusals, self.troubles = [], []

    def refused(self, _peer, reason):
        self.refusals.append(reason)

    def unhealthy(self, error):
        self.troubles.append(error)

    @staticmethod
    def now_us():
        return 1


@pytest.fixture
def listener(monkeypatch):
    submitted = []
    committer = SimpleNamespace(submit=submitted.append, submitted=submitted)
    monkeypatch.setattr(
        connection, "handle", lambda _gate, arrival: Prepared(arrival, None, [], lambda _answer: [b"AA"])
    )
    return MllpListener(Gate(), committer, Mllp())


def connected(listener):
    one = MllpConnection(listener)
    one.connection_made(Transport())
    return one


async def turns(count=5):
    for _ in range(count):
        await asyncio.sleep(0)


def test_a_heavy_frame_whose_sender_went_away_keeps_no_memory(listener, monkeypatch):
    async def go():
        ended = asyncio.Event()
        begun = []

        async def handled(_beside, heavy):
            begun.append(heavy)
            await ended.wait()
            return Outcome.STORED

        monkeypatch.setattr(Beside, "_handled", handled)
        senders = [connected(listener) for _ in range(4)]
        for one in senders:
            one.data_received(frame(HEAVY) + frame(LIGHT))
        await turns()
        assert listener.kept_bytes == 4 * (len(HEAVY) + len(LIGHT))
        for one in senders[1:]:
            one.connection_lost(None)
        ended.set()
        await turns(20)
        assert len(begun) == 1, "nobody is there to be answered"
        for prepared in listener.committer.submitted:
            prepared.outcome = Outcome.STORED
        answers.finished(listener.committer.submitted)
        assert listener.kept_bytes == 0

    asyncio.run(go())


@pytest.mark.parametrize("outcome", [Outcome.STORED, Outcome.FAILED])
def test_a_message_whose_sender_went_away_keeps_no_memory(listener, outcome):
    async def go():
        one = connected(listener)
        one.data_received(frame(LIGHT))
        await turns()
        one.connection_lost(None)
        [prepared] = listener.committer.submitted
        prepared.outcome = outcome
        answers.finished([prepared])
        assert listener.kept_bytes == 0

    asyncio.run(go())


def test_what_cannot_be_prepared_again_ends_its_own_connection_alone(listener, monkeypatch):
    async def go():
        first, second = connected(listener), connected(listener)
        for one in (first, second):
            one.data_received(frame(LIGHT))
        await turns()
        again, stored = listener.committer.submitted
        again.outcome, stored.outcome = Outcome.AGAIN, Outcome.STORED

        def cannot(_gate, _arrival):
            raise VaultError("seal", "no key")

        monkeypatch.setattr(connection, "handle", cannot)
        answers.finished([again, stored])
        assert first._transport.closed
        assert not second._transport.closed
        assert not second._waiting, "it was answered"
        assert listener.gate.troubles

    asyncio.run(go())


def test_a_bug_of_ours_ends_the_connection_it_met(listener, monkeypatch):
    """Its message is not answered, nor is what came behind it."""

    def bug(_gate, _arrival):
        raise ZeroDivisionError

    async def go():
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        monkeypatch.setattr(connection, "handle", bug)
        one = connected(listener)
        one.data_received(frame(LIGHT) + frame(LIGHT))
        await turns()
        assert one._transport.closed
        assert listener.kept_bytes == 0
        assert not listener.committer.submitted

    asyncio.run(go())


def test_what_clashes_for_ever_is_not_tried_for_ever(listener):
    async def go():
        one = connected(listener)
        one.data_received(frame(LIGHT))
        await turns()
        submitted = listener.committer.submitted
        for _ in range(20):
            if one._transport.closed:
                break
            submitted[-1].outcome = Outcome.AGAIN
            answers.finished([submitted[-1]])
        assert one._transport.closed
        assert len(submitted) == 6

    asyncio.run(go())


def test_an_answer_that_fails_leaves_the_others_of_its_group_answered(listener):
    answered = []

    class Owner:
        def __init__(self, name):
            self.name = name

        def answer(self):
            answered.append(self.name)
            if self.name == 1:
                raise RuntimeError("a bug of ours")

    async def go():
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        group = [Prepared(None, None, [], None, owner=Owner(n)) for n in range(4)]
        with pytest.raises(RuntimeError):
            answers.finished(group)
        await turns()

    asyncio.run(go())
    assert answered == [0, 1, 2, 3]
