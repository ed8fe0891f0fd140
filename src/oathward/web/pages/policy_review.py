"""The policy's review: what was found, by rule; signing one off until a date; making a proposal of what would remove it.

Rules:
- What is proposed is the change the review made, on the bundle it was found in; on another one it is not offered.
- Signed off by whom, why and until when stands with the finding and in the ledger.

Deliberately absent: reviewing while somebody waits (``app.reviews`` does, each night and with every bundle).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING

from starlette.responses import Response

from oathward import proposing
from oathward.changes import findings_actions, findings_views
from oathward.changes.findings_model import SIGNED_OFF_DAYS_MAX, FindingState
from oathward.changes.findings_views import FindingView
from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.process import statuses
from oathward.core.reasons import Reason
from oathward.people import views as people
from oathward.policy.errors import PolicyErrors
from oathward.policy.files import unpack
from oathward.web import trying
from oathward.web.page import Page, Route, named
from oathward.web.pages.policy import Names
from oathward.web.view import View

if TYPE_CHECKING:
    from sqlalchemy import Connection

SHOWN = {
    "open": ("note", "open"),
    "signed-off": ("ok", "signed off"),
    "gone": ("off", "gone"),
}
DAYS = 90
ROWS_MAX = 100
"""Of one rule on the page; the command lists all."""

_PATIENCE_S = 2.5
_FIRST_US = 60_000_000
"""What ``app.reviews`` takes at most until it has looked at a policy for the first time."""
_ONE = "/policies/review/{finding}"


def show(view: View) -> Response:
    """List findings by rule; those that are open, or all."""
    every = view.asked("all", known={"yes": ""})
    with read(view.site.engine) as db:
        found = findings_views.findings(db, view.site.site, view.now_us)
        names = _names(view, db, found)
    listed = [_named(view, one, names) for one in found if every or one.open]
    groups = [(title, list(some)) for title, some in groupby(listed, key=lambda one: one.title)]
    shown = [(title, some[:ROWS_MAX], len(some)) for title, some in groups]
    return view.page(
        "policy_review.html",
        active=view.asking.active,
        every=every,
        groups=shown,
        last_us=max((one.row.last_us for one in found), default=0),
        name=Names(names),
        open=sum(one.open for one in found),
        rest=len(found) - len(listed),
        soon=_soon(view) if not found else 0,
        states=SHOWN,
    )


def _names(view: View, db: Connection, found: Iterable[FindingView]) -> dict[str, str]:
    """Name who answers for findings, and whom they are about."""
    ids = {id_ for one in found for id_ in (*one.people, one.row.by) if id_}
    return people.names(db, view.site.site, ids)


def _named(view: View, found: FindingView, names: dict[str, str]) -> FindingView:
    """Say whom a finding is about to those who may see people; to others, that it is about somebody."""
    return found.named(names if view.may("people.see") else None)


def _soon(view: View) -> int:
    """Say since when a first review may be under way; 0 where it would be there by now."""
    active, app = view.asking.active, statuses(view.site.settings.run_folder).get("app", {})
    if active is None:
        return 0
    began_us = max(active.at_us, int(float(app.get("started_s") or 0) * 1e6))
    return began_us if view.now_us - began_us < _FIRST_US else 0


def one(view: View) -> Response:
    """Show one finding, with the change that would remove it."""
    with read(view.site.engine) as db:
        found = findings_views.one(db, view.site.site, view.part("finding"), view.now_us)
        names = _names(view, db, [found])
    found = _named(view, found, names)
    active = view.asking.active
    fits = active is not None and active.bundle.digest.hex() == found.row.bundle
    files = unpack(active.bundle.body) if active is not None and fits else {}
    return view.page(
        "policy_finding.html",
        days=DAYS,
        days_max=SIGNED_OFF_DAYS_MAX,
        difference=found.proposal.difference(files) if found.proposal and fits else "",
        finding=found,
        fits=fits,
        name=Names(names),
        states=SHOWN,
    )


def sign_off(view: View) -> Response:
    """Note that the viewer answers for a finding for some days."""
    why, text = view.reason(), view.form.get("days", "").strip()
    days = int(text) if text.isascii() and text.isdecimal() and len(text) < 5 else 0
    with write(view.site.engine) as db:
        findings_actions.sign_off(
            db, view.site.site, view.part("finding"),
            by=view.who, why=why, days=days, now_us=view.now_us,
        )  # fmt: skip
    return view.go("/policies/review")


def propose(view: View) -> Response:
    """Make a draft proposal of the change that would remove a finding, and begin its dry run."""
    why, active = view.reason(), proposing.in_force(view.site)
    with read(view.site.engine) as db:
        found = findings_views.one(db, view.site.site, view.part("finding"), view.now_us)
    if active is None or found.proposal is None or found.row.state is FindingState.GONE:
        raise InputError("finding", "there is nothing to propose", reason=Reason.CONFLICT)
    if active.bundle.digest.hex() != found.row.bundle:
        raise InputError(
            "finding", "was found in another bundle; it is reviewed anew tonight", reason=Reason.CONFLICT
        )
    files = found.proposal.applied(unpack(active.bundle.body))
    try:
        row = proposing.draft(view.site, files, why, view.actor.id)
    except PolicyErrors as error:
        raise InputError(
            "proposal", "the bundle's own tests do not pass with it", reason=Reason.BUNDLE_INVALID
        ) from error
    trying.begin(view.site, row.id, view.actor.id, days=proposing.DAYS).join(_PATIENCE_S)
    return view.go(f"/policies/proposals/{row.id}")


PAGE = Page(
    "Review",
    (
        Route("/policies/review", show, action="review.see"),
        Route(_ONE, one, action="review.see", thing=named("policy")),
        Route(
            f"{_ONE}/sign-off", sign_off, "POST", action="review.sign-off", thing=named("finding", "finding")
        ),
        Route(f"{_ONE}/propose", propose, "POST", action="policy.propose", thing=named("policy")),
    ),
    group="Decide",
    key="v",
    order=20,
)
