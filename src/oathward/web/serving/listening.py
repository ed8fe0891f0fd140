"""uvicorn behind a door of ours: a connection is under limits from the moment it is accepted, not from its first request.

Rules:
- Handshakes are what the gateway's doors have (``gateway.listeners.handshakes``): so many unfinished, each for so long.
- An address has ``wire.PER_ADDRESS_MAX`` connections, unfinished handshakes among them; on this machine everybody has
  the same address, and there the limits on all hold alone: the oldest unfinished handshake makes room.
- All connections together stay below what the process may open, with ``RESERVE`` files left for everything else.
- What is refused is counted by address and reason, and given to who asks; nothing here writes.

Deliberately absent: requests and their time (``wire``).

Source: OWASP ASVS 5.0 V15.2 (availability).
"""

from __future__ import annotations

import socket
import ssl
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn

from oathward.core.reasons import Reason
from oathward.gateway.listeners.handshakes import Handshakes
from oathward.inventory.model import Peer
from oathward.web.serving import wire
from oathward.web.sign_in.begins import network, on_this_machine

if TYPE_CHECKING:
    import asyncio

RESERVE = 256
OPEN_MAX = 400
"""Twice as many as are answered: the other half hears 503, and is gone soon."""

_COUNTED_MAX = 1_000
_SWEEP_TICKS = 10


@dataclass(frozen=True, slots=True)
class Limits:
    """How handshakes begin and end; a ward's browsers open six connections each."""

    handshake_time_s_max: float = 5.0
    handshakes_max: int = 128
    handshakes_per_peer_max: int = 32
    handshakes_per_s_per_peer_max: int = 50


def open_max(files: int) -> int:
    """Say how many connections there may be where a process may have so many files open."""
    return max(1, min(OPEN_MAX, files - RESERVE))


class Listening(uvicorn.Server):
    """The console's server.

    Args:
        files: how many files this process may open.
    """

    def __init__(
        self, config: uvicorn.Config, tls: ssl.SSLContext | None, files: int, limits: Limits | None = None
    ) -> None:
        super().__init__(config)
        self._open_max = open_max(files)
        self._handshakes = Handshakes(
            *(self._count, limits or Limits(), tls, self._protocol, self._full, _counted_as)
        )
        self._refused: Counter[tuple[str, Reason]] = Counter()

    def refused(self) -> Counter[tuple[str, Reason]]:
        """Give what was refused since the last time, by address and reason."""
        found, self._refused = self._refused, Counter()
        return found

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept."""
        await super().startup(sockets=[])
        for one in sockets or ():
            self._handshakes.take(one)

    async def on_tick(self, counter: int) -> bool:
        """Forget, about every second, what need not be remembered."""
        if counter % _SWEEP_TICKS == 0:
            self._handshakes.sweep(time.monotonic())
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept nobody any more, then finish what was begun."""
        self._handshakes.stop()
        await super().shutdown(sockets=sockets)

    def _protocol(self) -> asyncio.Protocol:
        return wire.Protocol(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

    def _full(self, address: str, unfinished: int) -> bool:
        connections = self.server_state.connections
        if len(connections) + len(self._handshakes) >= self._open_max:
            return True
        return wire.of_same(address, connections) + unfinished >= wire.PER_ADDRESS_MAX

    def _count(self, peer: Peer, reason: Reason) -> None:
        if len(self._refused) < _COUNTED_MAX or (peer.address, reason) in self._refused:
            self._refused[peer.address, reason] += 1


def _counted_as(address: str) -> str:
    return "" if on_this_machine(address) else network(address)
