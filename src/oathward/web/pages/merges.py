"""Merges that wait for a person: both subjects side by side, and the word that they are one, or two.

Rules:
- The cards of both are opened by the keeper for whoever may confirm, each on record; the list opens nothing.
- Why is one of a few codes: words about a patient stand in no record.
- What is confirmed is the edge that was shown, with its two subjects; a merge said again is another.

Deliberately absent: joins and links (they need no word), merging by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from oathward.bedside import card
from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.ledger import Query, search
from oathward.patients import actions, confirming, views
from oathward.web.page import Page, Route, named

if TYPE_CHECKING:
    from oathward.patients.views import EdgeView
    from oathward.web.view import View

ROWS_MAX = 500
FINDINGS_MAX = 500
WHYS = {
    "cards-agree": "name and birth date agree",
    "cards-differ": "name or birth date differ",
    "source-asked": "the source was asked",
    "patient-asked": "the patient was asked",
}
CONFIRMS = ("cards-agree", "source-asked", "patient-asked")
REFUSES = ("cards-differ", "source-asked", "patient-asked")
FINDINGS = {
    "patient.merge-celebrity": "others are curious about this patient",
    "patient.merge-storm": "its source merged many at once",
}


def show(view: View) -> Response:
    """List the merges that wait, newest first, with what was odd about each."""
    site, source = view.site, view.asked("source")
    with read(site.engine) as db:
        found = views.unconfirmed(db, site.site, site.authority, site.seen, limit=ROWS_MAX + 1)
        raised = [
            one
            for code in FINDINGS
            for one in search(db, site.site, Query(kind="finding.raised"), limit=FINDINGS_MAX)
            if one.body.get("finding") == code
        ]
    rows = [one for one in found if source in {"", one.source}]
    odd = {(one.subject, str(one.body["finding"])) for one in raised}
    stormy = {
        str(one.body.get("source", "")) for one in raised if one.body["finding"] == "patient.merge-storm"
    }
    return view.page(
        "merges.html",
        findings=FINDINGS,
        more=len(found) > ROWS_MAX,
        odd={row.id: _odd(row, odd, stormy) for row in rows},
        rows=rows[:ROWS_MAX],
        source=source,
        sources=sorted({one.source for one in found}),
    )


def one(view: View) -> Response:
    """Show both subjects of one merge."""
    row = _waiting(view)
    cards = view.site.keeper.patients.merge_cards(row.id, row.child, row.parent, view.proof)
    called = [card.called_of(one) if one is not None else None for one in cards]
    return view.page("merge.html", called=called, confirms=CONFIRMS, one=row, refuses=REFUSES, whys=WHYS)


def confirm(view: View) -> Response:
    """Say that the two are one."""
    row, why = _waiting(view), _why(view, CONFIRMS)
    confirm_edge(view, row, why)
    return view.go("/merges")


def refuse(view: View) -> Response:
    """Say that the two are two: the merge is undone."""
    row, why = _waiting(view), _why(view, REFUSES)
    refuse_edge(view, row, why)
    return view.go("/merges")


def confirm_edge(view: View, row: EdgeView, why: str) -> None:
    """Have the confirmation signed, and keep it."""
    site = view.site
    signed = site.keeper.patients.merge_sign(row.id, row.child, row.parent, view.proof)
    with write(site.engine) as db:
        confirming.store(db, site.site, signed, by=_who(view), why=why, now_us=view.now_us)


def refuse_edge(view: View, row: EdgeView, why: str) -> None:
    """Undo the merge."""
    with write(view.site.engine) as db:
        actions.unmerge(db, view.site.site, row.id, by=_who(view), reason=why, now_us=view.now_us)


def waiting(view: View, edge: str) -> EdgeView:
    """Give one merge that waits.

    Raises:
        InputError: ``not-found``.
    """
    site = view.site
    with read(site.engine) as db:
        found = views.unconfirmed(db, site.site, site.authority, site.seen, limit=100_000)
    row = next((one for one in found if one.id == edge), None)
    if row is None:
        raise InputError("edge", "no merge of this id waits", reason=Reason.NOT_FOUND)
    return row


def _waiting(view: View) -> EdgeView:
    return waiting(view, view.part("edge"))


def _odd(row: EdgeView, odd: set[tuple[str, str]], stormy: set[str]) -> list[str]:
    codes = (
        ["patient.merge-celebrity"]
        if {(s, "patient.merge-celebrity") for s in (row.child, row.parent)} & odd
        else []
    )
    return [*codes, *(["patient.merge-storm"] if row.source in stormy else [])]


def _why(view: View, known: tuple[str, ...]) -> str:
    why = view.form.get("why", "")
    if why not in known:
        raise InputError("why", "choose one", reason=Reason.INPUT_INVALID)
    return why


def _who(view: View) -> str:
    return view.who


PAGE = Page(
    "Merges",
    (
        Route("/merges", show, action="merge.confirm"),
        Route("/merges/{edge}", one, action="merge.confirm", thing=named("patient")),
        Route("/merges/{edge}/confirm", confirm, "POST", action="merge.confirm", thing=named("patient")),
        Route("/merges/{edge}/refuse", refuse, "POST", action="merge.confirm", thing=named("patient")),
    ),
    group="Decide",
    key="j",
    order=67,
)
