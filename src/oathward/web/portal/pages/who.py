"""Who can see my data, by purpose: each place, what it is for, and whether it may now; and what devices send past us.

Rules:
- Read from the policy in force and from what stands for the patient, with everyone they stand for after a merge.
- Where that cannot be read, the page says so; it never guesses.

Deliberately absent: changing anything (the choices have a page of their own), what labels of single messages take besides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward import uploading
from oathward.choosing import board
from oathward.core.errors import AuthorityError
from oathward.web.portal.page import Page, Route

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.web.portal.view import View


def _who(view: View) -> Response:
    assert view.seat is not None, "the frame lets nobody else here"
    bundle = view.policy.now()
    if bundle is None:
        return view.page("who.html", known=True, groups=[], uploads=[])
    subject = view.seat.subject
    try:
        shown = board(view.site, bundle, subject)
        uploads = uploading.of_patient(view.site, bundle, shown, subject)
    except AuthorityError:
        return view.page("who.html", known=False, groups=[], uploads=[])
    found = [(one, bundle.recipients[one.recipient].name) for one in shown.choices]
    groups = [(kind, [one for one in found if one[0].kind == kind]) for kind in ("care", "use", "law")]
    return view.page(
        "who.html", known=True, groups=[(kind, some) for kind, some in groups if some], uploads=uploads
    )


PAGE = Page("who.title", (Route("/who", _who, "see"),), order=20)
