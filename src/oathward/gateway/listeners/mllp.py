"""MLLP listener, plain and TLS: bytes in under limits, acknowledgements out in order.

Rules:
- A reply leaves only after the committer says the message is stored; replies keep the order of arrival.
- Not stored means no answer and a closed connection, so that the sender tries again.
- Limits on size, time, rate, connections and unanswered messages; each refusal is counted with a reason.
- While a connection has too many unanswered messages its socket is not read: TCP slows the sender.

Deliberately absent: HL7 (protocols/hl7v2), decisions (gateway/path.py), threads.

Source: HL7 Version 2 Transport Specification: MLLP, Release 1.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections import Counter, deque
from hashlib import sha256
from typing import TYPE_CHECKING, Any, cast

from oathward.core.errors import DecodeError, OathwardError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.core.settings import Mllp
from oathward.gateway.arrival import Arrival, Outcome, Prepared
from oathward.gateway.commit import Committer
from oathward.gateway.path import handle, pieces_of
from oathward.inventory.model import Peer
from oathward.protocols.hl7v2.mllp import FrameLimits, Framer, wrap

if TYPE_CHECKING:
    from oathward.gateway.gate import Gate

_SWEEP_S = 1.0
_MESSAGES_A_TURN = 32
_WRITE_HIGH_BYTES = 1 << 20


class MllpListener:
    """All MLLP connections of one gateway process.

    Args:
        gate: what the path needs.
        limits: the settings section.
    """

    def __init__(self, gate: Gate, committer: Committer, limits: Mllp) -> None:
        self.gate, self.committer, self.limits = gate, committer, limits
        self.connections: set[MllpConnection] = set()
        self.per_peer: Counter[str] = Counter()
        self._buckets: dict[str, tuple[float, float]] = {}
        self._servers: list[asyncio.Server] = []
        self._sweeper: asyncio.Task[None] | None = None
        self.stopping = False

    async def start(self, tls: ssl.SSLContext | None) -> dict[str, int]:
        """Open the ports that the settings ask for; gives the ones in use by name."""
        loop = asyncio.get_running_loop()
        ports: dict[str, int] = {}
        for name, port, context in (
            ("mllp", self.limits.port, None),
            ("mllp_tls", self.limits.tls_port, tls),
        ):
            if port < 0 or (name == "mllp_tls" and context is None):
                continue
            server = await loop.create_server(
                lambda: MllpConnection(self),
                self.limits.host,
                port,
                ssl=context,
                backlog=1024,
                ssl_handshake_timeout=10.0 if context else None,
            )
            self._servers.append(server)
            ports[name] = server.sockets[0].getsockname()[1]
        self._sweeper = loop.create_task(self._sweep())
        return ports

    async def stop(self) -> None:
        """Stop listening, close connections; what was accepted is still committed and answered where it can."""
        self.stopping = True
        if self._sweeper:
            self._sweeper.cancel()
        for server in self._servers:
            server.close()
        for connection in list(self.connections):
            connection.close()

    def finished(self, group: list[Prepared]) -> None:
        """Answer a committed group; runs on the event loop."""
        touched: dict[MllpConnection, None] = {}
        for prepared in group:
            touched[cast("MllpConnection", prepared.owner)] = None
        for connection in touched:
            connection.answer()

    def admit(self, connection: MllpConnection) -> Reason | None:
        """Count a new connection, or say why it may not stay."""
        address = connection.peer.address
        if (
            len(self.connections) >= self.limits.connections_max
            or self.per_peer[address] >= self.limits.connections_per_peer_max
        ):
            return Reason.CONNECTION_LIMIT
        self.per_peer[address] += 1
        self.connections.add(connection)
        return None

    def forget(self, connection: MllpConnection) -> None:
        """Stop counting a closed connection."""
        if connection in self.connections:
            self.connections.discard(connection)
            self.per_peer[connection.peer.address] -= 1
            if self.per_peer[connection.peer.address] <= 0:
                del self.per_peer[connection.peer.address]

    def within_rate(self, address: str, messages: int, now: float) -> bool:
        """Take tokens for messages of one peer; a bucket holds one second's worth."""
        rate = float(self.limits.messages_per_s_per_peer_max)
        tokens, since = self._buckets.get(address, (rate, now))
        tokens = min(rate, tokens + (now - since) * rate) - messages
        self._buckets[address] = (max(tokens, -rate), now)
        return tokens >= 0

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            now = time.monotonic()
            for connection in list(self.connections):
                connection.check_time(now)
            stale = [a for a, (_, since) in self._buckets.items() if now - since > 2]
            for address in stale:
                del self._buckets[address]


