"""Reports from patients, by the API: what waits and until when, and what one came to. Words stand on the page alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oathward.core.clock import from_micros
from oathward.web.calls import Call, Query
from oathward.web.page import Route, named

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.vault.keeper.client.asks import Reported
    from oathward.web.view import View


@dataclass(frozen=True, slots=True)
class ReportOut:
    """One report; `kind`: what it is about; `record`: number of the record it names; `outcome`: empty until it is settled."""

    id: str
    subject: str
    kind: str
    record: int | None
    sent: datetime
    state: str
    by: str
    due: datetime
    overdue: bool
    outcome: str


@dataclass(frozen=True, slots=True)
class SettleIn:
    """`outcome`: `mended`, `stopped`, `explained`, `passed-on` or `nothing-found`; the patient is told."""

    outcome: str


@dataclass(frozen=True, slots=True)
class Settled:
    """What was settled, and what it came to."""

    id: str
    outcome: str


def listed(view: View) -> Response:
    """List what patients reported, newest first, two hundred at most."""
    rows = view.site.keeper.asks.reports(view.proof, waiting=view.asks.get("state", "waiting") == "waiting")
    return view.listed([_plain(one, view.now_us) for one in rows])


def settle(view: View) -> Response:
    """Say what one came to."""
    id_, outcome = view.part("report"), view.body.outcome
    view.site.keeper.asks.settle(id_, outcome, view.proof)
    return view.json(Settled(id_, outcome))


def _plain(one: Reported, now_us: int) -> ReportOut:
    return ReportOut(
        id=one.id,
        subject=one.subject,
        kind=one.kind,
        record=one.about if one.about >= 0 else None,
        sent=from_micros(one.at_us),
        state=one.state,
        by=one.by,
        due=from_micros(one.due_us),
        overdue=one.overdue(now_us),
        outcome=one.outcome,
    )


API = (
    Route(
        "/api/v1/reports",
        listed,
        action="reports.see",
        api=True,
        call=Call(
            gives=ReportOut, listed=True, asks={"state": Query("`waiting` without it", ("waiting", "all"))}
        ),
    ),
    Route(
        "/api/v1/reports/{report}/settle",
        settle,
        "POST",
        action="report.settle",
        thing=named("patient"),
        api=True,
        call=Call(gives=Settled, takes=SettleIn),
    ),
)
