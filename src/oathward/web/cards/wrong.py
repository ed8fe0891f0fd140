"""Is anything wrong? Each thing that is looked at, the gravest first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from oathward.core.labels import Role
from oathward.web import standing
from oathward.web.card import Card

if TYPE_CHECKING:
    from oathward.web.view import View


def values(view: View) -> Mapping[str, Any]:
    """Look."""
    return {"found": standing.standing(view.site, view.now)}


CARD = Card(
    "card_wrong.html",
    values,
    "health.see",
    first=frozenset({Role.SETUP, Role.SECURITY_ANALYST, Role.ADMINISTRATOR, Role.KEY_HOLDER}),
    order=40,
)
