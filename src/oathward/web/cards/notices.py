"""Recipients that have not confirmed a notice of what a patient allows them now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from oathward.consent.notices import views
from oathward.core.db import read
from oathward.core.labels import Role
from oathward.web.card import SLIM, WAITS, Card

if TYPE_CHECKING:
    from oathward.web.view import View


def values(view: View) -> Mapping[str, Any] | None:
    """Count receipts that are missing; nothing to say where none is."""
    with read(view.site.engine) as db:
        count = views.missing_count(db, view.site.site)
    return {"count": count, WAITS: count, SLIM: True} if count else None


CARD = Card("card_notices.html", values, "withdrawals.see", first=frozenset({Role.PRIVACY_OFFICER}), order=12)
