"""One HTTP connection without a network: order, back-pressure, who is answered, what is given back at its end."""

import asyncio
from types import SimpleNamespace

import pytest
from tests.unit.gateway.listeners import nobody

from oathward.core.errors import OathwardError
from oathward.core.reasons import Reason
from oathward.core.settings import Fhir
from oathward.gateway.listeners.http import connection as http
from oathward.gateway.listeners.http.answer import Response
from oathward.gateway.listeners.http.connection import HttpConnection
from oathward.gateway.listeners.turns import Turns
from oathward.inventory.model import Peer


class Transport(nobody.Transport):
    """Reads the statuses of what is written to it."""

    @property
    def statuses(self):
        return [
            int(line.split(b" ")[1]) for line in self.written.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")
        ]


class Exchange:
    """Answered when a test says so."""

    def __init__(self, request):
        self.request, self.beside, self.outcome = request, request.weight > 1_000, None

    def settled(self):
        return self.outcome is not None

    def response(self):
        return Response(self.outcome)


class Door:
    """Takes everything."""

    def __init__(self, **limits):
        self.limits = Fhir(**{"beside_bytes_min": 1_000, "waiting_messages_max": 4} | limits)
        self.turns, self.kept_bytes = Turns(), 0
        self.begun, self.refused = [], []
        self.room = True

    def admit(self, _connection):
        return None

    def forget(self, _connection):
        pass

    def judge(self, _connection, request):
        if request.target == "/no":
            raise OathwardError("path", reason=Reason.NOT_FOUND)

    def begin(self, connection, request):
        exchange = Exchange(request)
        if request.refused is not None:
            exchange.outcome = self.refusal(connection, request.refused, request.where).status
        self.begun.append(exchange)
        return exchange

    def weigh(self, body):
        return len(body)

    def refusal(self, _connection, reason, _where):
        self.refused.append(reason)
        return Response(reason.answer.http, last=reason.answer.http == 503)

    def within_memory(self, _kept):
        return self.room

    def cut_off(self, _connection):
        return None

    def now_us(self):
        return 1_000_000


def made(**limits):
    door = Door(**limits)
    connection = HttpConnection(door, lambda _transport: Peer("10.0.0.1"))
    transport = Transport()
    connection.connection_made(transport)
    return SimpleNamespace(door=door, connection=connection, transport=transport)


def post(body=b"{}", target="/x", more=""):
    return f"POST {target} HTTP/1.1\r\nHost: x\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def turns(count=10):
    for _ in range(count):
        await asyncio.sleep(0)


def run(scenario):
    asyncio.run(scenario())


def test_answers_keep_the_order_of_requests():
    async def go():
        one = made()
        one.connection.data_received(post() * 3)
        await turns()
        first, second, third = one.door.begun
        third.outcome = second.outcome = 201
        one.connection.answer()
        assert one.transport.statuses == []
        first.outcome = 200
        one.connection.answer()
        assert one.transport.statuses == [200, 201, 201]
        assert one.door.kept_bytes == 0

    run(go)


def test_a_sender_that_does_not_wait_is_not_read_until_it_is_answered():
    async def go():
        one = made()
        one.connection.data_received(post() * 6)
        await turns()
        assert len(one.door.begun) == 4
        assert one.transport.paused
        for exchange in one.door.begun:
            exchange.outcome = 201
        one.connection.answer()
        await turns()
        assert len(one.door.begun) == 6
        for exchange in one.door.begun:
            exchange.outcome = 201
        one.connection.answer()
        assert not one.transport.paused
        assert one.transport.statuses == [201] * 6

    run(go)


def test_what_is_heavy_waits_for_what_was_before_it_and_nothing_passes_it():
    async def go():
        one = made()
        one.connection.data_received(post() + post(b"x" * 2_000) + post())
        await turns()
        assert [len(e.request.body) for e in one.door.begun] == [2]
        one.door.begun[0].outcome = 201
        one.connection.answer()
        await turns()
        assert [len(e.request.body) for e in one.door.begun] == [2, 2_000]
        one.door.begun[1].outcome = 201
        one.connection.answer()
        await turns()
        assert [len(e.request.body) for e in one.door.begun] == [2, 2_000, 2]

    run(go)


def test_a_sender_that_does_not_take_its_answers_is_not_read():
    async def go():
        one = made()
        one.connection.pause_writing()
        assert one.transport.paused
        one.connection.data_received(post())
        await turns()
        assert one.door.begun == []
        one.connection.resume_writing()
        await turns()
        assert len(one.door.begun) == 1

    run(go)


