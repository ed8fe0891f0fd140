"""Changes of policy that wait: for whoever may approve them, and for whoever wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from oathward.changes import views
from oathward.changes.model import OPEN, ProposalState
from oathward.core.db import read
from oathward.core.labels import Role
from oathward.people import views as people
from oathward.policy.access import Thing
from oathward.web.card import SLIM, WAITS, Card

if TYPE_CHECKING:
    from oathward.changes.model import ProposalRow
    from oathward.web.view import View

SHOWN_MAX = 5
READ_MAX = 50


def values(view: View) -> Mapping[str, Any] | None:
    """List what waits for the viewer; a site without people has no proposals."""
    if not view.actor.id:
        return None
    with read(view.site.engine) as db:
        rows = views.unassessed(db, view.site.site) + views.proposals(
            db, view.site.site, states=OPEN, limit=READ_MAX
        )
        mine = [(row, turn) for row in rows if (turn := _turn(view, row))]
        names = people.names(db, view.site.site, {row.proposer for row, _ in mine})
    if not rows:
        return None
    shown = [(row, turn, names.get(row.proposer, row.proposer)) for row, turn in mine[:SHOWN_MAX]]
    waits = sum(row.state is not ProposalState.DRAFT for row, _ in mine)
    return {"rows": shown, "waiting": len(rows), SLIM: not shown, WAITS: waits}


def _turn(view: View, row: ProposalRow) -> str:
    """Say what the viewer can do about it; empty where it is somebody else's turn."""
    own, about = row.proposer == view.actor.id, Thing("proposal", row.id, owner=row.proposer)
    if row.unassessed or row.state is ProposalState.PROPOSED:
        may = not own and view.may("policy.approve", about)
        return ("assess it" if row.unassessed else "approve or refuse it") if may else ""
    if row.state is ProposalState.APPROVED:
        return "put it in force" if view.may("policy.activate", about) else ""
    return "go on with your draft" if own else ""


CARD = Card(
    "card_proposals.html",
    values,
    "policy.see",
    first=frozenset({Role.PRIVACY_OFFICER, Role.SECURITY_ANALYST, Role.INTEGRATION_ENGINEER}),
    order=15,
)
