"""Reports from patients: what they say went wrong, with a clock; the words of one, on record; what it came to.

Rules:
- The list has codes and times; words are opened one report at a time, by the keeper, for who may read them just then.
- What a report came to is a code: the patient reads it in their own language, and a letter says that there is news.
- Where a report names a record or is about another page's things, it leads there.

Deliberately absent: answering in words, who stands in for whom.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.policy.reports import KINDS, OUTCOMES
from oathward.web.page import Page, Route, named
from oathward.web.view import View

if TYPE_CHECKING:
    from starlette.responses import Response

STATES = {"waiting": "Not settled", "all": "All"}


def show(view: View) -> Response:
    """List what was reported."""
    state = view.asked("state", "waiting", known=STATES)
    rows = view.site.keeper.asks.reports(view.proof, waiting=state == "waiting")
    return view.page("reports.html", kinds=KINDS, outcomes=OUTCOMES, rows=rows, state=state, states=STATES)


def again(view: View) -> Response:
    """Lead back to the list whoever loads an opened report anew: words are opened by a form alone."""
    return view.go("/reports")


def one(view: View) -> Response:
    """Open one with its words."""
    found, words = view.site.keeper.asks.opened(view.part("report"), view.proof)
    return view.page("report.html", one=found, words=words, kinds=KINDS, outcomes=OUTCOMES)


def settle(view: View) -> Response:
    """Say what it came to."""
    outcome = view.form.get("outcome", "")
    if outcome not in OUTCOMES:
        raise InputError("outcome", "choose one", reason=Reason.INPUT_INVALID)
    view.site.keeper.asks.settle(view.part("report"), outcome, view.proof)
    return view.go("/reports")


PAGE = Page(
    "Reports from patients",
    (
        Route("/reports", show, action="reports.see"),
        Route("/reports/{report}", again, action="reports.see", thing=named("area")),
        Route("/reports/{report}", one, "POST", action="report.open", thing=named("patient")),
        Route("/reports/{report}/settle", settle, "POST", action="report.settle", thing=named("patient")),
    ),
    group="Decide",
    key="n",
    order=68,
)
