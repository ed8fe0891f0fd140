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
    sees = view.may("sessions.see") and view.site.keeper.state().get("founded")
    tokens = view.site.keeper.people.service_tokens(view.proof) if sees else ()
    return view.page(
        "people_services.html",
        done=ENDED if view.asked("done") else "",
        may_end=view.may("session.revoke") and view.visit is not None and view.visit.acts,
        rows=rows,
        tokens=tokens,
    )


def end_token(view: View) -> Response:
    """End a token of a service."""
    people, id_ = view.site.keeper.people, view.form.get("token-of-service", "")
    try:
        if id_ not in {one.id for one in people.service_tokens(view.proof)}:
            why = "has ended already, or is none of a service"
            raise InputError("token", why, reason=Reason.NOT_FOUND)
        people.session_revoke(id_, view.proof)
    except KeeperError as error:
        if error.reason is not Reason.ACCESS_PROVE_BOTH:
            raise
        return view.go(view.link("/step-up", next="/people-services", both="yes"))
    return view.go(view.link("/people-services", done="ended"))


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
_TOKEN = named("session")
ENDED = "The token has ended. Its service gets another one while it may ask: end its key or the service itself for good."

PAGE = Page(
    "What waits for a second person",
    (
        Route("/people-waiting", proposals, action="people.see"),
        Route("/people-waiting/{proposal}/approve", approve, "POST", action="grant.approve", thing=_PROPOSAL),
        Route("/people-waiting/{proposal}/refuse", withdraw, "POST", action="grant.approve", thing=_PROPOSAL),
        Route("/people-waiting/{proposal}/withdraw", withdraw, "POST", action="grant.propose", thing=_OWN),
        Route("/people-review", review, action="people.see"),
        Route("/people-services", services, action="services.see"),
        Route("/people-services/end", end_token, "POST", action="session.revoke", thing=_TOKEN),
    ),
)
