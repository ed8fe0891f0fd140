"""Messages a minute over the last half hour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from oathward.core.db import read
from oathward.messages import views
from oathward.web.card import Card

if TYPE_CHECKING:
    from oathward.web.view import View

BARS = 30
BAR_S = 60


def values(view: View) -> Mapping[str, Any]:
    """Count each minute."""
    bounds = [view.now_us - BAR_S * 1_000_000 * number for number in range(BARS, -1, -1)]
    with read(view.site.engine) as db:
        return {"bars": views.received_by(db, view.site.site, bounds)}


CARD = Card("card_minutes.html", values, "deliveries.see", order=50)
