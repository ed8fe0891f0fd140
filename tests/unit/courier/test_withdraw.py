"""What is on the wire and may not be there any more: answered in time, or broken off, on record, and never sent again."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
from tests.outbox import waiting
from tests.unit.courier.far_end import SILENT, FarEnd

from oathward.core.reasons import Reason
from oathward.core.settings import Courier as Limits
from oathward.courier import files, sockets
from oathward.courier.fhir import FhirWire
from oathward.courier.files import FileWire
from oathward.courier.lane import Lane
from oathward.courier.mllp import MllpWire, client_context
from oathward.courier.model import Delivered, Failed, Item
from oathward_sim.pki import Authority, server_context

LIMITS = Limits(retry_first_s=0.01, retry_longest_s=0.05, attempts_max=2, window_messages=4)
OVER = Failed(Reason.CONSENT_WITHDRAWN_IN_FLIGHT, final=True)
BIG = 4_000_000


def item(seq, sender="d", body=b"MSH|x\r"):
    return Item(waiting(f"m{seq}", sender=sender, seq=seq), body)


class Laned:
    """A lane on a wire, with what became of its items."""

    def __init__(self, wire, *, ordered=True, limits=LIMITS, may_start=lambda: True):
        self.results, self.dropped = {}, []
        self.lane = Lane(
            wire, limits, self._settled, self.dropped.extend, ordered=ordered, may_start=may_start
        )

    def _settled(self, one, result):
        assert one.row.id not in self.results, "settled twice"
        self.results[one.row.id] = result

    async def __aenter__(self):
        self.task = asyncio.create_task(self.lane.run())
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    def narrowed(self, *seqs):
        """As the feed does it: all is given up and decided anew, what is refused is withdrawn."""
        self.lane.clear()
        self.lane.withdraw(set(seqs))

    async def until(self, what):
        async with asyncio.timeout(5):
            while not what():
                await asyncio.sleep(0.005)


class Wire:
    """A wire that answers what it is told, when it is told."""

    grace_s, window = 0.0, 4

    def __init__(self):
        self.out, self.sent, self.broken, self.opened = {}, [], [], 0

    async def open(self):
        self.opened += 1

    def send(self, one, answered):
        self.sent.append(one.row.id)
        self.out[one.row.id] = one, answered

    def answer(self, id_, result):
        one, answered = self.out.pop(id_)
        answered(one, result)

    def close(self):
        self.fail()

    def fail(self):
        out, self.out = self.out, {}
        for one, answered in out.values():
            answered(one, Failed(Reason.RECIPIENT_NO_ANSWER))

    def break_off(self, ids, /):
        self.broken.append(sorted(ids))
        asyncio.get_running_loop().call_soon(self.fail)


async def two_out(*, ordered):
    laned = Laned(Wire(), ordered=ordered)
    await laned.__aenter__()
    wire = laned.lane._wire
    laned.lane.put(item(1, "a"))
    laned.lane.put(item(2, "b"))
    await laned.until(lambda: len(wire.sent) == 2)
    return laned, wire


@pytest.mark.parametrize("ordered", [True, False])
def test_what_is_withdrawn_is_over_and_the_others_are_sent_again_at_once(ordered):
    async def go():
        laned, wire = await two_out(ordered=ordered)
        laned.narrowed(1)
        laned.lane.break_off()
        await laned.until(lambda: laned.results)
        assert laned.results == {"m1": OVER}
        assert wire.broken == [["m1"]]
        [other] = laned.dropped  # given back: read again and decided anew
        assert (other.row.id, other.attempts) == ("m2", 0), "no try of it is counted"
        assert laned.lane.failing == "", "nor a failure of the recipient"
        laned.lane.put(other)
        laned.lane.put(item(3, "a"))
        await laned.until(lambda: len(wire.sent) == 4)
        assert wire.opened == 2
        assert sorted(wire.sent) == ["m1", "m2", "m2", "m3"], "the withdrawn one went out once"
        await laned.__aexit__()

    asyncio.run(go())


def test_an_answer_in_time_is_a_delivery():
    async def go():
        laned, wire = await two_out(ordered=True)
        laned.narrowed(1)
        wire.answer("m1", Delivered("AA"))
        laned.lane.break_off()
        assert laned.results == {"m1": Delivered("AA")}
        assert (wire.broken, laned.lane.in_flight) == ([], 1)
        await laned.__aexit__()

    asyncio.run(go())


def test_a_connection_that_ends_by_itself_meanwhile_is_over_too():
    async def go():
        laned, wire = await two_out(ordered=True)
        laned.narrowed(1)
        wire.fail()
        await laned.until(lambda: laned.results)
        assert laned.results == {"m1": OVER}
        assert laned.lane.failing == Reason.RECIPIENT_NO_ANSWER.code, "that was the recipient"
        await laned.__aexit__()

    asyncio.run(go())


def test_without_the_withdrawal_it_is_sent_again():
    """The reverse: what the lane does when nobody says that it may not."""

    async def go():
        laned, wire = await two_out(ordered=True)
        wire.fail()
        await laned.until(lambda: len(wire.sent) == 4)
        assert laned.results == {}
        await laned.__aexit__()

    asyncio.run(go())


def test_nothing_starts_while_the_link_may_not():
    async def go():
        may = [False]
        async with Laned(Wire(), may_start=lambda: may[0]) as laned:
            wire = laned.lane._wire
            laned.lane.put(item(1))
            await asyncio.sleep(0.05)
            assert wire.sent == []
            may[0] = True
            [given] = laned.lane.clear()
            laned.lane.put(given)
            await laned.until(lambda: wire.sent == ["m1"])

    asyncio.run(go())


class Slow:
    """A recipient's socket that reads nothing until it is told to."""

    def __enter__(self):
        self.server = socket.socket()
        self.server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.server.bind(("127.0.0.1", 0))
        self.server.listen()
        self.port = self.server.getsockname()[1]
        return self

    def __exit__(self, *_):
        self.server.close()

    def all_of(self, connection):
        """Read to the end; gives how much there was, and whether the end was a reset."""
        connection.settimeout(5)
        size = 0
        try:
            while data := connection.recv(65536):
                size += len(data)
        except ConnectionResetError:
            return size, True
        return size, False


