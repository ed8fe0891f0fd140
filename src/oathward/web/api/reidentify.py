"""Who asked whose a pseudonym is, by the API: neither pseudonyms nor patients; asking and agreeing take a person at the command line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oathward.core.clock import from_micros
from oathward.web.calls import Call, Query
from oathward.web.page import Route

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.vault.keeper.client.reidentify import Asked
    from oathward.web.view import View


@dataclass(frozen=True, slots=True)
class ReidentifyOut:
    """One request; `code`: the reason; `until`: it ends by itself; `second`, `said`: who agreed or refused, and their words; `ended`: null before."""

    id: str
    project: str
    code: str
    person: str
    asked: datetime
    until: datetime
    state: str
    second: str
    said: str
    ended: datetime | None


def listed(view: View) -> Response:
    """List requests to find out whose a pseudonym is, newest first, two hundred at most."""
    rows = view.site.keeper.reidentify.listed(view.proof, waiting=view.asks.get("state", "open") == "open")
    return view.listed([_plain(one) for one in rows])


def _plain(one: Asked) -> ReidentifyOut:
    return ReidentifyOut(
        id=one.id,
        project=one.project,
        code=one.code,
        person=one.person,
        asked=from_micros(one.at_us),
        until=from_micros(one.until_us),
        state=one.state,
        second=one.by,
        said=one.said,
        ended=from_micros(one.ended_us) if one.ended_us else None,
    )


API = (
    Route(
        "/api/v1/reidentify",
        listed,
        action="reidentify.see",
        api=True,
        call=Call(
            gives=ReidentifyOut, listed=True, asks={"state": Query("`open` without it", ("open", "all"))}
        ),
    ),
)
