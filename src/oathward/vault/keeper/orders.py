"""Releases that people ordered at the console: held here until the gateway's replay takes them, in memory.

Rules:
- An order names a person, their reason and the messages; it waits for a minute or so, then it is void.
- It is taken once, by the gateway's side; what became of each message comes back the same way.
- What is remembered of settled orders is bounded, and shown only to the person who gave them.

Deliberately absent: opening (``console``), content of any message, and what a release does (``gateway/replay``).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from oathward.core.errors import KeeperError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason

WAIT_S_MAX = 60.0
TAKEN_S_MAX = 300.0
"""After so long nobody will say any more what became of it: what was released is on record, the rest is held."""

ORDERS_MAX = 64
_OPEN = frozenset({"placed", "waiting", "taken"})


@dataclass(slots=True)
class Order:
    """One order. ``state``: placed (not on record yet), waiting, taken, done or refused.

    ``outcome``: message and the reason it stays held for, empty if released.
    """

    id: str
    person: str
    by: str
    reason: str
    messages: tuple[str, ...]
    until_s: float
    state: str = "placed"
    outcome: list[tuple[str, str]] = field(default_factory=list)
    why: str = ""


class Orders:
    """Orders of one keeper; safe in threads."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._orders: dict[str, Order] = {}
        self._guard = threading.Lock()

    def put(self, person: str, by: str, messages: Sequence[str], reason: str) -> Order:
        """Take an order down; nobody gets it before it is ``ready``.

        Raises:
            KeeperError: ``LIMIT_EXCEEDED``: too many wait.
        """
        with self._guard:
            self._age()
            if sum(one.state in _OPEN for one in self._orders.values()) >= ORDERS_MAX:
                raise KeeperError("releases", "too many wait", reason=Reason.LIMIT_EXCEEDED)
            while len(self._orders) >= ORDERS_MAX:
                settled = (k for k, one in self._orders.items() if one.state not in _OPEN)
                del self._orders[next(settled)]
            until_s = self._monotonic() + WAIT_S_MAX
            order = Order(uuid7(), person, by, reason, tuple(dict.fromkeys(messages)), until_s)
            self._orders[order.id] = order
        return order

    def ready(self, order: Order) -> None:
        """Let an order be taken: it stands on record."""
        with self._guard:
            order.state = "waiting"

    def waiting(self) -> int:
        """Count what nobody took yet."""
        with self._guard:
            self._age()
            return sum(one.state == "waiting" for one in self._orders.values())

    def take(self) -> Order | None:
        """Give the oldest that waits, and nobody else gets it."""
        with self._guard:
            self._age()
            order = next((one for one in self._orders.values() if one.state == "waiting"), None)
            if order is not None:
                order.state, order.until_s = "taken", self._monotonic() + TAKEN_S_MAX
        return order

    def settle(self, id_: str, outcome: Sequence[tuple[str, str]], *, why: str = "") -> None:
        """Note what became of an order that was taken.

        Raises:
            KeeperError: ``NOT_FOUND``: no such order is out, or a message is not one of its own.
        """
        with self._guard:
            order = self._orders.get(id_)
            if order is None or order.state != "taken" or {m for m, _ in outcome} - set(order.messages):
                raise KeeperError("order", "no such order is out", reason=Reason.NOT_FOUND)
            order.state, order.outcome, order.why = "refused" if why else "done", list(outcome), why

    def of(self, id_: str, person: str) -> Order:
        """Show an order to the person who gave it.

        Raises:
            KeeperError: ``NOT_FOUND``.
        """
        with self._guard:
            self._age()
            order = self._orders.get(id_)
        if order is None or order.person != person:
            raise KeeperError("order", "there is no such order", reason=Reason.NOT_FOUND)
        return order

    def _age(self) -> None:
        now_s = self._monotonic()
        for order in self._orders.values():
            if order.state in _OPEN and order.until_s <= now_s:
                order.why = (Reason.INTERNAL if order.state == "taken" else Reason.KEEPER_UNAVAILABLE).code
                order.state = "refused"
