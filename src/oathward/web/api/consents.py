"""What patients said, by the API; what the page Consents shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oathward.consent import listing, views
from oathward.consent.listing import STATES
from oathward.core.clock import from_micros
from oathward.core.db import read
from oathward.explaining import now, said
from oathward.explaining.said import Said, Waits
from oathward.web import seeking
from oathward.web.calls import PAGED, Call, Query
from oathward.web.page import Route, named
from oathward.web.pages.consents import everybody, settle
from oathward.web.view import reason_of

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.consent.listing import Person
    from oathward.web.view import View


@dataclass(frozen=True, slots=True)
class ConsentsOut:
    """One patient who said something; `said`: under so many subjects; `sure`: every signature verified."""

    subject: str
    state: str
    at: datetime
    said: int
    permits: int
    denials: int
    contradictions: int
    ends_next: datetime | None
    until: datetime | None
    sure: bool


@dataclass(frozen=True, slots=True)
class DismissIn:
    """`reason`: goes into the ledger, no patient data."""

    reason: str


@dataclass(frozen=True, slots=True)
class Dismissed:
    """What was dismissed."""

    message: str


def listed(view: View) -> Response:
    """List patients who said something, newest first; with `soon` those that end first."""
    with read(view.site.engine) as db:
        found = listing.page(
            *(db, view.site.site, view.asks.get("state", "")),
            now_us=view.now_us,
            after=view.asks.get("after", ""),
            limit=view.limit,
        )
    return view.listed([_plain(row, view.now_us) for row in found.rows], found.after)


def patient(view: View) -> Response:
    """Say what one patient said: choices, statements, contradictions, versions, what waits."""
    family = now.family_of(view.site, view.part("subject"))
    return view.json(said.said(view.site, view.asking.active, family))


def arrived(view: View) -> Response:
    """List Consents that came as messages and wait for a person, oldest first, two hundred at most."""
    with read(view.site.engine) as db:
        _, rows = views.arrivals(db, view.site.site, limit=200)
    return view.listed([said.waits(row) for row in rows])


def dismiss(view: View) -> Response:
    """Say of Consents that came as a message that they are not to be in force: what pends of them is lifted."""
    message = view.part("message")
    settle(view, message, reason_of(view.body.reason))
    return view.json(Dismissed(message))


def _plain(row: Person, now_us: int) -> ConsentsOut:
    ends = [from_micros(at) if at else None for at in (row.next_us, row.until_us)]
    return ConsentsOut(
        *(row.subject, row.state(now_us), from_micros(row.at_us), row.said, row.permits, row.denials),
        *(row.contradictions, ends[0], ends[1], row.sure),
    )


_KNOWN = tuple(state for state in STATES if state)

API = (
    Route(
        "/api/v1/consents",
        listed,
        action="consents.see",
        around=everybody,
        api=True,
        call=Call(gives=ConsentsOut, listed=True, asks={**PAGED, "state": Query("all without it", _KNOWN)}),
    ),
    Route(
        "/api/v1/consents/arrived",
        arrived,
        action="consents.see",
        around=everybody,
        api=True,
        call=Call(gives=Waits, listed=True),
    ),
    Route(
        "/api/v1/consents/arrived/{message}/dismiss",
        dismiss,
        "POST",
        action="consent.change",
        thing=named("patient"),
        api=True,
        call=Call(gives=Dismissed, takes=DismissIn),
    ),
    Route(
        "/api/v1/consents/{subject}",
        patient,
        action="consents.see",
        thing=named("patient", "subject"),
        around=seeking.about,
        api=True,
        call=Call(gives=Said),
    ),
)
