"""Roles and services that wait for a second person, and what of people's access somebody should look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from oathward.core.db import read
from oathward.core.labels import Role
from oathward.people import views
from oathward.web.card import SLIM, WAITS, Card
from oathward.web.pages.people import waiting_for

if TYPE_CHECKING:
    from oathward.web.view import View

SHOWN_MAX = 5


def values(view: View) -> Mapping[str, Any] | None:
    """Look; a site without people has nobody to wait for."""
    if view.visit is None or not view.actor.id:
        return None
    site = view.site
    with read(site.engine) as db:
        found = views.review(db, site.site, view.now_us, site.settings.people.unused_days)
        proposed = views.any_proposed(db, site.site)
    rows = waiting_for(view) if proposed else []
    others = [row for row in rows if view.actor.id not in {row.proposal.proposer, row.about}]
    mine = others if view.may("grant.approve") else []
    return {
        "review": len(found),
        "rows": mine[:SHOWN_MAX],
        "waiting": len(rows),
        SLIM: not mine,
        WAITS: len(mine),
    }


CARD = Card(
    "card_people.html",
    values,
    "people.see",
    first=frozenset({Role.PRIVACY_OFFICER, Role.SECURITY_ANALYST, Role.ADMINISTRATOR}),
    order=20,
)
