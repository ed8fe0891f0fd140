"""Openings of patients' data that nothing explains and nobody reviewed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from oathward.accesses import views
from oathward.core.db import read
from oathward.core.labels import Role
from oathward.web.card import WAITS, Card

if TYPE_CHECKING:
    from oathward.web.view import View


def values(view: View) -> Mapping[str, Any] | None:
    """Count what waits; nothing to say where nothing does."""
    with read(view.site.engine) as db:
        counts = views.waiting(db, view.site.site, view.now_us)
    if not counts.waiting:
        return None
    waits = counts.waiting if view.may("accesses.review") else 0
    return {"count": counts.waiting, "overdue": counts.overdue, WAITS: waits}


CARD = Card("card_accesses.html", values, "accesses.see", first=frozenset({Role.PRIVACY_OFFICER}), order=13)
