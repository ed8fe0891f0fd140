"""What the HTTP client promises of any far end: one answer, under limits, or a broken connection; never a wait without end."""

import asyncio
import time

import pytest

from oathward.courier.http_client import BODY_BYTES_MAX, HEADER_BYTES_MAX, AnswerBrokenError, HttpConnection

from .far_end import END, RESET, SILENT, FarEnd, answer

REQUEST = b"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"
REPLY_TIMEOUT_S = 0.3


def connection(far, **more):
    limits = {"connect_timeout_s": 1.0, "reply_timeout_s": REPLY_TIMEOUT_S, "context": None, **more}
    return HttpConnection("127.0.0.1", far.port, **limits)


def ask(*script, times=1, **more):
    """Ask a scripted far end; gives the answers (or errors), and the far end."""

    async def go():
        async with FarEnd(*script) as far:
            http, found = connection(far, **more), []
            for _ in range(times):
                await http.open()
                try:
                    found.append(await http.ask(REQUEST))
                except OSError as error:
                    found.append(error)
                await asyncio.sleep(0)
            http.close()
            await asyncio.sleep(0)
            return found, far

    return asyncio.run(go())


BROKEN = {
    "not http": [b"SSH-2.0-whatever\r\n"],
    "junk": [bytes(range(256)) * 10],
    "closes at once": [END],
    "resets": [RESET],
    "closes in the status line": [b"HTTP/1.1 20", END],
    "closes in the header": [b"HTTP/1.1 200 OK\r\nContent-Le", END],
    "closes in the body": [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123", END],
    "closes in a chunk": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n123", END],
    "a chunk without a size": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n123"],
    "two lengths": [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12"],
    "length and chunks": [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ],
    "a negative length": [b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"],
    "a status that is none": [b"HTTP/1.1 99999 OK\r\n\r\n"],
    "switches protocols": [b"HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"],
    "one header too large": [b"HTTP/1.1 200 OK\r\nA: " + b"a" * (HEADER_BYTES_MAX + 1) + b"\r\n\r\n"],
    "a header line without end": [b"HTTP/1.1 200 OK\r\nA: " + b"a" * (HEADER_BYTES_MAX + 9)],
    "a trailer line without end": [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: ",
        *[b"a" * HEADER_BYTES_MAX] * 64,
    ],
    "a chunk's extension without end": [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
        *[b"a" * HEADER_BYTES_MAX] * 64,
    ],
    "many headers": [b"HTTP/1.1 200 OK\r\n" + b"A: 1\r\n" * HEADER_BYTES_MAX],
    "interim answers for ever": [b"HTTP/1.1 102 Wait\r\n\r\n" * 4_000],
    "silence": [SILENT],
    "half an answer and silence": [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12", SILENT],
    "a byte at a time": [step for byte in answer(200, b"x" * 90) for step in (bytes([byte]), 0.02)],
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_answer_breaks_the_connection_in_bounded_time(name):
    begun = time.monotonic()
    [found], _ = ask(BROKEN[name])
    assert isinstance(found, OSError)
    assert time.monotonic() - begun < REPLY_TIMEOUT_S + 1.0


@pytest.mark.parametrize("name", ["a trailer line without end", "a chunk's extension without end"])
def test_what_surrounds_a_body_is_bounded_by_size_too(name):
    """Else a parser keeps what a fast far end sends until the time is over."""
    [found], _ = ask(BROKEN[name])
    assert isinstance(found, AnswerBrokenError)


def test_a_connection_serves_many_requests():
    found, far = ask(*[[answer(200, b"{}")]] * 5, times=5)
    assert [a.status for a in found] == [200] * 5
    assert far.connections == 1


def test_it_is_opened_again_when_the_server_asked_to_close_it():
    found, far = ask(*[[answer(200, b"{}", Connection="close")]] * 3, times=3)
    assert [(a.status, a.body) for a in found] == [(200, b"{}")] * 3
    assert far.connections == 3


def test_interim_answers_are_passed_over():
    [found], _ = ask(
        [b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n", answer(201, ETag='W/"1"')]
    )
    assert (found.status, found.headers["etag"]) == (201, 'W/"1"')
    assert "link" not in found.headers


def test_a_body_that_ends_with_the_connection_is_read():
    [found], _ = ask([b"HTTP/1.1 200 OK\r\n\r\n{}", END])
    assert (found.status, found.body, found.whole) == (200, b"{}", True)


def test_of_a_huge_body_the_beginning_is_kept_and_the_rest_not_read():
    [found, again], far = ask([answer(200, b"x" * (BODY_BYTES_MAX * 20))], times=2, reply_timeout_s=5.0)
    assert (found.status, len(found.body), found.whole) == (200, BODY_BYTES_MAX, False)
    assert (again.status, far.connections) == (201, 2)


def test_an_answer_behind_the_answer_is_not_taken_for_the_next_one():
    found, far = ask([answer(201) + answer(204)], times=2)
    assert [a.status for a in found] == [201, 201]
    assert far.connections == 2


def test_what_nobody_asked_for_closes_the_connection():
    async def go():
        async with FarEnd([answer(200), 0.05, answer(500)]) as far:
            http = connection(far)
            await http.open()
            first = await http.ask(REQUEST)
            await asyncio.sleep(0.15)
            assert not http.is_open
            await http.open()
            return first, await http.ask(REQUEST)

    first, second = asyncio.run(go())
    assert (first.status, second.status) == (200, 201)


def test_closing_fails_what_is_outstanding():
    async def go():
        async with FarEnd([SILENT]) as far:
            http = connection(far, reply_timeout_s=30.0)
            await http.open()
            asking = asyncio.create_task(http.ask(REQUEST))
            await asyncio.sleep(0.05)
            http.close()
            with pytest.raises(ConnectionError):
                await asking

    asyncio.run(go())


def test_an_answer_before_the_request_was_read_is_an_answer_and_ends_the_connection():
    async def go():
        over = asyncio.Event()

        async def refuse(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer(413))
            await over.wait()
            writer.transport.abort()

        server = await asyncio.start_server(refuse, "127.0.0.1", 0, limit=1024)
        port = server.sockets[0].getsockname()[1]
        http = HttpConnection("127.0.0.1", port, context=None, connect_timeout_s=1.0, reply_timeout_s=2.0)
        await http.open()
        found = await http.ask(b"PUT /a HTTP/1.1\r\n\r\n" + bytes(30_000_000))
        is_open = http.is_open
        over.set()
        server.close()
        await asyncio.sleep(0.05)
        return found, is_open

    found, is_open = asyncio.run(go())
    assert (found.status, is_open) == (413, False)


def test_nobody_there_and_nobody_answering_the_handshake():
    async def go():
        async with FarEnd() as far:
            port = far.port
        http = HttpConnection("127.0.0.1", port, context=None, connect_timeout_s=0.2, reply_timeout_s=0.2)
        with pytest.raises(OSError):  # noqa: PT011  any of them
            await http.open()
        with pytest.raises(ConnectionResetError):
            await http.ask(REQUEST)

    asyncio.run(go())


def test_a_broken_answer_is_told_from_no_answer():
    [nothing], _ = ask([END])
    [broken], _ = ask([b"HTTP/1.1 2", END])
    assert not isinstance(nothing, AnswerBrokenError)
    assert isinstance(broken, AnswerBrokenError)
