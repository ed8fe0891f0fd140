"""Who receives what for which purpose, and how each link does now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from oathward.core.labels import Role
from oathward.web import link_standing, standing
from oathward.web.card import Card

if TYPE_CHECKING:
    from oathward.web.view import View


def values(view: View) -> Mapping[str, Any]:
    """List the links."""
    return {"links": link_standing.links(standing.standing(view.site, view.now))}


CARD = Card(
    "card_receives.html", values, "links.see", first=frozenset({Role.SETUP, Role.PRIVACY_OFFICER}), order=30
)