async def withdrawn(laned):
    laned.narrowed(1)
    laned.lane.break_off()
    await laned.until(lambda: laned.results)
    assert laned.results == {"m1": OVER}


async def ended(laned):
    """A bug in its feed, a process that stops: nobody looks after the lane any more."""
    laned.task.cancel()
    await laned.until(lambda: not laned.lane.in_flight)
    assert laned.results == {}, "nobody knows whether it arrived: it is decided, and sent, again"


async def unanswered(laned):
    laned.lane._wire.close()
    await laned.until(lambda: laned.lane.failing)


ENDS = [withdrawn, ended, unanswered]


def mllp_to(port):
    return MllpWire("127.0.0.1", port, LIMITS, context=None), b"x" * BIG


def fhir_to(port):
    body = b'{"resourceType":"Observation","id":"o-1","x":"' + b"x" * BIG + b'"}'
    return FhirWire(f"http://127.0.0.1:{port}/fhir", LIMITS, context=None), body


def broken_off(to, end):
    """Give (bytes in the recipient's kernel when it was broken off, all it could ever read, whether it was reset)."""

    async def go():
        with Slow() as slow:
            wire, body = to(slow.port)
            async with Laned(wire) as laned:
                laned.lane.put(item(1, body=body))
                connection, _ = await asyncio.to_thread(slow.server.accept)
                await asyncio.sleep(0.1)
                held = len(connection.recv(BIG, socket.MSG_PEEK))
                await end(laned)
                got, reset = await asyncio.to_thread(slow.all_of, connection)
                connection.close()
                return held, got, reset

    return asyncio.run(go())


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("to", [mllp_to, fhir_to])
def test_what_the_kernel_has_not_sent_is_not_sent_any_more(to, end):
    held, got, reset = broken_off(to, end)
    assert reset
    assert got <= held < 100_000


@pytest.mark.parametrize("end", ENDS)
def test_without_the_reset_the_kernel_would_go_on_sending(monkeypatch, end):
    monkeypatch.setattr(sockets, "_AT_ONCE", sockets._POLITELY)
    held, got, _ = broken_off(mllp_to, end)
    assert got > held


KILLED = """
import asyncio, sys
from tests.unit.courier.test_withdraw import Laned, item, mllp_to

async def go():
    wire, body = mllp_to(int(sys.argv[1]))
    async with Laned(wire) as laned:
        laned.lane.put(item(1, body=body))
        await asyncio.sleep(60)

asyncio.run(go())
"""


def test_a_process_that_is_killed_sends_nothing_more():
    with Slow() as slow:
        sender = subprocess.Popen([sys.executable, "-c", KILLED, str(slow.port)])
        try:
            slow.server.settimeout(30)
            connection, _ = slow.server.accept()
            while not (held := len(connection.recv(BIG, socket.MSG_PEEK))):
                pass
        finally:
            os.kill(sender.pid, signal.SIGKILL)
            sender.wait()
        held = max(held, len(connection.recv(BIG, socket.MSG_PEEK)))
        got, reset = slow.all_of(connection)
        connection.close()
    assert reset
    assert got <= held < 100_000


@pytest.mark.parametrize("to", [mllp_to, fhir_to])
def test_where_nothing_is_outstanding_the_end_is_polite(to):
    async def go():
        with Slow() as slow:
            wire, _ = to(slow.port)
            await wire.open()
            connection, _ = await asyncio.to_thread(slow.server.accept)
            await asyncio.sleep(0.05)
            wire.close()
            got = await asyncio.to_thread(slow.all_of, connection)
            connection.close()
            await wire.open()
            connection, _ = await asyncio.to_thread(slow.server.accept)
            await asyncio.sleep(0.05)
            connection.shutdown(socket.SHUT_WR)  # the other one ends it
            theirs = await asyncio.to_thread(slow.all_of, connection)
            connection.close()
            return got, theirs

    assert asyncio.run(go()) == ((0, False), (0, False))


