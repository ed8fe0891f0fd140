"""Notices to recipients: who was told that a patient allows them less or more, what they answered, and who has not.

Rules:
- Those without a receipt that should have one stand first when asked for, and are a card on Home.
- Whose it was is shown to those who may ask who sees what of a patient.

Deliberately absent: sending again; a refused one is tried as any dead delivery is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.consent.notices import views
from oathward.core.db import read
from oathward.web.page import Page, Route
from oathward.web.withdrawn import sees_whose

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.web.view import View

ROWS = 200
STATES = {"": "All", "missing": "Receipt missing"}
PASSES = {"all": "everything", "some": "some of it", "none": "nothing"}
WORDS = {
    "waiting": "not sent yet",
    "queued": "no answer yet",
    "sent": "answered",
    "refused": "refused",
    "unmade": "could not be written",
    "discarded": "given up",
}


def show(view: View) -> Response:
    """List what recipients were told, newest first."""
    state, site = view.asked("state", known=STATES), view.site
    with read(site.engine) as db:
        rows = views.rows(db, site.site, missing=state == "missing", limit=ROWS)
        missing = views.missing_count(db, site.site)
    return view.page(
        "recipient_notices.html",
        hours=site.settings.consent.notice_hours,
        missing=missing,
        passes=PASSES,
        rows=rows,
        state=state,
        states=STATES,
        whole=len(rows) < ROWS,
        whose=sees_whose(view),
        words=WORDS,
    )


PAGE = Page("Notices to recipients", (Route("/withdrawals/notices", show, action="withdrawals.see"),))
