"""Turns on the event loop: one connection of each address in rotation, for a bounded time.

Rules:
- An address with three hundred connections gets no more turns than one with a single connection.
- After ``ROUND_S`` the loop looks at its sockets and timers again, whatever is still to be done.

Deliberately absent: what a turn does; a connection bounds it itself.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Protocol

ROUND_S = 0.010
"""A turn that began before it is over is finished: a connection's turn has a bound of its own."""


class HasTurn(Protocol):
    """What takes turns."""

    def turn(self) -> None:
        """Do a bounded piece of work; ask for another turn where some is left."""


class Turns:
    """Who is next."""

    def __init__(self) -> None:
        self._of: dict[str, deque[HasTurn]] = {}
        self._scheduled = False

    def ask(self, address: str, one: HasTurn) -> None:
        """Queue for a turn; who asks twice has two."""
        queue = self._of.get(address)
        if queue is None:
            queue = self._of[address] = deque()
        queue.append(one)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._round)

    def _round(self) -> None:
        until_s = time.monotonic() + ROUND_S
        try:
            while self._of:
                address, queue = next(iter(self._of.items()))
                del self._of[address]
                one = queue.popleft()
                if queue:
                    self._of[address] = queue  # last in the rotation now
                one.turn()
                if time.monotonic() >= until_s:
                    break
        finally:  # also where a turn raised, which is a bug of ours: the others go on
            self._scheduled = bool(self._of)
            if self._scheduled:
                asyncio.get_running_loop().call_soon(self._round)
