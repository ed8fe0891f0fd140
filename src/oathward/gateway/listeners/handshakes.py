"""TLS handshakes under limits: a connection is counted from the moment it is accepted, not from its first message.

Rules:
- The door accepts sockets itself: a handshake begins only where its address may begin one, and has a time limit.
- Per address: unfinished handshakes, and how many it begins a second. A bucket holds three seconds' worth, so that
  a ward behind one address may come back at once.
- In all: beyond ``handshakes_max`` the oldest unfinished one is dropped, so that nobody can keep others out by
  holding handshakes open: who finishes in time gets in.
- Each refusal is counted with a reason and the address; a peer that goes away before its handshake ends is none.

Deliberately absent: certificates' meaning (``inventory``), messages (the doors), per-network limits.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from oathward.core.reasons import Reason
from oathward.core.settings import Mllp
from oathward.inventory.model import Peer

if TYPE_CHECKING:
    from oathward.gateway.gate import Gate

SAVED_S = 3.0
"""How many seconds of handshakes an address may save up."""

_BACKLOG = 1_024
_ACCEPTED_AT_ONCE = 16
_REST_S = 0.5


class Buckets:
    """Tokens by address: so many a second, and so many saved up."""

    def __init__(self, rate_per_s: float, saved_s: float = 1.0) -> None:
        self._rate, self._most = rate_per_s, rate_per_s * saved_s
        self._saved_s = saved_s
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, address: str, count: int, now: float) -> bool:
        """Take tokens; says whether there were enough. A debt is at most what can be saved."""
        tokens, since = self._left.get(address, (self._most, now))
        tokens = min(self._most, tokens + (now - since) * self._rate) - count
        self._left[address] = (max(tokens, -self._most), now)
        return tokens >= 0

    def forget_full(self, now: float) -> None:
        """Forget addresses that were not heard of until their bucket was full again."""
        for address in [a for a, (_, since) in self._left.items() if now - since > 2 * self._saved_s]:
            del self._left[address]


class Handshakes:
    """All unfinished handshakes of one door.

    Args:
        protocol: makes the protocol of a connection whose handshake is done.
        connections: how many whole connections an address has, against ``connections_per_peer_max``.
    """

    def __init__(
        self,
        gate: Gate,
        limits: Mllp,
        context: ssl.SSLContext,
        protocol: Callable[[], asyncio.Protocol],
        connections: Counter[str],
        connections_per_peer_max: int,
    ) -> None:
        self._gate, self._limits, self._context = gate, limits, context
        self._protocol, self._connections = protocol, connections
        self._connections_per_peer_max = connections_per_peer_max
        self._buckets = Buckets(float(limits.handshakes_per_s_per_peer_max), SAVED_S)
        self._unfinished: dict[asyncio.Task[None], str] = {}  # oldest first
        self._listening: list[socket.socket] = []
        self._of: Counter[str] = Counter()

    def __len__(self) -> int:
        """How many have begun and not ended."""
        return len(self._unfinished)

    async def listen(self, host: str, port: int) -> int:
        """Open the door; gives its port.

        Raises:
            OSError: it cannot be opened.
        """
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in dict.fromkeys(found):
            listening = socket.socket(family, kind, protocol)
            self._listening.append(listening)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listening.bind((address[0], port, *address[2:]))
            port = listening.getsockname()[1]
            listening.listen(_BACKLOG)
            listening.setblocking(False)
            loop.add_reader(listening.fileno(), self._accept, listening)
        return port

    def sweep(self, now: float) -> None:
        """Forget what need not be remembered; call it about every second."""
        self._buckets.forget_full(now)

    def stop(self) -> None:
        """Close the door, drop what is unfinished."""
        loop = asyncio.get_running_loop()
        for listening in self._listening:
            loop.remove_reader(listening.fileno())
            listening.close()
        self._listening = []
        for task in list(self._unfinished):
            task.cancel()

    def _accept(self, listening: socket.socket) -> None:
        """Take some of the connections that wait, and begin their handshakes or close them."""
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                accepted, peer = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # no file descriptors left, for one: it would be tried again and again
                loop = asyncio.get_running_loop()
                loop.remove_reader(listening.fileno())
                loop.call_later(_REST_S, self._resume, listening)
                return
            address = str(peer[0])
            reason = self._may_not(address)
            if reason is not None:
                self._refused(address, reason)
                accepted.close()
            else:
                accepted.setblocking(False)
                self._begin(address, accepted)

    def _resume(self, listening: socket.socket) -> None:
        if listening in self._listening:
            asyncio.get_running_loop().add_reader(listening.fileno(), self._accept, listening)

    def _may_not(self, address: str) -> Reason | None:
        """Say why an address may not begin another handshake now."""
        limits, unfinished = self._limits, self._of[address]
        if unfinished + self._connections[address] >= self._connections_per_peer_max:
            return Reason.CONNECTION_LIMIT
        if unfinished >= limits.handshakes_per_peer_max:
            return Reason.HANDSHAKE_LIMIT
        if not self._buckets.take(address, 1, time.monotonic()):
            return Reason.HANDSHAKE_LIMIT
        return None

    def _begin(self, address: str, accepted: socket.socket) -> None:
        """Count it, make room for it, start it."""
        while len(self._unfinished) >= self._limits.handshakes_max:
            oldest, its_address = next(iter(self._unfinished.items()))
            self._ended(oldest)
            self._refused(its_address, Reason.HANDSHAKE_LIMIT)
            oldest.cancel()
        task = asyncio.get_running_loop().create_task(self._shake(address, accepted))
        self._unfinished[task] = address
        self._of[address] += 1
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Count it no longer; a second time does nothing."""
        address = self._unfinished.pop(task, None)
        if address is not None:
            self._of[address] -= 1
            if self._of[address] <= 0:
                del self._of[address]

    def _refused(self, address: str, reason: Reason) -> None:
        self._gate.refused(Peer(address, None, ()), reason)

    async def _shake(self, address: str, accepted: socket.socket) -> None:
        """Shake hands; then the connection's own protocol goes on."""
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._protocol,
                accepted,
                ssl=self._context,
                ssl_handshake_timeout=self._limits.handshake_time_s_max,
            )
        except ssl.SSLError:
            self._refused(address, Reason.HANDSHAKE_FAILED)
        except ConnectionAbortedError:  # what the event loop raises at the time limit
            self._refused(address, Reason.HANDSHAKE_TIMEOUT)
        except OSError:  # the peer went away
            return
        finally:
            task = asyncio.current_task()
            assert task is not None
            self._ended(task)
