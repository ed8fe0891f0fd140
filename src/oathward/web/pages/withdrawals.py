"""Withdrawals: how soon a patient's "no" was in effect, link by link, and what it took away; the slow and the silent first.

Rules:
- Seconds per link, typical and worst; what a process has not reported after a second is red, and a card on Home.
- Whose it was is shown to those who may ask who sees what of a patient; a name to nobody.

Deliberately absent: what was withdrawn in content, and changing anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.consent.withdrawals import BEFORE_MAX, DAYS, delivered_before
from oathward.core.db import read
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.patients import views as patients
from oathward.web import seeking
from oathward.web.page import Page, Route, named
from oathward.web.withdrawn import sees_whose, withdrawals

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.consent.withdrawals import Withdrawal
    from oathward.web.view import View

ROWS = 50
STATES = {"": "All", "unheard": "Not yet in effect everywhere"}


def show(view: View) -> Response:
    """List what was withdrawn in the last days, and how each link did."""
    state, link = view.asked("state", known=STATES), view.asked("link")
    found = withdrawals(view)
    rows = found.unheard() if state == "unheard" else found.rows
    if link:
        rows = [one for one in rows if any(on.link == link for on in one.links)]
    start = view.number("after") or 0
    return view.page(
        "withdrawals.html",
        days=DAYS,
        link=link,
        more=start + ROWS if len(rows) > start + ROWS else 0,
        rows=rows[start : start + ROWS],
        state=state,
        states=STATES,
        sums=found.by_link(),
        total=len(rows),
        unheard=len(found.unheard()),
        whole=found.whole,
        whose=sees_whose(view),
    )


def one(view: View) -> Response:
    """Show one withdrawal by link: how soon in each process, what was taken back and what had gone already."""
    found = of_path(view)
    site = view.site
    with read(site.engine) as db:
        family = patients.family(db, site.site, found.subject)
        before = {on.link: delivered_before(db, site.site, found, on.link, family) for on in found.links}
    return view.page("withdrawal.html", before=before, before_max=BEFORE_MAX, one=found)


def of_path(view: View) -> Withdrawal:
    """Give the withdrawal that the path names.

    Raises:
        InputError: ``not-found``.
    """
    subject, number = view.part("subject"), view.part("version")
    found = withdrawals(view, subject=subject).rows
    for each in found:
        if str(each.version) == number:
            return each
    raise InputError("version", "no such withdrawal", reason=Reason.NOT_FOUND)


PAGE = Page(
    "Withdrawals",
    (
        Route("/withdrawals", show, action="withdrawals.see"),
        Route(
            "/withdrawals/{subject}/{version}",
            one,
            action="consent.explain",
            thing=named("patient", "subject"),
            around=seeking.about,
        ),
    ),
    group="Protect",
    key="t",
    order=14,
)
