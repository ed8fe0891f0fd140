"""What is there: endpoints by type, which are in use, new, unknown, undeclared or in conflict, and where lists and sensors differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from oathward.core.db import read
from oathward.core.labels import Role
from oathward.endpoints import views
from oathward.endpoints.types import TYPES
from oathward.web.card import Card
from oathward.web.inventory_asked import NEW_US

if TYPE_CHECKING:
    from oathward.web.view import View

TYPES_MAX = 6


def values(view: View) -> Mapping[str, Any] | None:
    """Count; nothing to say before anything was seen."""
    site = view.site.site
    with read(view.site.engine) as db:
        counts = views.summary(db, site, new_since_us=view.now_us - NEW_US, today=f"{view.now:%Y-%m-%d}")
        if not counts.total:
            return None
        types = views.types(db, site)
    unknown = types.pop("", 0)
    most = sorted(types.items(), key=lambda one: (-one[1], one[0]))[:TYPES_MAX]
    named = [(word, TYPES[word].words if word in TYPES else word, count) for word, count in most]
    return {"total": counts.total, "unknown": unknown, "types": named, "counts": counts}


CARD = Card(
    "card_inventory.html",
    values,
    "inventory.see",
    first=frozenset({Role.CLINICAL_ENGINEER, Role.SECURITY_ANALYST}),
    order=14,
)
