"""The map as its page and its calls ask for it: of so many days, a zone, a service.

Rules:
- Only the conversations with the most bytes are looked at, so that it answers within a second; where there are more, what came of it says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.core.db import read
from oathward.mapping import reading, telling
from oathward.network import views as network

if TYPE_CHECKING:
    from oathward.mapping.reading import Living
    from oathward.web.view import View

LOOKED_MAX = 2_000
"""Conversations that are looked at."""

DAYS = {"1": 1, "7": 7, "30": 30, "90": 90}
DAYS_FIRST = "30"


def living(view: View, zone: str, service: str, days: str) -> Living:
    """Compare what is declared with what was observed.

    Args:
        days: one of ``DAYS``, up to the last flow that was seen.
    """
    active = view.asking.active
    with read(view.site.engine) as db:
        return reading.living(
            *(db, view.site, active.bundle if active else None, view.now_us),
            zone=zone,
            service=service,
            since_us=network.since(db, view.site.site, view.now_us, DAYS[days]),
            most=LOOKED_MAX,
            devices=telling.devices_of(view.site),
        )