@pytest.mark.parametrize("end", ENDS)
def test_over_tls_it_is_a_reset_too(tmp_path, end):
    """The record layer keeps nothing back: what had not left yet never does."""

    async def go():
        authority = Authority(tmp_path / "pki", "recipient")
        context = server_context(authority.issue("server"))
        seen = {"size": 0, "reset": False}
        go_on, over = asyncio.Event(), asyncio.Event()

        async def serve(reader, writer):
            await go_on.wait()
            try:
                while data := await reader.read(65536):
                    seen["size"] += len(data)
            except ConnectionResetError:
                seen["reset"] = True
            writer.close()
            over.set()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context, limit=4096)
        port = server.sockets[0].getsockname()[1]
        trust = client_context(str(authority.file), "", "")
        wire = MllpWire("127.0.0.1", port, LIMITS, context=trust, server_name="localhost")
        async with Laned(wire) as laned:
            laned.lane.put(item(1, body=b"x" * BIG))
            await laned.until(lambda: laned.lane.in_flight)
            await asyncio.sleep(0.1)
            await end(laned)
            go_on.set()
            await asyncio.wait_for(over.wait(), 5)
        server.close()
        return seen

    seen = asyncio.run(go())
    assert seen["reset"]
    assert seen["size"] < BIG


def test_a_slow_recipient_holds_little():
    """The kernel's own buffer is bounded: the rest of a message waits with us."""

    async def go():
        with Slow() as slow:
            wire = MllpWire("127.0.0.1", slow.port, replace(LIMITS, send_buffer_bytes=16_384), context=None)
            async with Laned(wire) as laned:
                laned.lane.put(item(1, body=b"x" * BIG))
                connection, _ = await asyncio.to_thread(slow.server.accept)
                await asyncio.sleep(0.1)
                assert wire._transport is not None
                left = BIG - wire._transport.get_write_buffer_size()
                connection.close()
                return left

    assert asyncio.run(go()) < 200_000
    assert Limits().send_buffer_bytes == sockets.SEND_BUFFER_BYTES


def test_a_fhir_server_that_does_not_answer_is_reset():
    async def go():
        async with FarEnd([SILENT], otherwise=[b"HTTP/1.1 201 X\r\nContent-Length: 0\r\n\r\n"]) as far:
            wire = FhirWire(f"http://127.0.0.1:{far.port}/fhir", LIMITS, context=None)
            async with Laned(wire) as laned:
                laned.lane.put(item(1, body=b'{"resourceType":"Observation","id":"o-1"}'))
                await laned.until(lambda: far.requests)
                laned.narrowed(1)
                laned.lane.break_off()
                await laned.until(lambda: laned.results)
                assert laned.results == {"m1": OVER}
                laned.lane.put(item(2, body=b'{"resourceType":"Observation","id":"o-2"}'))
                await laned.until(lambda: "m2" in laned.results)
                assert isinstance(laned.results["m2"], Delivered)
                assert len(far.requests) == 2, "the withdrawn one was asked once"

    asyncio.run(go())


def test_a_file_gets_no_name_once_it_is_withdrawn(tmp_path, monkeypatch):
    """It is asked right before the rename; what has its name is delivered."""

    async def go():
        wire = FileWire(tmp_path)
        loop = asyncio.get_running_loop()
        ready, go_on = asyncio.Event(), threading.Event()
        sync = files.os.fdatasync

        def slow(fd):
            sync(fd)
            loop.call_soon_threadsafe(ready.set)
            go_on.wait(5)

        monkeypatch.setattr(files.os, "fdatasync", slow)
        async with Laned(wire) as laned:
            laned.lane.put(item(1, "a"))
            await ready.wait()
            laned.narrowed(1)
            laned.lane.break_off()
            go_on.set()
            await laned.until(lambda: laned.dropped)
            assert laned.results == {}, "nothing of it was received: it is withheld as what never left is"
            assert list(tmp_path.iterdir()) == []
            laned.lane.put(item(2, "a"))
            await laned.until(lambda: "m2" in laned.results)
            assert [path.name for path in tmp_path.iterdir()] == ["m2.hl7"]

    asyncio.run(go())


def test_a_file_gets_no_name_once_nobody_looks_after_it(tmp_path, monkeypatch):
    async def go():
        wire = FileWire(tmp_path)
        go_on = threading.Event()
        sync = files.os.fdatasync

        def slow(fd):
            sync(fd)
            go_on.wait(5)

        monkeypatch.setattr(files.os, "fdatasync", slow)
        async with Laned(wire) as laned:
            laned.lane.put(item(1, "a"))
            await laned.until(lambda: list(tmp_path.iterdir()))
            laned.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await laned.task
            go_on.set()
            await laned.until(lambda: not laned.lane.in_flight)
            assert laned.results == {}
        assert list(tmp_path.iterdir()) == []

    asyncio.run(go())


def test_the_grace_is_half_a_second_on_sockets_and_none_for_files():
    assert (MllpWire.grace_s, FhirWire.grace_s, FileWire.grace_s) == (0.5, 0.5, 0.0)
