"""A gateway in this process for tests: no door, the keeper beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Self

from tests.site import Site

from oathward.app import build
from oathward.gateway.gate import Gate
from oathward.vault.envelope import Opener
from oathward.vault.keeper.server import Server

USES_MAX = 100
"""Examples that share one site: all that is left of them is searched after each of them, so that more would take ever longer."""


@contextmanager
def gate_of(site: Site) -> Iterator[Gate]:
    """Open what a gateway has, with a keeper that serves; both end afterwards."""
    server = Server(site.settings)
    gate = Gate(build(site.settings, "gateway"))
    try:
        yield gate
    finally:
        gate.close()
        gate.opened.keeper.close()
        gate.engine.dispose()
        server.stop()


def opener_of(site: Site) -> Opener:
    """Give what the courier opens deliveries with, asked of the keeper that serves."""
    courier = build(site.settings, "courier")
    opener = Opener(courier.keeper.outbox_keys())
    courier.keeper.close()
    courier.engine.dispose()
    return opener


class Afresh:
    """A site, its gate and an opener for an example at a time: the first one given, and another after each so many.

    ``made`` makes a site and its gate. All of a site is searched for what any example left in it; of two thousand
    examples in one, each would read what all those before it wrote.
    """

    def __init__(
        self, first: tuple[Site, Gate, Opener], made: Callable[[], AbstractContextManager[tuple[Site, Gate]]]
    ) -> None:
        self._now, self._made, self._uses, self._open = first, made, 0, ExitStack()

    def next(self) -> tuple[Site, Gate, Opener]:
        """Give what the next example runs in."""
        if self._uses == USES_MAX:
            self._open.close()
            site, gate = self._open.enter_context(self._made())
            self._now, self._uses = (site, gate, opener_of(site)), 0
        self._uses += 1
        return self._now

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
