"""A vendor's own products: their devices here by standing, and what they sent lately."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from oathward.core.db import read
from oathward.core.labels import Role
from oathward.inventory import views as inventory
from oathward.messages import views
from oathward.web import things
from oathward.web.card import Card

if TYPE_CHECKING:
    from oathward.web.view import View

ROWS = 5


def values(view: View) -> Mapping[str, Any] | None:
    """Count one's own; for those who see every device there is no such card."""
    makes = view.makes("devices.see")
    if makes is None:
        return None
    site = view.site
    with read(site.engine) as db:
        own = things.own(view, db, makes)
        senders = things.senders(view, db)
        latest = views.messages(db, site.site, views.Filters(), limit=ROWS, devices=senders)
    return {
        "latest": latest.rows,
        "makes": sorted(makes),
        "models": sorted(Counter(inventory.product(one.device).replace("|", " ") for one in own).items()),
        "standing": sorted(Counter(one.status for one in own).items()),
        "total": len(own),
    }


CARD = Card(
    "card_products.html", values, "devices.see", first=frozenset({Role.VENDOR_USER}), order=5, wide=True
)
