"""Openings above the limit: who has opened as much as one may in an hour asks, and another person allows as much again.

Deliberately absent: what was opened; that stands in the ledger.
"""

from __future__ import annotations

from starlette.responses import Response

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.web.page import Page, Route
from oathward.web.view import View


def show(view: View) -> Response:
    """List what waits for a second person."""
    return view.page("openings.html", asked=view.site.keeper.patients.asked(view.proof))


def ask(view: View) -> Response:
    """Ask for as much again."""
    reason = view.form.get("reason", "").strip()
    if not reason or len(reason) > 200 or not reason.isprintable():
        raise InputError(
            "reason", "say why, in at most 200 characters, without patient data", reason=Reason.INPUT_INVALID
        )
    view.site.keeper.patients.ask(reason, view.proof)
    return view.page("patient_asked.html")


def allow(view: View) -> Response:
    """Allow another person as much again for an hour."""
    view.site.keeper.patients.allow(view.form.get("id", "")[:64] or "-", view.proof)
    return view.go("/openings")


PAGE = Page(
    "Openings",
    (
        Route("/openings", show, action="opening.approve"),
        Route("/openings/allow", allow, "POST", action="opening.approve"),
        Route("/openings/ask", ask, "POST", action="own.change"),
    ),
    group="Decide",
    key="y",
    order=60,
)
