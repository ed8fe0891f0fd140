"""Glasses that were broken and nobody reviewed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from oathward.core.labels import Role
from oathward.web import standing
from oathward.web.card import WAITS, Card

if TYPE_CHECKING:
    from oathward.web.view import View


def values(view: View) -> Mapping[str, Any] | None:
    """Count what waits; nothing to say where nothing does."""
    counts = standing.standing(view.site, view.now).keys.get("glass") or {}
    if not counts.get("waiting"):
        return None
    waits = counts["waiting"] if view.may("breakglass.review") else 0
    return {"count": counts["waiting"], "overdue": counts["overdue"], "often": counts["often"], WAITS: waits}


CARD = Card("card_glass.html", values, "breakglass.see", first=frozenset({Role.PRIVACY_OFFICER}), order=12)
