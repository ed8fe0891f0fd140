"""One connection to one HTTP/1.1 server: a request out, its answer in, under limits of size and time.

Rules:
- One request at a time; nothing is pipelined. The connection stays open between requests.
- What nobody asked for (bytes while nothing is outstanding, or behind an answer) ends the connection.
- An answer's header has one size limit, interim answers included; of its body only the first bytes are kept, and an
  answer that was cut says so. So have chunk sizes and trailers.
- It connects where it was told to and nowhere else.

Deliberately absent: redirects, proxies, cookies, content encodings, HTTP/2, any reading of what came.

Source: RFC 9112 (HTTP/1.1), RFC 9110 §15 (status codes).
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import cast

import httptools

from oathward.courier.sockets import SEND_BUFFER_BYTES, let_go, prepare

HEADER_BYTES_MAX = 32_768
BODY_BYTES_MAX = 1_048_576
_FRAMING_TIMES = 8
"""What chunks of one byte cost, and a little: more than this many times a body is no framing of it."""


class AnswerBrokenError(ConnectionError):
    """What came is no answer: not HTTP, too much of it, or it ended early."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One final answer.

    Args:
        headers: name in lower case -> value; of several with one name the last.
        body: at most ``BODY_BYTES_MAX``.
        whole: whether ``body`` is all of it.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool = True


