"""One HTTP connection: requests in under limits, answers out in order.

Rules:
- Answers keep the order of the requests; one that waits for a commit holds those behind it.
- A turn on the event loop is bounded. What is too heavy for one waits until everything before it is stored, is
  handled beside the loop, and nothing of this sender goes on meanwhile.
- While a connection has too many unanswered requests, or does not take its answers, its socket is not read.
- After an answer that ends the connection what still comes is read and thrown away for ``LINGER_S``, so that the
  sender hears the answer and not a reset.

Deliberately absent: TLS and who may connect (``handshakes``, ``fhir.listener``), what a request means (``fhir.exchange``).
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol, cast

from oathward.core.errors import OathwardError
from oathward.core.reasons import Reason
from oathward.core.settings import Fhir
from oathward.gateway.listeners.http.answer import CONTINUE, Response, written
from oathward.gateway.listeners.http.reading import Reader, Request
from oathward.gateway.listeners.turns import Turns
from oathward.inventory.model import Peer

LINGER_S = 2.0
_REQUESTS_A_TURN = 8
_WRITE_HIGH_BYTES = 1 << 20


class Exchange(Protocol):
    """A request that waits for its answer."""

    request: Request

    @property
    def beside(self) -> bool:
        """Whether it is handled beside the loop; nothing behind it begins before it is settled."""

    def settled(self) -> bool:
        """Say whether the answer may go."""

    def response(self) -> Response:
        """Give the answer, once settled."""


class Door(Protocol):
    """What a connection asks of its listener."""

    limits: Fhir
    turns: Turns
    kept_bytes: int

    def admit(self, connection: HttpConnection) -> Reason | None:
        """Count a new connection, or say why it may not stay."""

    def forget(self, connection: HttpConnection) -> None:
        """Count a connection no longer."""

    def judge(self, connection: HttpConnection, request: Request) -> None:
        """Refuse a request by its headers.

        Raises:
            OathwardError: it is refused.
        """

    def begin(self, connection: HttpConnection, request: Request) -> Exchange:
        """Take a request through the path."""

    def weigh(self, body: bytes) -> int:
        """Say how much work a body is, in bytes."""

    def refusal(self, connection: HttpConnection, reason: Reason, where: str) -> Response:
        """Count a refusal, and answer it."""

    def within_memory(self, kept_bytes: int) -> bool:
        """Say whether a connection may keep so much."""

    def cut_off(self, connection: HttpConnection) -> Reason | None:
        """Say why an open connection may not stay open."""

    def now_us(self) -> int:
        """Give the server's time in microseconds."""


