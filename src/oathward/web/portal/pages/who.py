"""Who can see my data, by purpose: each place, what it is for, and whether it may now, by what the patient said.

Rules:
- Read from the policy in force and from what stands for the patient, with everyone they stand for after a merge.
- Where that cannot be read, the page says so; it never guesses.

Deliberately absent: changing anything (the choices have a page of their own), what labels of single messages take besides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.activation import load_active
from oathward.consent.choices import Choice, choices_of
from oathward.consent.model import Statement
from oathward.consent.views import Consents
from oathward.core.db import read
from oathward.patients import views as patients
from oathward.web.portal.page import Page, Route

if TYPE_CHECKING:
    from starlette.responses import Response

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
    site, subject = view.site, view.seat.subject
    with read(site.engine) as db:
        active = load_active(db, site.site, site.authority, site.seen)
        family = patients.family(db, site.site, subject)
        consents = Consents(site.site, site.authority, site.seen, family=lambda _: family)
        consents.refresh(db)
    if active is None:
        return []
    _, facts = consents.of(site.engine, (subject,))
    if facts is None:
        return None
    bundle = active.bundle
    kept = {bundle.keep.id} if bundle.keep else set()
    said = [Statement(fact) for fact in facts]
    found = [one for one in choices_of(bundle, said, view.now_us) if not kept.issuperset(one.links)]
    return [(one, bundle.recipients[one.recipient].name) for one in found]


PAGE = Page("who.title", (Route("/who", _who, "see"),), order=20)
