"""Deliveries that have not happened: what waits its turn, what is blocked, what was set aside, and why."""

from __future__ import annotations

from starlette.responses import Response

from oathward.core.db import read
from oathward.messages import views
from oathward.messages.model import Delivery
from oathward.messages.views import WITHDRAWN
from oathward.web import link_standing, standing
from oathward.web.page import Page, Route
from oathward.web.view import View

ROWS = 50
STATES = {
    Delivery.PENDING.value: "waits its turn",
    Delivery.BLOCKED.value: "blocked",
    Delivery.DEAD.value: "set aside",
}


def show(view: View) -> Response:
    """List deliveries; what to do about one stands on its message's page."""
    state, link = view.asked("state", known=STATES), view.asked("link")
    with read(view.site.engine) as db:
        rows = views.outbox_page(
            *(db, view.site.site),
            link=link,
            state=state,
            after=view.number("after") or 0,
            limit=ROWS + 1,
        )
    found = standing.standing(view.site, view.now)
    return view.page(
        "deliveries.html",
        link=link,
        links=[one.id for one in link_standing.links(found)],
        more=rows[ROWS - 1].seq if len(rows) > ROWS else 0,
        rows=rows[:ROWS],
        state=state,
        states=STATES,
        total=sum(count for one in found.waiting for count in one.states.values()),
        withdrawn=WITHDRAWN,
    )


PAGE = Page(
    "Deliveries", (Route("/deliveries", show, action="deliveries.see"),), group="Protect", key="o", order=10
)
