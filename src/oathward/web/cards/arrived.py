"""Consents that came as messages and wait for a person: what they permit is not in force."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from oathward.consent import views
from oathward.core.db import read
from oathward.core.labels import Role
from oathward.web.card import WAITS, Card

if TYPE_CHECKING:
    from oathward.web.view import View


def values(view: View) -> Mapping[str, Any] | None:
    """Count what waits; nothing to say where nothing does."""
    with read(view.site.engine) as db:
        count, _ = views.arrivals(db, view.site.site, limit=1)
    return {"count": count, WAITS: count if view.may("consent.change") else 0} if count else None


CARD = Card("card_arrived.html", values, "consents.see", first=frozenset({Role.PRIVACY_OFFICER}), order=12)
