"""A gateway in this process for tests: no door, the keeper beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.site import Site

from oathward.app import build
from oathward.gateway.gate import Gate
from oathward.vault.envelope import Opener
from oathward.vault.keeper.server import Server


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
