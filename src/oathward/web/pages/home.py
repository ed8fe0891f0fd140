"""Home: what flows now, what is held, is anything wrong. Every number is a link to its rows."""

from __future__ import annotations

from starlette.responses import Response

from oathward.core.db import read
from oathward.inventory import views as inventory
from oathward.messages import views
from oathward.web import standing
from oathward.web.page import Page, Route
from oathward.web.view import View

RECENT_S = 300
"""What "now" means: the last five minutes."""

BARS = 30
BAR_S = 60


def show(view: View) -> Response:
    """Answer the three questions."""
    site, now_us = view.site, view.now_us
    found = standing.standing(site, view.now)
    bounds = [now_us - BAR_S * 1_000_000 * number for number in range(BARS, -1, -1)]
    with read(site.engine) as db:
        received = views.received_since(db, site.site, now_us - RECENT_S * 1_000_000)
        bars = views.received_by(db, site.site, bounds)
        devices, strangers = inventory.counts(db, site.site)
    return view.page(
        "home.html",
        bars=bars,
        bar_s=BAR_S,
        bounds=bounds,
        devices=devices,
        found=found,
        links=standing.links(found),
        received=received,
        strangers=strangers,
    )


PAGE = Page("Home", (Route("/", show, action="home.see"),), group="See", key="h", order=0)
