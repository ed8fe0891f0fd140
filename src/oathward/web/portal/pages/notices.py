"""Notices: what happened with this patient's data, newest first, as the ledger has it.

Rules:
- Read anew from the records; nothing of it is kept elsewhere, and reading marks nothing as read.
- Only of the patient the viewer looks at (``records``).

Deliberately absent: openings in the course of care (*Who looked and why*).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.core.db import read
from oathward.web.portal import naming, records, told
from oathward.web.portal.page import Page, Route

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.web.portal.view import View

ROWS = 25


def _notices(view: View) -> Response:
    before = records.before_of(view)
    with read(view.site.engine) as db:
        found = records.about(view, db, told.TOLD, before=before, limit=ROWS + 1)
    more = found[ROWS - 1].index if len(found) > ROWS else None
    rows = list(told.notices(view, found[:ROWS]))
    return view.page("notices.html", rows=rows, more=more, newest=before is None)


PAGE = Page(
    "notices.title",
    (Route("/notices", _notices, "see"),),
    order=70,
    says=(*told.SAYS, *naming.SAYS),
)
