"""Who looked and why: every opening of this patient's data, by day, with its reason in words.

Rules:
- Read anew from the ledger; each time leads to its proof.
- One's own openings are among them, and those of whoever acts for the patient.

Deliberately absent: what a place outside got (*Who can see my data*), notices of an emergency (*Notices*).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.core.db import read
from oathward.web.portal import looks, naming, records
from oathward.web.portal.page import Page, Route

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.web.portal.view import View

ROWS = 60


def _looked(view: View) -> Response:
    before = records.before_of(view)
    with read(view.site.engine) as db:
        found = records.about(view, db, looks.KINDS, before=before, limit=ROWS + 1)
        days = looks.days(view, db, found[:ROWS])
    more = found[ROWS - 1].index if len(found) > ROWS else None
    return view.page("looked.html", days=days, more=more, newest=before is None)


PAGE = Page(
    "looked.title",
    (Route("/looked", _looked, "see"),),
    order=40,
    says=(*looks.SAYS, *naming.SAYS),
)
