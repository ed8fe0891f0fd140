"""Home: what each role asks first. Cards stand in ``cards/``; every number is a link to its rows.

An emergency policy that nobody else has assessed is told to everybody who signs in, whatever else they may see.
"""

from __future__ import annotations

from functools import cache

from starlette.responses import Response

from oathward.changes import views
from oathward.core.db import read
from oathward.web import standing
from oathward.web.card import Card, cards, shown
from oathward.web.page import Page, Route
from oathward.web.view import View


def show(view: View) -> Response:
    """Answer what this viewer asks first."""
    found = standing.standing(view.site, view.now) if view.may("health.see") else None
    own = view.site.keeper.people.account_own(view.proof) if view.visit and view.visit.notices else None
    notices = own.notices if own else ()
    with read(view.site.engine) as db:
        emergencies = views.unassessed(db, view.site.site)
    decks = shown(_cards(), view)
    told = {f"/policies/proposals/{row.id}" for row in emergencies}
    return view.page(
        "home.html",
        bad=[line for line in found.bad if line.href not in told] if found else [],
        cards=decks,
        emergencies=emergencies,
        found=found,
        notices=notices,
        waits=sum(deck.waits for deck in decks),
    )


@cache
def _cards() -> list[Card]:
    return cards()


PAGE = Page("Home", (Route("/", show, action="home.see"),), group="See", key="h", order=0)
