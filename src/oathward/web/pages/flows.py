"""Flows: who spoke with whom by which service, as totals of conversations; filters in the address.

Rules:
- Devices are asked for by id, address or part of what the inventory knows of them; where that is too many, the page says so.
- Single flows are files (``network.segments``): the page says by which command they are exported.
- Nothing here changes anything.
"""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.responses import Response

from oathward.core.clock import micros
from oathward.core.db import read
from oathward.endpoints import views as endpoints
from oathward.network import views
from oathward.network.model import ConversationFilters
from oathward.web import saved_views
from oathward.web.flows_asked import MATCHES_MAX, Who, port, who
from oathward.web.page import Page, Route

if TYPE_CHECKING:
    from oathward.web.view import View

ROWS = 50


def show(view: View) -> Response:
    """List conversations."""
    asked = {
        name: view.asked(name) for name in ("device", "peer", "service", "zone", "port", "since", "until")
    }
    clear = view.asked("clear") == "yes"
    site = view.site.site
    with read(view.site.engine) as db:
        mine, theirs = (who(db, site, asked[name]) for name in ("device", "peer"))
        wanted = ConversationFilters(
            endpoints=mine.endpoints,
            address=mine.address,
            peers=theirs.endpoints,
            peer_address=theirs.address,
            zone=asked["zone"],
            service=asked["service"],
            port=port(asked["port"]),
            clear=clear,
            since_us=_time(asked["since"]) or 0,
            until_us=_time(asked["until"]) or 2**62,
        )
        rows, more = views.newest(db, site, wanted, after=view.asked("after"), limit=ROWS)
        ends = {end for one in rows for end in (one.key.client_endpoint, one.key.server_endpoint)} - {""}
        names = endpoints.names(db, site, sorted(ends))
        zones, services = views.zone_names(db, site), views.service_names(db, site)
        stored = saved_views.of(view, db, "/flows")
    return view.page(
        "flows.html",
        asked=asked,
        clear=clear,
        command=_command(asked, mine),
        many=mine.many or theirs.many,
        matches_max=MATCHES_MAX,
        more=more,
        names=names,
        rows=rows,
        saved=stored,
        services=services,
        zones=zones,
    )


def _time(text: str) -> int | None:
    """Read a time of the form, in UTC; None where it is none."""
    try:
        return micros(datetime.fromisoformat(text).replace(tzinfo=UTC)) if text else None
    except (ValueError, OverflowError):
        return None


def _command(asked: dict[str, str], mine: Who) -> str:
    """Write the command that exports the single flows of these filters, as far as it knows them."""
    options = {"--address": mine.address, "--service": asked["service"]}
    options |= {"--port": asked["port"] if port(asked["port"]) >= 0 else ""}
    options |= {
        f"--{name}": asked[name] if _time(asked[name]) is not None else "" for name in ("since", "until")
    }
    words = [f"{name} {shlex.quote(value)}" for name, value in options.items() if value]
    return " ".join(["oathward flows export", *words])


PAGE = Page(
    "Flows",
    (Route("/flows", show, action="network.see"),),
    group="See",
    key="9",
    order=31,
)