def test_what_is_not_stored_is_told_and_ends_the_connection_with_all_behind_it(monkeypatch):
    monkeypatch.setattr(http, "LINGER_S", 0.05)

    async def go():
        one = made()
        one.connection.data_received(post() * 3)
        await turns()
        first, second, _ = one.door.begun
        first.outcome, second.outcome = 201, 503
        second.response = lambda: Response(503, last=True)
        one.connection.answer()
        assert one.transport.statuses == [201, 503]
        assert b"Connection: close" in one.transport.written
        one.connection.data_received(post())
        await turns()
        assert len(one.door.begun) == 3, "deaf from now on"
        assert not one.transport.closed, "so that the answer is heard"
        await asyncio.sleep(0.2)
        assert one.transport.closed
        assert one.door.kept_bytes == 0

    run(go)


def test_what_cannot_be_read_is_answered_in_its_place():
    async def go():
        one = made()
        one.connection.data_received(post() + b"nonsense\r\n\r\n")
        await turns()
        assert one.transport.statuses == []
        one.door.begun[0].outcome = 201
        one.connection.answer()
        await turns()
        assert one.transport.statuses == [201, 400]
        assert one.door.refused == [Reason.HTTP_MALFORMED]

    run(go)


def test_a_refused_request_leaves_the_connection_open():
    async def go():
        one = made()
        one.connection.data_received(post(b"{}" * 100, "/no") + post())
        await turns()
        one.door.begun[1].outcome = 201
        one.connection.answer()
        assert one.transport.statuses == [404, 201]
        assert b"Connection: close" not in one.transport.written

    run(go)


def test_going_on_is_told_only_once_everything_before_was_answered():
    async def go():
        one = made()
        asking = b"POST /x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        one.connection.data_received(post() + asking)
        await turns()
        assert one.transport.statuses == []
        one.door.begun[0].outcome = 201
        one.connection.answer()
        assert one.transport.statuses == [201, 100]
        one.connection.data_received(b"{}")
        await turns()
        assert len(one.door.begun) == 2

    run(go)


def test_what_a_connection_kept_is_given_back_however_it_ends():
    async def go():
        for end in ("lost", "closed", "memory"):
            one = made()
            one.connection.data_received(
                post(b"x" * 500) + b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n" + b"y" * 300
            )
            await turns()
            assert one.door.kept_bytes >= 800
            if end == "lost":
                one.connection.connection_lost(None)
            elif end == "closed":
                one.connection.close()
            else:
                one.door.room = False
                one.connection.data_received(b"y")
                assert one.door.refused == [Reason.MEMORY_LIMIT]
            assert one.door.kept_bytes == 0, end

    run(go)


def test_a_bug_in_taking_a_request_closes_the_connection():
    async def go():
        one = made()

        def broken(_connection, _request):
            raise ZeroDivisionError

        one.door.begin = broken
        asyncio.get_running_loop().set_exception_handler(
            lambda _loop, context: seen.append(context["exception"])
        )
        seen = []
        one.connection.data_received(post())
        await turns()
        assert [type(error) for error in seen] == [ZeroDivisionError]
        assert one.transport.closed

    run(go)


@pytest.mark.parametrize(
    ("first", "after_s", "reason"),
    [
        (b"POST /x HTTP/1.1\r\n", 11, Reason.HTTP_TIMEOUT),
        (b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n1", 31, Reason.HTTP_TIMEOUT),
        (b"POST /x HTTP/1.1\r\n", 9, None),
        (b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n1", 29, None),
    ],
)
def test_time_is_counted_from_where_a_part_began(first, after_s, reason):
    async def go():
        import time

        one = made()
        one.connection.data_received(first)
        one.connection.check_time(time.monotonic() + after_s)
        await turns()
        assert one.door.refused == ([reason] if reason else [])

    run(go)


def test_an_idle_connection_is_closed_and_one_that_waits_for_us_is_not():
    async def go():
        import time

        one, other, deaf = made(), made(), made()
        other.connection.data_received(post())
        await turns()
        deaf.connection.pause_writing()
        deaf.connection.data_received(post())
        for each in (one, other, deaf):
            each.connection.check_time(time.monotonic() + 301)
        assert one.transport.closed
        assert not other.transport.closed
        assert deaf.transport.closed, "it does not take its answers"

    run(go)


def test_one_connection_too_many_is_told_so_and_closed_at_once():
    async def go():
        door, transport = Door(), Transport()
        door.admit = lambda _connection: Reason.CONNECTION_LIMIT
        HttpConnection(door, lambda _transport: Peer("10.0.0.1")).connection_made(transport)
        assert transport.statuses == [503]
        assert transport.closed

    run(go)
