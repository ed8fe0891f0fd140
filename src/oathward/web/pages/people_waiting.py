"""What waits for a second person, what to review, and the services: the pages beside People and access.

Rules:
- Nobody sees a button for what they proposed, or for what is about themselves; the keeper refuses it anyhow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from oathward import granting
from oathward.core.db import read
from oathward.core.errors import InputError, KeeperError
from oathward.core.reasons import Reason
from oathward.people import views
from oathward.web.page import Page, Route, named
from oathward.web.pages.people import reader, told, waiting_for

if TYPE_CHECKING:
    from oathward.web.view import View

RULES = {
    "grant.unused": "not used",
    "grant.endless": "without an end",
    "grant.due": "ends soon",
    "roles.many": "many roles",
    "roles.few": "too few to approve",
    "roles.apart": "roles nobody may hold together",
    "service.ownerless": "nobody answers for it",
    "service.endless": "without an end",
}
LEVELS = {
    "roles.apart": "bad",
    "roles.few": "bad",
    "service.ownerless": "bad",
    "grant.due": "note",
    "grant.unused": "note",
}

_TOLD = {Reason.CONFLICT, Reason.ACCESS_OWN, Reason.ACCESS_ROLE, Reason.INPUT_INVALID, Reason.NOT_FOUND}


def proposals(view: View) -> Response:
    """List proposals of roles and services."""
    return _proposals(view, {})


def approve(view: View) -> Response:
    """Approve another person's proposal."""
    try:
        granting.approve(view.site, view.part("proposal"), now_us=view.now_us, proof=view.proof)
    except (InputError, KeeperError) as error:
        return _refused(view, error)
    return view.go("/people-waiting?done=approved")


def withdraw(view: View) -> Response:
    """Take one's own proposal back, or refuse another's."""
    try:
        granting.withdraw(view.site, view.part("proposal"), view.reason(), view.proof)
    except (InputError, KeeperError) as error:
        return _refused(view, error)
    return view.go("/people-waiting?done=withdrawn")


def review(view: View) -> Response:
    """List what of people's access somebody should look at."""
    site, rule = view.site, view.asked("rule", known=RULES)
    days = site.settings.people.unused_days
    with read(site.engine) as db:
        rows = views.review(db, site.site, view.now_us, days)
        names = views.names(db, site.site, (row.about.partition("/")[0] for row in rows))
    counts = {name: sum(row.rule == name for row in rows) for name in RULES}
    shown = [row for row in rows if rule in {"", row.rule}]
    return view.page(
        "people_review.html",
        counts=counts,
        levels=LEVELS,
        names=names,
        rows=shown[:ROWS_MAX],
        rule=rule,
        rules=RULES,
        total=len(rows),
        most=ROWS_MAX,
        unused_days=days,
        found=len(shown),
    )


def services(view: View) -> Response:
    """List services."""
    with read(view.site.engine) as db:
        rows = views.services(db, view.site.site, reader(view))
    return view.page("people_services.html", rows=rows)


def _refused(view: View, error: InputError | KeeperError) -> Response:
    if error.reason not in _TOLD:
        raise error
    return _proposals(view, {"where": error.where, "why": error.why, "code": error.reason.code})


def _proposals(view: View, wrong: dict[str, str]) -> Response:
    rows = waiting_for(view)
    with read(view.site.engine) as db:
        people = {row.proposal.proposer for row in rows} | {row.about for row in rows if row.kind == "grant"}
        names = views.names(db, view.site.site, people)
    return view.page(
        "people_waiting.html",
        status=422 if wrong else 200,
        done=told(view),
        me=view.actor.id,
        names=names,
        rows=rows,
        wrong=wrong,
        approves=view.may("grant.approve"),
        proposes=view.may("grant.propose"),
    )


ROWS_MAX = 500
_PROPOSAL = named("proposal", "proposal")
_OWN = named("person")

PAGE = Page(
    "What waits for a second person",
    (
        Route("/people-waiting", proposals, action="people.see"),
        Route("/people-waiting/{proposal}/approve", approve, "POST", action="grant.approve", thing=_PROPOSAL),
        Route("/people-waiting/{proposal}/refuse", withdraw, "POST", action="grant.approve", thing=_PROPOSAL),
        Route("/people-waiting/{proposal}/withdraw", withdraw, "POST", action="grant.propose", thing=_OWN),
        Route("/people-review", review, action="people.see"),
        Route("/people-services", services, action="services.see"),
    ),
)
