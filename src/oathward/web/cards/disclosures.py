"""Device data that went out under the wrong patient, and nobody settled it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from oathward.core.db import read
from oathward.core.labels import Role
from oathward.disclosures import views
from oathward.web.card import WAITS, Card

if TYPE_CHECKING:
    from oathward.web.view import View


def values(view: View) -> Mapping[str, Any] | None:
    """Count what waits; nothing to say where nothing does."""
    with read(view.site.engine) as db:
        waiting, overdue = views.waiting(db, view.site.site, view.now_us)
    if not waiting:
        return None
    return {"count": waiting, "overdue": overdue, WAITS: waiting if view.may("disclosures.change") else 0}


CARD = Card(
    "card_disclosures.html",
    values,
    "disclosures.see",
    first=frozenset({Role.PRIVACY_OFFICER, Role.CLINICAL_ENGINEER}),
    order=11,
)
