"""TLS handshakes under limits: a connection is counted from the moment it is accepted, not from its first message.

Rules:
- The door accepts sockets itself: a handshake begins only where its address may begin one, and has a time limit.
- Per address: unfinished handshakes, and how many it begins a second. A bucket holds three seconds' worth, so that
  a ward behind one address may come back at once.
- In all: beyond ``handshakes_max`` the oldest unfinished one is dropped, so that nobody can keep others out by
  holding handshakes open: who finishes in time gets in.
- Each refusal is counted with a reason and the address; a peer that goes away before its handshake ends is none.
- The console's door (``web.door``) is one too; where it is not encrypted there is no handshake, and the rest holds.

Deliberately absent: certificates' meaning (``inventory``), messages (the doors). What is one address, its door says.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Protocol

from oathward.core.reasons import Reason
from oathward.inventory.model import Peer

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


class Limits(Protocol):
    """What the settings of a door say of handshakes (``[mllp]``)."""

    @property
    def handshake_time_s_max(self) -> float:
        """How long one may take."""

    @property
    def handshakes_max(self) -> int:
        """Unfinished ones in all."""

    @property
    def handshakes_per_peer_max(self) -> int:
        """Unfinished ones of one address."""

    @property
    def handshakes_per_s_per_peer_max(self) -> int:
        """Begun by one address."""


class Handshakes:
    """All unfinished handshakes of one door.

    Args:
        refused: counts a connection that was closed.
        context: None: the door is not encrypted.
        protocol: makes the protocol of a connection whose handshake is done.
        full: whether an address with so many unfinished handshakes has all the connections it may have.
        counted_as: what an address is counted as; empty: only in all.
    """

    def __init__(
        self,
        refused: Callable[[Peer, Reason], None],
        limits: Limits,
        context: ssl.SSLContext | None,
        protocol: Callable[[], asyncio.Protocol],
        full: Callable[[str, int], bool],
        counted_as: Callable[[str], str] = str,
    ) -> None:
        self._count, self._limits, self._context = refused, limits, context
        self._protocol, self._full, self._counted_as = protocol, full, counted_as
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
            self._open(listening)
        return port

    def take(self, listening: socket.socket) -> None:
        """Accept at a socket that listens already; it is closed at the end."""
        self._listening.append(listening)
        self._open(listening)

    def _open(self, listening: socket.socket) -> None:
        listening.setblocking(False)
        asyncio.get_running_loop().add_reader(listening.fileno(), self._accept, listening)

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
        one = self._counted_as(address)
        unfinished = self._of[one] if one else 0
        if self._full(address, unfinished):
            return Reason.CONNECTION_LIMIT
        if not one:
            return None
        if unfinished >= self._limits.handshakes_per_peer_max:
            return Reason.HANDSHAKE_LIMIT
        if not self._buckets.take(one, 1, time.monotonic()):
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
        self._of[self._counted_as(address)] += 1
        task.add_done_callback(self._ended)
        task.add_done_callback(partial(_close_cancelled, accepted))

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Count it no longer; a second time does nothing."""
        address = self._unfinished.pop(task, None)
        if address is not None:
            one = self._counted_as(address)
            self._of[one] -= 1
            if self._of[one] <= 0:
                del self._of[one]

    def _refused(self, address: str, reason: Reason) -> None:
        self._count(Peer(address, None, ()), reason)

    async def _shake(self, address: str, accepted: socket.socket) -> None:
        """Shake hands; then the connection's own protocol goes on."""
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._protocol,
                accepted,
                ssl=self._context,
                ssl_handshake_timeout=self._limits.handshake_time_s_max if self._context else None,
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


def _close_cancelled(accepted: socket.socket, task: asyncio.Task[None]) -> None:
    """Close what was dropped, perhaps before it had begun."""
    if task.cancelled():
        accepted.close()
