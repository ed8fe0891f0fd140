"""What is held, by the reasons that hold most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from oathward.core.labels import Role
from oathward.web import standing
from oathward.web.card import Card

if TYPE_CHECKING:
    from oathward.web.view import View


def values(view: View) -> Mapping[str, Any]:
    """Count what is held."""
    return {"held": standing.standing(view.site, view.now).held}


CARD = Card(
    "card_held.html",
    values,
    "quarantine.see",
    first=frozenset({Role.SETUP, Role.INTEGRATION_ENGINEER}),
    order=20,
    wide=True,
)