class MllpConnection(asyncio.Protocol):
    """One sender's connection."""

    def __init__(self, listener: MllpListener) -> None:
        self._listener = listener
        self._framer = Framer(FrameLimits(listener.limits.message_size_bytes_max))
        self._waiting: deque[Prepared] = deque()
        self._inbox: deque[bytes] = deque()
        self._working = False
        self._paused = False
        self._write_paused = False
        self._closing = False
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
        self.peer = _peer(transport)
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

    def _take(self, frames: list[bytes], now: float) -> None:
        pieces = [piece for frame in frames for piece in pieces_of(frame)]
        if not self._listener.within_rate(self.peer.address, len(pieces), now):
            self._refuse(Reason.RATE_LIMIT)
            return
        self._inbox.extend(pieces)
        if not self._working:
            self._work()

    def _work(self) -> None:
        """Take a bounded number of messages through the path, then let the others have a turn.

        A frame may hold a whole batch: it must neither hold up other senders nor outrun its answers.
        """
        self._working = False
        if self._closing:
            self._inbox.clear()
            return
        gate, submit, waiting = self._listener.gate, self._listener.committer.submit, self._waiting
        room = self._listener.limits.waiting_messages_max - len(waiting)
        for _ in range(min(_MESSAGES_A_TURN, room, len(self._inbox))):
            try:
                prepared = handle(gate, Arrival(uuid7(), self._inbox.popleft(), self.peer, gate.now_us()))
            except OathwardError as error:
                # It could not even be sealed, or there is no room for strangers: unanswered, so that
                # the sender keeps it.
                if error.reason is not Reason.RATE_LIMIT:
                    gate.unhealthy(error)
                self._refuse(error.reason)
                return
            prepared.owner = self
            waiting.append(prepared)
            submit(prepared)
        if self._inbox and len(waiting) < self._listener.limits.waiting_messages_max:
            self._working = True
            asyncio.get_running_loop().call_soon(self._work)
        full = bool(self._inbox) or len(waiting) >= self._listener.limits.waiting_messages_max
        if full and not self._paused and not self._closing:
            self._paused = True
            self._transport.pause_reading()

    def answer(self) -> None:
        """Send the replies whose turn has come."""
        waiting = self._waiting
        out: list[bytes] = []
        while waiting and (outcome := waiting[0].outcome) is not None:
            prepared = waiting[0]
            if outcome is Outcome.AGAIN:
                self._again(prepared)
                break
            waiting.popleft()
            if outcome is Outcome.FAILED:
                self._write(out)
                self.close()
                return
            out.extend(wrap(reply) for reply in prepared.reply(prepared.answer))
        self._write(out)
        if self._half_closed and not waiting and not self._inbox:
            self.close()
        if len(waiting) * 2 <= self._listener.limits.waiting_messages_max and not self._write_paused:
            if self._inbox and not self._working and not self._closing:
                self._work()
            elif self._paused and not self._inbox:
                self._paused = False
                self._transport.resume_reading()

    def _again(self, prepared: Prepared) -> None:
        """Prepare once more a message whose rows clashed; it keeps its place in the order."""
        renewed = handle(self._listener.gate, prepared.arrival)
        renewed.owner = self
        self._waiting[0] = renewed
        self._listener.committer.submit(renewed)

    def _write(self, replies: list[bytes]) -> None:
        if replies and not self._transport.is_closing():
            self._transport.write(b"".join(replies))

    def check_time(self, now: float) -> None:
        """Close a sender that dribbles, idles or was revoked."""
        limits = self._listener.limits
        if self._frame_since and now - self._frame_since > limits.message_time_s_max:
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
        """Forget the connection; what it sent is still committed."""
        self._closing = True
        self._listener.forget(self)

    def close(self) -> None:
        """Close without answering what is still waiting."""
        self._closing = True
        self._transport.close()

    def _refuse(self, reason: Reason) -> None:
        self._listener.gate.refused(self.peer, reason)
        self.close()


def _peer(transport: asyncio.BaseTransport) -> Peer:
    """Who is at the other end, as far as the transport proves it."""
    name: Any = transport.get_extra_info("peername")
    address = str(name[0]) if isinstance(name, tuple) and name else "local"
    tls = transport.get_extra_info("ssl_object")
    if tls is None:
        return Peer(address, None, ())
    der = tls.getpeercert(binary_form=True)
    names = tuple(f"{kind}:{value}" for kind, value in (tls.getpeercert() or {}).get("subjectAltName", ()))
    return Peer(address, sha256(der).digest() if der else None, names)


def server_context(certificate: str, key: str, ca: str) -> ssl.SSLContext:
    """TLS as a server that requires a client certificate; 1.2 is the floor.

    Args:
        certificate, key, ca: paths of PEM files.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(ca)
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    return context
