"""Keeping the house of what was observed: after each run, and by the ``app`` process at its own times.

Rules:
- Segments of flows are put together; flows, totals and leases older than the settings say are forgotten. Their age is counted from the last flow
  that was seen, so that old captures can be looked at.
- One at a time for a site, in small transactions; done again it changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from oathward.core.clock import micros
from oathward.core.db import read
from oathward.core.ids import uuid7
from oathward.endpoints import leases
from oathward.endpoints.alone import alone
from oathward.network import actions, segments
from oathward.network import views as network

if TYPE_CHECKING:
    from oathward.vault.opened import Opened

DAY_US = 86_400_000_000
_SOURCES_MAX = 100_000


def tidy(site: Opened, days: Iterable[str] | None = None) -> None:
    """Put segments together, and forget what is older than the settings say.

    Args:
        days: whose segments are looked at; None: all that are there.
    """
    data, kept = site.settings.data, site.settings.network
    with alone(site.engine, site.site, "flows"):
        now_us = micros(site.clock.now())
        with read(site.engine) as db:
            read_to = {one.id: one.parts for one in network.sources(db, site.site, limit=_SOURCES_MAX)}
            newest_us = min(now_us, network.newest_us(db, site.site))
        for day in segments.days(data) if days is None else days:
            segments.put_together(data, day, uuid7(now_us // 1_000), lambda id_: read_to.get(id_, 0))
        segments.forget(data, newest_us - kept.flow_days * DAY_US)
        actions.forget(site.engine, site.site, newest_us - kept.total_days * DAY_US)
        leases.forget(site.engine, site.site, newest_us - kept.total_days * DAY_US)
