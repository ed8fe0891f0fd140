"""MLLP listener, plain and TLS: who may connect, how often it may speak, and who has the next turn.

Rules:
- Limits on connections, handshakes, rate and memory, by address; each refusal is counted with a reason.
- Connections of one address share its turns (``turns``), TLS is shaken under limits (``handshakes``), what is heavy
  is handled by a process of its own (``beside``).

Deliberately absent: one connection's bytes and answers (``connection``), HL7 (protocols/hl7v2), decisions
(gateway/path.py), threads.

Source: HL7 Version 2 Transport Specification: MLLP, Release 1.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import Counter
from typing import TYPE_CHECKING

from oathward.core.reasons import Reason
from oathward.core.settings import Mllp
from oathward.gateway.commit import Committer
from oathward.gateway.listeners.beside import Beside
from oathward.gateway.listeners.handshakes import Buckets, Handshakes
from oathward.gateway.listeners.mllp.connection import MllpConnection
from oathward.gateway.listeners.turns import Turns

if TYPE_CHECKING:
    from oathward.gateway.gate import Gate

_SWEEP_S = 1.0


class MllpListener:
    """All MLLP connections of one gateway process.

    Args:
        gate: what the path needs.
        limits: the settings section.
        turns, beside: those of the whole gateway, where it has other doors too.
    """

    def __init__(
        self,
        gate: Gate,
        committer: Committer,
        limits: Mllp,
        turns: Turns | None = None,
        beside: Beside | None = None,
    ) -> None:
        self.gate, self.committer, self.limits = gate, committer, limits
        self.connections: set[MllpConnection] = set()
        self.per_peer: Counter[str] = Counter()
        self.kept_bytes = 0
        """Received and not yet answered, of all connections."""
        self.turns = turns or Turns()
        self.beside = beside or Beside(gate, limits)
        self.beside.counted["hl7v2"] = self._count_late
        self._messages = Buckets(float(limits.messages_per_s_per_peer_max))
        self._handshakes: Handshakes | None = None
        self._servers: list[asyncio.Server] = []
        self._sweeper: asyncio.Task[None] | None = None
        self.stopping = False

    async def start(self, tls: ssl.SSLContext | None) -> dict[str, int]:
        """Open the ports that the settings ask for; gives the ones in use by name."""
        loop = asyncio.get_running_loop()
        ports: dict[str, int] = {}
        if self.limits.port >= 0:
            server = await loop.create_server(
                self._connection, self.limits.host, self.limits.port, backlog=1024
            )
            self._servers.append(server)
            ports["mllp"] = server.sockets[0].getsockname()[1]
        if tls is not None and self.limits.tls_port >= 0:
            self._handshakes = Handshakes(self.gate.refused, self.limits, tls, self._connection, self._full)
            ports["mllp_tls"] = await self._handshakes.listen(self.limits.host, self.limits.tls_port)
        self._sweeper = loop.create_task(self._sweep())
        return ports

    async def stop(self) -> None:
        """Stop listening, close connections; what was accepted is still committed and answered where it can."""
        self.stopping = True
        if self._sweeper:
            self._sweeper.cancel()
        for server in self._servers:
            server.close()
        if self._handshakes is not None:
            self._handshakes.stop()
        for connection in list(self.connections):
            connection.close()

    def _full(self, address: str, unfinished: int) -> bool:
        return self.per_peer[address] + unfinished >= self.limits.connections_per_peer_max

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
        return self._messages.take(address, messages, now)

    def within_memory(self, kept_bytes: int) -> bool:
        """Whether a connection may keep so much: always its equal share, more while there is room."""
        share = self.limits.waiting_bytes_max // self.limits.connections_max
        return kept_bytes <= share or self.kept_bytes <= self.limits.waiting_bytes_max

    def _connection(self) -> MllpConnection:
        return MllpConnection(self)

    def _count_late(self, address: str, messages: int) -> None:
        """Count the messages of a frame that was counted as one when it came."""
        self._messages.take(address, messages - 1, time.monotonic())

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            now = time.monotonic()
            for connection in list(self.connections):
                connection.check_time(now)
            self._messages.forget_full(now)
            if self._handshakes is not None:
                self._handshakes.sweep(now)
