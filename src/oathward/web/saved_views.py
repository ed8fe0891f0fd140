"""Saved views as pages show them: which there are for a list, which of them is open, what of an address is a filter.

Rules:
- Lists that can be saved stand in ``LISTS``; a view of another page cannot be made.
- Where a list stands in its pages, and what was said after a form, is no filter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.people import saved
from oathward.web import finding_acts as acts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from oathward.people.saved import SavedView
    from oathward.web.view import View

LISTS = {"/inventory": "Inventory", "/map": "Map", "/flows": "Flows", "/findings": "Findings"}
"""Path -> title, of each list whose filters can be saved."""

EVERYBODY = "yes"
"""In a form: shared with everybody who may open the list."""

_NO_FILTER = frozenset({"after", "did", "done", "left", "next"})
_FILTERS_MAX = 50


@dataclass(frozen=True, slots=True)
class Shown:
    """Views of one list. ``query``: its filters now; ``roles``: with which the viewer may share; ``open``: the id of the view that has the same."""

    page: str
    query: str
    rows: Sequence[SavedView]
    who: str
    roles: Sequence[str] = ()
    open: str = ""


def of(view: View, db: Connection, page: str) -> Shown:
    """Give the views of a list, of which the request has the filters in its address."""
    who = acts.who(view)
    query = filters(view.request.url.query)
    rows = saved.seen_by(db, view.site.site, who, page, roles=roles(view))
    same = sorted(parse_qsl(query))
    opened = next((one.id for one in rows if query and sorted(parse_qsl(one.query)) == same), "")
    return Shown(page, query, rows, who, sorted(roles(view)), opened)


def roles(view: View) -> frozenset[str]:
    """Give the roles of the viewer, as views are shared with them."""
    return frozenset(role.value for role in view.actor.roles)


def shown_to(view: View, choice: str) -> tuple[bool, str]:
    """Read with whom a view is to be shared: ``yes`` for everybody, one of the viewer's roles, empty for nobody.

    Raises:
        InputError: it is a role that the viewer has not.
    """
    if choice and choice != EVERYBODY and choice not in roles(view):
        why = "everybody, one of your own roles, or nobody"
        raise InputError("shared", why, reason=Reason.INPUT_INVALID)
    return choice == EVERYBODY, "" if choice == EVERYBODY else choice


def filters(query: str) -> str:
    """Give the filters of an address, without what is empty or none."""
    try:
        pairs = parse_qsl(query, max_num_fields=_FILTERS_MAX, errors="replace")
    except ValueError:  # more fields than any list has
        return ""
    return urlencode(
        [(name, value) for name, value in pairs if name not in _NO_FILTER and value.isprintable()]
    )
