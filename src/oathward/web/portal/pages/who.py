"""Who can see my data, by purpose: each place, what it is for, and whether it may now, by what the patient said.

Rules:
- Read from the policy in force and from what stands for the patient, with everyone they stand for after a merge.
- Where that cannot be read, the page says so; it never guesses.

Deliberately absent: changing anything (the choices have a page of their own), what labels of single messages take besides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.choosing import board
from oathward.core.errors import AuthorityError
from oathward.web.portal.page import Page, Route

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.consent.choices import Choice
    from oathward.web.portal.view import View


def _who(view: View) -> Response:
    found = _places(view)
    if found is None:
        return view.page("who.html", known=False, groups=[])
    groups = [(kind, [one for one in found if one[0].kind == kind]) for kind in ("care", "use", "law")]
    return view.page("who.html", known=True, groups=[(kind, some) for kind, some in groups if some])


def _places(view: View) -> list[tuple[Choice, str]] | None:
    """List each use of the data with its place's name; None where it is not known what the patient said."""
    assert view.seat is not None, "the frame lets nobody else here"
    bundle = view.policy.now()
    if bundle is None:
        return []
    try:
        shown = board(view.site, bundle, view.seat.subject)
    except AuthorityError:
        return None
    return [(one, bundle.recipients[one.recipient].name) for one in shown.choices]


PAGE = Page("who.title", (Route("/who", _who, "see"),), order=20)
