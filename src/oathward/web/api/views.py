"""Saved views by the API: one's own and those that others share, as the console lists them.

Rules:
- A view of a list that the caller may not open is not there, nor is what somebody keeps for themselves.
- Who may not see people reads their own id, and of others that it is somebody.

Deliberately absent: saving and changing: views are made where their filters are seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oathward.core.clock import from_micros
from oathward.core.db import read
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.people import saved
from oathward.web import finding_acts as acts
from oathward.web import saved_views
from oathward.web.calls import PAGED, Call, Query, cut
from oathward.web.page import Route, named

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.people.saved import SavedView
    from oathward.web.view import View


@dataclass(frozen=True, slots=True)
class SavedViewOut:
    """One saved view. `page`: path of its list on the console; `query`: its filters, as they stand in the address; `owner`: a person's id; `shared`: with everybody who may open its list, `role`: with everybody who has it, empty for no role."""

    id: str
    page: str
    query: str
    name: str
    owner: str
    shared: bool
    role: str
    changed: datetime


def listed(view: View) -> Response:
    """List one's own views and shared ones, by list and name."""
    with read(view.site.engine) as db:
        found = saved.seen_by(
            db, view.site.site, acts.who(view), view.asks.get("page", ""), roles=saved_views.roles(view)
        )
    rows = [one for one in found if view.leads(one.page)]
    some, more = cut(rows, lambda one: one.id, view.asks.get("after", ""), view.limit)
    return view.listed([_plain(view, one) for one in some], more)


def one(view: View) -> Response:
    """Give one of them."""
    with read(view.site.engine) as db:
        found = saved.one(
            db, view.site.site, view.part("view")[:64], acts.who(view), roles=saved_views.roles(view)
        )
    if not view.leads(found.page):
        raise InputError("view", "there is no such view of yours", reason=Reason.NOT_FOUND)
    return view.json(_plain(view, found))


def _plain(view: View, row: SavedView) -> SavedViewOut:
    owner = acts.owner_id(view, row.owner)
    return SavedViewOut(
        row.id, row.page, row.query, row.name, owner, row.shared, row.role, from_micros(row.changed_us)
    )


API = (
    Route(
        "/api/v1/views",
        listed,
        action="own.see",
        api=True,
        call=Call(
            gives=SavedViewOut,
            listed=True,
            asks={**PAGED, "page": Query("only of this list", tuple(saved_views.LISTS))},
        ),
    ),
    Route(
        "/api/v1/views/{view}",
        one,
        action="own.see",
        thing=named("account", "view", own=True),
        api=True,
        call=Call(gives=SavedViewOut),
    ),
)
