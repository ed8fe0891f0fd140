"""Merges that wait for a person, by the API: what waits, and the word on one. Cards are on the page alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oathward.core.clock import from_micros
from oathward.core.db import read
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.patients import views
from oathward.web.calls import Call
from oathward.web.page import Route, named
from oathward.web.pages import merges

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.web.view import View


@dataclass(frozen=True, slots=True)
class MergeOut:
    """One merge that waits: `child` goes on as `parent`; `source`: the device that said so."""

    id: str
    child: str
    parent: str
    source: str
    event: str
    at: datetime


@dataclass(frozen=True, slots=True)
class MergeIn:
    """`decision`: `confirm` or `refuse`; `why`: `cards-agree`, `cards-differ`, `source-asked` or `patient-asked`."""

    decision: str
    why: str


@dataclass(frozen=True, slots=True)
class MergeDecided:
    """What was decided of a merge."""

    id: str
    decision: str


def listed(view: View) -> Response:
    """List merges that wait, newest first, five hundred at most."""
    site = view.site
    with read(site.engine) as db:
        found = views.unconfirmed(db, site.site, site.authority, site.seen, limit=merges.ROWS_MAX)
    return view.listed(
        [MergeOut(e.id, e.child, e.parent, e.source, e.event, from_micros(e.at_us)) for e in found]
    )


def decide(view: View) -> Response:
    """Say that the two are one, or two."""
    body = view.body
    known = {"confirm": merges.CONFIRMS, "refuse": merges.REFUSES}.get(body.decision, ())
    if body.why not in known:
        raise InputError("why", "is no reason for this decision", reason=Reason.INPUT_INVALID)
    row = merges.waiting(view, view.part("edge"))
    act = merges.confirm_edge if body.decision == "confirm" else merges.refuse_edge
    act(view, row, body.why)
    return view.json(MergeDecided(row.id, body.decision))


API = (
    Route("/api/v1/merges", listed, action="merge.confirm", api=True, call=Call(gives=MergeOut, listed=True)),
    Route(
        "/api/v1/merges/{edge}",
        decide,
        "POST",
        action="merge.confirm",
        thing=named("patient"),
        api=True,
        call=Call(gives=MergeDecided, takes=MergeIn),
    ),
)
