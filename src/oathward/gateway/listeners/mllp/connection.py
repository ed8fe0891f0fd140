"""One MLLP connection: bytes in under limits, acknowledgements out in order.

Rules:
- A reply leaves only after the committer says the message is stored; replies keep the order of arrival.
- Not stored means no answer and a closed connection, so that the sender tries again.
- While a connection has too many unanswered messages its socket is not read: TCP slows the sender.
- A turn on the event loop is bounded, by messages and by what they weigh. What is too heavy for a turn waits until
  everything before it is stored, is handled beside the loop, and nothing of this sender goes on meanwhile: the
  order in which its messages become durable is the order in which they came.

Deliberately absent: who may connect and whose turn it is (``listener``).
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import deque
from typing import TYPE_CHECKING, cast

from oathward.core.errors import DecodeError, OathwardError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.gateway.arrival import Arrival, Outcome, Prepared
from oathward.gateway.listeners.beside import Heavy
from oathward.gateway.listeners.tls import peer_of
from oathward.gateway.path import cut, handle
from oathward.gateway.wires import HL7V2
from oathward.inventory.model import Peer
from oathward.protocols.hl7v2.limits import effort
from oathward.protocols.hl7v2.mllp import FrameLimits, Framer, wrap

if TYPE_CHECKING:
    from oathward.gateway.listeners.mllp.listener import MllpListener

_MESSAGES_A_TURN = 32
_WRITE_HIGH_BYTES = 1 << 20
_AGAIN_MAX = 5
"""What clashes so often with other processes is not stored: unanswered, so that the sender keeps it."""
_CUT_BYTES_MAX = 1 << 17
"""Larger frames are not even searched for several messages on the event loop."""


class MllpConnection(asyncio.Protocol):
    """One sender's connection."""

    def __init__(self, listener: MllpListener) -> None:
        self._listener = listener
        self._framer = Framer(FrameLimits(listener.limits.message_size_bytes_max))
        self._waiting: deque[Prepared | Heavy] = deque()
        self._inbox: deque[tuple[bytes, int]] = deque()  # each with its weight
        self._unanswered_bytes = self._kept_bytes = 0
        self._beside: Heavy | None = None
        self._asked = False
        self._again_tries = 0
        self._paused = False
        self._write_paused = False
        self._closing = False  # by us
        self._lost = False
        self._half_closed = False
        self._frame_since = 0.0
        self._last = time.monotonic()
        self.peer = Peer("", None, ())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take note of the peer; refuse one too many."""
        self._transport = cast("asyncio.Transport", transport)
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._transport.set_write_buffer_limits(high=_WRITE_HIGH_BYTES)
        self.peer = peer_of(transport)
        reason = self._listener.admit(self)
        if reason is not None:
            self._refuse(reason)

    def data_received(self, data: bytes) -> None:
        """Frame the bytes and start what is whole."""
        if self._closing:
            return
        now = self._last = time.monotonic()
        try:
            frames = self._framer.feed(data)
            if frames:
                self._take(frames, now)
                self._framer.feed(b"")  # what was wrong behind the last whole frame
        except DecodeError as error:
            self._refuse(error.reason)
            return
        except OathwardError as error:
            # An original could not even be sealed: unanswered, so that the sender keeps it.
            self._listener.gate.unhealthy(error)
            self.close()
            return
        self._frame_since = (self._frame_since or now) if self._framer.pending else 0.0
        self._keep()

    def _take(self, frames: list[bytes], now: float) -> None:
        count = 0
        for frame in frames:
            pieces = [frame]
            if len(frame) <= _CUT_BYTES_MAX:
                pieces = cut(self._listener.gate, frame, HL7V2.pieces, bytes)
            self._inbox.extend((piece, effort(piece)) for piece in pieces)
            count += len(pieces)
            self._unanswered_bytes += sum(map(len, pieces))
        if not self._listener.within_rate(self.peer.address, count, now):
            self._refuse(Reason.RATE_LIMIT)
            return
        self._ask()

    def _keep(self) -> None:
        """Count what is kept of this connection; refuse it where that is too much."""
        kept = 0 if self._closing else self._unanswered_bytes
        kept += 0 if self.gone else self._framer.pending_bytes
        self._listener.kept_bytes += kept - self._kept_bytes
        self._kept_bytes = kept
        if not self.gone and not self._listener.within_memory(kept):
            self._refuse(Reason.MEMORY_LIMIT)

    def _ask(self) -> None:
        if self._inbox and not self._asked and self._beside is None and not self._closing:
            self._asked = True
            self._listener.turns.ask(self.peer.address, self)

    def turn(self) -> None:
        """Take a bounded number of messages through the path, then let the others have a turn.

        A frame may hold a whole batch: it must neither hold up other senders nor outrun its answers.
        """
        self._asked = False
        if self._closing:
            return
        limits, waiting, inbox = self._listener.limits, self._waiting, self._inbox
        room = min(_MESSAGES_A_TURN, limits.waiting_messages_max - len(waiting))
        left = limits.beside_bytes_min
        while inbox and room > 0 and inbox[0][1] <= left:
            piece, weight = inbox.popleft()
            if not self._handle(piece):
                return
            left, room = left - weight, room - 1
        if inbox and inbox[0][1] > limits.beside_bytes_min:
            if not waiting:
                self._beside = Heavy(inbox.popleft()[0], self.peer, self)
                waiting.append(self._beside)
                self._listener.beside.submit(self._beside)
        elif len(waiting) < limits.waiting_messages_max:
            self._ask()
        full = bool(inbox) or self._beside is not None or len(waiting) >= limits.waiting_messages_max
        if full and not self._paused and not self.gone:
            self._paused = True
            self._transport.pause_reading()

    def _handle(self, piece: bytes) -> bool:
        """Take one message through the path; says whether the connection goes on."""
        gate = self._listener.gate
        prepared = None
        try:
            prepared = handle(gate, Arrival(uuid7(), piece, self.peer, gate.now_us()))
        except OathwardError as error:
            # It could not even be sealed, or there is no room for strangers: unanswered, so that
            # the sender keeps it.
            if error.reason is not Reason.RATE_LIMIT:
                gate.unhealthy(error)
            self._refuse(error.reason)
            return False
        finally:
            if (
                prepared is None
            ):  # also where it is a bug of ours: what comes behind it is not answered either
                self.close()
        prepared.owner = self
        self._waiting.append(prepared)
        self._listener.committer.submit(prepared)
        return True

    @property
    def gone(self) -> bool:
        """Whether nobody is there to be answered."""
        return self._closing or self._lost

    def answer(self) -> None:
        """Send the replies whose turn has come."""
        waiting = self._waiting
        out: list[bytes] = []
        while waiting and (outcome := waiting[0].outcome) is not None:
            one = waiting[0]
            if isinstance(one, Prepared) and outcome is Outcome.AGAIN:
                self._again(one)
                break
            waiting.popleft()
            self._again_tries = 0
            self._unanswered_bytes -= len(one.raw if isinstance(one, Heavy) else one.arrival.raw)
            if isinstance(one, Heavy):
                self._beside = None
            if isinstance(one, Heavy) or outcome is not Outcome.FAILED:
                out.extend(wrap(reply) for reply in one.reply(one.answer))
            if outcome is Outcome.FAILED:
                self._write(out)
                self._fail(one)
                return
        self._write(out)
        self._keep()
        if self._half_closed and not waiting and not self._inbox:
            self.close()
        if len(waiting) * 2 <= self._listener.limits.waiting_messages_max and not self._write_paused:
            self._ask()
            if self._paused and not self._inbox and self._beside is None and not self.gone:
                self._paused = False
                self._frame_since = time.monotonic() if self._framer.pending else 0.0
                self._transport.resume_reading()

    def _fail(self, one: Prepared | Heavy) -> None:
        if isinstance(one, Heavy) and one.why is not None:
            self._refuse(one.why)
        else:
            self.close()

    def _again(self, prepared: Prepared) -> None:
        """Prepare once more a message whose rows clashed; it keeps its place in the order."""
        self._again_tries += 1
        if self._again_tries > _AGAIN_MAX:
            self.close()
            return
        try:
            renewed = handle(self._listener.gate, prepared.arrival)
        except OathwardError as error:  # as in ``_handle``; other connections' answers must not end with it
            self._listener.gate.unhealthy(error)
            self._refuse(error.reason)
            return
        renewed.owner = self
        self._waiting[0] = renewed
        self._listener.committer.submit(renewed)

    def _write(self, replies: list[bytes]) -> None:
        if replies and not self._transport.is_closing():
            self._transport.write(b"".join(replies))

    def check_time(self, now: float) -> None:
        """Close a sender that dribbles, idles or was revoked."""
        limits = self._listener.limits
        if self._frame_since and not self._paused and now - self._frame_since > limits.message_time_s_max:
            self._refuse(Reason.FRAME_TIMEOUT)
        elif not self._waiting and now - self._last > limits.idle_s_max:
            self.close()
        elif self._listener.gate.revoked(self.peer):
            self._refuse(Reason.CERTIFICATE_REVOKED)

    def pause_writing(self) -> None:
        """Read no more while the sender does not take its answers."""
        self._write_paused = True
        if not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Read again."""
        self._write_paused = False
        self.answer()

    def eof_received(self) -> bool:
        """Take the end of what the sender sends."""
        if self._framer.pending:
            self._listener.gate.refused(self.peer, Reason.FRAME_UNTERMINATED)
        # Half-closed senders still get the answers they wait for (plain TCP; TLS cannot half-close).
        self._half_closed = (
            bool(self._waiting or self._inbox) and self._transport.get_extra_info("ssl_object") is None
        )
        return self._half_closed

    def connection_lost(self, _exc: Exception | None) -> None:
        """Forget the connection; what came whole is still committed, unless we closed it."""
        self._lost = True
        self._listener.forget(self)
        self._keep()

    def close(self) -> None:
        """Close without answering what is still waiting."""
        self._closing = True
        self._inbox.clear()
        self._keep()
        self._transport.close()

    def _refuse(self, reason: Reason) -> None:
        self._listener.gate.refused(self.peer, reason)
        self.close()