class HttpConnection(asyncio.Protocol):
    """One sender's connection."""

    def __init__(self, door: Door, peer_of: Callable[[asyncio.BaseTransport], Peer]) -> None:
        self._door, self._peer_of = door, peer_of
        self._reader = Reader(door.limits, lambda request: door.judge(self, request), door.weigh)
        self._inbox: deque[Request] = deque()
        self._waiting: deque[Exchange] = deque()
        self._unanswered_bytes = self._kept_bytes = 0
        self._asked = self._paused = self._write_paused = False
        self._deaf = False  # nothing more is read: an answer that ends the connection is on its way
        self._closing = self._lost = False
        self._lingers: asyncio.TimerHandle | None = None
        self._since_s, self._place = 0.0, self._reader.place
        self._last_s = time.monotonic()
        self.peer = Peer("")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take note of the peer; refuse one too many."""
        self._transport = cast("asyncio.Transport", transport)
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._transport.set_write_buffer_limits(high=_WRITE_HIGH_BYTES)
        self.peer = self._peer_of(transport)
        reason = self._door.admit(self)
        if reason is not None:  # not counted, so nobody would end it later
            self._write(self._door.refusal(self, reason, "connection"))
            self.close()

    def data_received(self, data: bytes) -> None:
        """Read on, and start what is whole."""
        if self._deaf or self._closing:
            return
        reader, now_s = self._reader, time.monotonic()
        self._last_s = now_s
        for request in reader.feed(data):
            self._inbox.append(request)
            self._unanswered_bytes += request.size_bytes
            self._deaf = self._deaf or request.last
        if reader.broken is not None and not self._deaf:
            self._inbox.append(_unreadable(reader.broken))
            self._deaf = True
        if reader.place != self._place or reader.state == "idle":
            self._place, self._since_s = reader.place, now_s
        self._ask()
        self._owe_continue()
        self._keep()

    def _ask(self) -> None:
        if not self._asked and self._may_begin():
            self._asked = True
            self._door.turns.ask(self.peer.address, self)

    def _may_begin(self) -> bool:
        """Whether the next request may begin before others are answered."""
        if not self._inbox or self._closing or self._write_paused or self._is_beside():
            return False
        limits, waiting = self._door.limits, len(self._waiting)
        heavy = self._inbox[0].weight > limits.beside_bytes_min
        return waiting == 0 if heavy else waiting < limits.waiting_messages_max

    def _is_beside(self) -> bool:
        return bool(self._waiting) and self._waiting[-1].beside

    def _owe_continue(self) -> None:
        """Tell a sender to go on, once everything before that request was answered."""
        if self._reader.owes_continue and not (self._inbox or self._waiting or self._deaf or self.gone):
            self._reader.owes_continue = False
            self._transport.write(CONTINUE)

    def _keep(self) -> None:
        """Count what is kept of this connection; refuse it where that is too much."""
        kept = 0 if self.gone else self._unanswered_bytes + self._reader.pending_bytes
        self._door.kept_bytes += kept - self._kept_bytes
        self._kept_bytes = kept
        if not self.gone and not self._deaf and not self._door.within_memory(kept):
            self._write(self._door.refusal(self, Reason.MEMORY_LIMIT, "connection"))
            self._end()

    def turn(self) -> None:
        """Begin a bounded number of requests, then let the others have a turn."""
        self._asked = False
        left, room = self._door.limits.beside_bytes_min, _REQUESTS_A_TURN
        while room > 0 and left > 0 and self._may_begin():
            request = self._inbox.popleft()
            left, room = left - request.weight, room - 1
            exchange = None
            try:
                exchange = self._door.begin(self, request)
            finally:
                if exchange is None:  # a bug of ours: what comes behind it is not answered either
                    self.close()
            self._waiting.append(exchange)
        self.answer()

    @property
    def gone(self) -> bool:
        """Whether nobody is there to be answered."""
        return self._closing or self._lost

    def answer(self) -> None:
        """Send the answers whose turn has come, and go on."""
        waiting, out = self._waiting, list[bytes]()
        last = False
        while waiting and not last and not self._closing and waiting[0].settled():
            one = waiting.popleft()
            self._unanswered_bytes -= one.request.size_bytes
            response = one.response()
            last = one.request.last or response.last
            out.append(written(response, self._door.now_us(), method=one.request.method, last=last))
        if out and not self._transport.is_closing():
            self._last_s = time.monotonic()
            self._transport.write(b"".join(out))
        if last:
            self._end()
            return
        self._keep()
        self._ask()
        self._owe_continue()
        self._pause_or_resume()

    def _pause_or_resume(self) -> None:
        full = bool(self._inbox) or self._is_beside() or self._write_paused
        full = full or len(self._waiting) >= self._door.limits.waiting_messages_max
        if self.gone or full is self._paused or self._lingers is not None:
            return
        self._paused = full
        if full:
            self._transport.pause_reading()
        else:
            self._since_s = time.monotonic()
            self._transport.resume_reading()

    def check_time(self, now_s: float) -> None:
        """Refuse a sender that dribbles, close one that idles, cut off one that may no longer speak."""
        limits, state = self._door.limits, self._reader.state
        reason = self._door.cut_off(self)
        if reason is not None:
            self._door.refusal(self, reason, "connection")
            self.close()
        elif not self._waiting and now_s - self._last_s > limits.idle_s_max:
            self.close()  # also one that does not take its answers
        elif not (self._deaf or self._paused or state == "idle"):
            most_s = limits.header_time_s_max if state == "head" else limits.body_time_s_max
            if now_s - self._since_s > most_s:
                self._deaf = True
                self._inbox.append(_unreadable(OathwardError(state, reason=Reason.HTTP_TIMEOUT)))
                self._ask()

    def _write(self, response: Response) -> None:
        """Send an answer out of turn, the last one."""
        if not self._transport.is_closing():
            self._transport.write(written(response, self._door.now_us(), method="", last=True))

    def _end(self) -> None:
        """End after what was written, unanswered what waits; what still comes is thrown away for a while."""
        self._deaf = True
        self._inbox.clear()
        self._waiting.clear()
        self._unanswered_bytes = 0
        self._reader.drop()
        self._lingers = asyncio.get_running_loop().call_later(LINGER_S, self.close)
        self._keep()
        if self._paused:
            self._paused = False
            self._transport.resume_reading()

    def pause_writing(self) -> None:
        """Read no more while the sender does not take its answers."""
        self._write_paused = True
        self._pause_or_resume()

    def resume_writing(self) -> None:
        """Read again."""
        self._write_paused = False
        self.answer()

    def eof_received(self) -> bool:
        """Take the end of what the sender sends."""
        if self._reader.state != "idle" and not self._deaf:
            self._door.refusal(self, Reason.FRAME_UNTERMINATED, self._reader.state)
        return False

    def connection_lost(self, _exc: Exception | None) -> None:
        """Forget the connection; what came whole is still committed."""
        self._lost = True
        if self._lingers is not None:
            self._lingers.cancel()
        self._door.forget(self)
        self._keep()

    def close(self) -> None:
        """Close without answering what is still waiting."""
        self._closing = True
        self._inbox.clear()
        self._keep()
        self._transport.close()


def _unreadable(error: OathwardError) -> Request:
    """Stand in for a request that could not be read, so that its answer keeps its place."""
    return Request("", "/", {}, last=True, refused=error.reason, where=error.where)
