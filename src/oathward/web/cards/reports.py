"""What patients reported and nobody settled."""

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
    counts = standing.standing(view.site, view.now).keys.get("reports") or {}
    if not counts.get("waiting"):
        return None
    return {"count": counts["waiting"], "overdue": counts["overdue"], WAITS: counts["waiting"]}


CARD = Card("card_reports.html", values, "reports.see", first=frozenset({Role.PRIVACY_OFFICER}), order=13)
