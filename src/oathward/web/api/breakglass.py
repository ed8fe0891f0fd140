"""Broken glasses, by the API: what was opened in emergencies, and a review of it. Words that were said are on the page alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oathward.core.clock import from_micros
from oathward.web.calls import Call, Query
from oathward.web.page import Route, named
from oathward.web.view import reason_of

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.vault.keeper.client.glass import Broken
    from oathward.web.view import View


@dataclass(frozen=True, slots=True)
class GlassOut:
    """One glass; `code`: the reason; `often`: one too many of its day; `outcome`: empty until somebody reviewed it."""

    id: str
    person: str
    subject: str
    code: str
    purpose: str
    begun: datetime
    ended: datetime | None
    openings: int
    often: bool
    due: datetime
    overdue: bool
    outcome: str
    reviewer: str


@dataclass(frozen=True, slots=True)
class ReviewIn:
    """`outcome`: `justified` or `not-justified`; `reason`: goes into the ledger, no patient data."""

    outcome: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What was reviewed, and what it came to."""

    id: str
    outcome: str


def listed(view: View) -> Response:
    """List what was broken, newest first, two hundred at most."""
    rows = view.site.keeper.glass.listed(view.proof, waiting=view.asks.get("state", "waiting") == "waiting")
    return view.listed([_plain(one, view.now_us) for one in rows])


def review(view: View) -> Response:
    """Say whether it was justified."""
    body, id_ = view.body, view.part("glass")
    view.site.keeper.glass.review(id_, body.outcome, reason_of(body.reason), view.proof)
    return view.json(Reviewed(id_, body.outcome))


def _plain(one: Broken, now_us: int) -> GlassOut:
    return GlassOut(
        id=one.id,
        person=one.person,
        subject=one.subject,
        code=one.code,
        purpose=one.purpose,
        begun=from_micros(one.begun_us),
        ended=from_micros(one.ended_us) if one.ended_us else None,
        openings=one.openings,
        often=one.often,
        due=from_micros(one.due_us),
        overdue=one.overdue(now_us),
        outcome=one.outcome,
        reviewer=one.by,
    )


API = (
    Route(
        "/api/v1/break-glass",
        listed,
        action="breakglass.see",
        api=True,
        call=Call(
            gives=GlassOut, listed=True, asks={"state": Query("`waiting` without it", ("waiting", "all"))}
        ),
    ),
    Route(
        "/api/v1/break-glass/{glass}/review",
        review,
        "POST",
        action="breakglass.review",
        thing=named("patient"),
        api=True,
        call=Call(gives=Reviewed, takes=ReviewIn),
    ),
)
