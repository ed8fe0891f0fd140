"""What flows now: messages of the last minutes, what waits, who may send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from oathward.core.db import read
from oathward.core.labels import Role
from oathward.inventory import views as inventory
from oathward.messages import views
from oathward.web import link_standing, standing
from oathward.web.card import Card

if TYPE_CHECKING:
    from oathward.web.view import View

RECENT_S = 300
"""What "now" means: the last five minutes."""


def values(view: View) -> Mapping[str, Any]:
    """Count."""
    site = view.site
    found = standing.standing(site, view.now)
    with read(site.engine) as db:
        received = views.received_since(db, site.site, view.now_us - RECENT_S * 1_000_000)
        devices, strangers = inventory.counts(db, site.site)
    return {
        "devices": devices,
        "found": found,
        "links": link_standing.links(found),
        "received": received,
        "strangers": strangers,
    }


CARD = Card(
    "card_flows.html",
    values,
    "deliveries.see",
    first=frozenset({Role.SETUP, Role.ADMINISTRATOR, Role.CLINICAL_ENGINEER}),
    order=10,
    wide=True,
)