class HttpConnection:
    """A client's connection, opened again whenever it is asked to.

    Args:
        host, port: of the server.
        context: for TLS; ``None`` is plain and for tests.
        server_name: the name in its certificate; empty for ``host``.
        reply_timeout_s: from the first byte of a request to the last of its answer.
        send_buffer_bytes: what the kernel may hold of a request that the server does not read.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        context: ssl.SSLContext | None,
        server_name: str = "",
        connect_timeout_s: float,
        reply_timeout_s: float,
        send_buffer_bytes: int = SEND_BUFFER_BYTES,
    ) -> None:
        self._host, self._port, self._context = host, port, context
        self._server_name = server_name or host
        self._connect_timeout_s, self._reply_timeout_s = connect_timeout_s, reply_timeout_s
        self._send_buffer_bytes = send_buffer_bytes
        self._line: _Line | None = None

    @property
    def is_open(self) -> bool:
        """Whether a request could be written now."""
        return self._line is not None and self._line.is_open

    @property
    def is_used(self) -> bool:
        """Whether this very connection gave an answer already: its end says nothing about the next request."""
        return self._line is not None and self._line.served > 0

    async def open(self) -> None:
        """Connect unless connected.

        Raises:
            OSError: it cannot be reached, or TLS failed. ``TimeoutError`` is one.
        """
        if self.is_open:
            return
        async with asyncio.timeout(self._connect_timeout_s):
            _, self._line = await asyncio.get_running_loop().create_connection(
                lambda: _Line(self._send_buffer_bytes),
                self._host,
                self._port,
                ssl=self._context,
                server_hostname=self._server_name if self._context else None,
            )

    async def ask(self, request: bytes) -> Answer:
        """Send one request and give its answer; after any trouble the connection is closed.

        Raises:
            OSError: the connection broke, what came is no answer, or none came in time: the outcome is unknown.
        """
        line = self._line
        if line is None or not line.is_open:
            raise ConnectionResetError
        try:
            async with asyncio.timeout(self._reply_timeout_s):
                return await line.ask(request)
        except BaseException:
            line.close()
            raise

    def close(self) -> None:
        """Break off; what is outstanding fails, and nothing of it that has not left leaves any more."""
        if self._line is not None:
            self._line.close()


class _Line(asyncio.Protocol):
    """One connection, from made to lost; another one is another object, so that the end of one never ends the next."""

    def __init__(self, send_buffer_bytes: int) -> None:
        self._send_buffer_bytes = send_buffer_bytes
        self._transport: asyncio.Transport | None = None
        self._reading: _Reading | None = None
        self.served = 0
        self._whole = True
        """Whether the last request left whole, as far as can be told: it was answered, and more may be asked."""

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def ask(self, request: bytes) -> Answer:
        assert self._transport is not None
        assert self._reading is None, "one request at a time"
        self._reading, self._whole = (reading := _Reading()), False
        try:
            self._transport.write(request)
            answer = await reading.done
        finally:
            self._reading = None
        self.served += 1
        # A request that is still being written when its answer is there was cut off by it.
        self._whole = (
            reading.keep and self._transport is not None and not self._transport.get_write_buffer_size()
        )
        if not self._whole:
            self.close()
        return answer

    def close(self) -> None:
        if self._transport is not None:
            self.eof_received()
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready to send."""
        self._transport = cast("asyncio.Transport", transport)
        prepare(transport, self._send_buffer_bytes)

    def data_received(self, data: bytes) -> None:
        """Read on; what nobody asked for ends the connection."""
        if self._reading is None or not self._reading.feed(data):
            self.close()

    def eof_received(self) -> None:
        """Let the connection end, politely where nothing is outstanding."""
        if self._transport is not None and self._whole:
            let_go(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """End what is outstanding: with what came, where the end of the connection is the end of the answer."""
        self._transport = None
        if self._reading is not None:
            self._reading.ended(exc)


class _Reading:
    """Reads one answer; ``done`` holds it, or what went wrong."""

    def __init__(self) -> None:
        self.done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.keep = False
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._header_bytes = self._named_bytes = self._body_bytes = self._passed_bytes = 0
        self._in_body = False

    def feed(self, data: bytes) -> bool:
        """Take bytes in; False where nothing more may be read from this connection."""
        if self.done.done():
            self.keep = False
            return False
        if self._in_body:
            self._passed_bytes += len(data)
        else:
            self._header_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(AnswerBrokenError("not an answer"))
            return False
        if not self._in_body and self._header_bytes > HEADER_BYTES_MAX:
            self._fail(AnswerBrokenError("a header too large"))
        if self._passed_bytes > _FRAMING_TIMES * self._body_bytes + HEADER_BYTES_MAX:
            self._fail(AnswerBrokenError("a trailer too large"))  # the parser keeps one until it is whole
        return not (self.done.done() and not self.keep)

    def ended(self, exc: Exception | None) -> None:
        """Close the connection's books."""
        if self.done.done():
            return
        by_end = self._in_body and not {"content-length", "transfer-encoding"} & self._headers.keys()
        if by_end and exc is None:
            self._finish(whole=True)
        else:
            nothing = ConnectionResetError("no answer at all")
            broken = AnswerBrokenError("ended early") if self._header_bytes else nothing
            self._fail(exc if isinstance(exc, OSError) else broken)

    # --- called by the parser

    def on_message_begin(self) -> None:
        """Start anew: after an interim answer, or, wrongly, after the final one."""
        if self.done.done():
            self.keep = False
        self._headers = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self._named_bytes += len(name) + len(value)
        if self._named_bytes > HEADER_BYTES_MAX:
            raise AnswerBrokenError("a header too large")
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Note that the body of a final answer begins."""
        self._in_body = self._parser.get_status_code() >= 200

    def on_body(self, data: bytes) -> None:
        """Keep the first bytes of a body."""
        room = BODY_BYTES_MAX - self._body_bytes
        if self.done.done() or room <= 0:
            return
        self._body.append(data[:room])
        self._body_bytes += len(data)
        if self._body_bytes > BODY_BYTES_MAX:
            self._finish(whole=False)

    def on_message_complete(self) -> None:
        """Give the answer, unless it was an interim one."""
        if self._in_body and not self.done.done():
            self._finish(whole=True)
            self.keep = self._parser.should_keep_alive()

    def _finish(self, *, whole: bool) -> None:
        status = self._parser.get_status_code()
        self.done.set_result(Answer(status, self._headers, b"".join(self._body), whole))

    def _fail(self, error: OSError) -> None:
        if not self.done.done():
            self.done.set_exception(error)
