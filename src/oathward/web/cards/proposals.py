"""Changes of policy that wait: for whoever may approve them, and for whoever wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from oathward.changes.model import ProposalState
from oathward.core.db import read
from oathward.core.labels import Role
from oathward.people import views as people
from oathward.proposing.turns import open_rows, turn_of
from oathward.web.card import SLIM, WAITS, Card

if TYPE_CHECKING:
    from oathward.web.view import View

SHOWN_MAX = 5


def values(view: View) -> Mapping[str, Any] | None:
    """List what waits for the viewer; a site without people has no proposals."""
    if not view.actor.id:
        return None
    rows = open_rows(view.site)
    mine = [(row, turn) for row in rows if (turn := turn_of(row, view.actor.id, view.may))]
    with read(view.site.engine) as db:
        names = people.names(db, view.site.site, {row.proposer for row, _ in mine})
    if not rows:
        return None
    shown = [(row, turn, names.get(row.proposer, row.proposer)) for row, turn in mine[:SHOWN_MAX]]
    waits = sum(row.state is not ProposalState.DRAFT for row, _ in mine)
    return {"rows": shown, "waiting": len(rows), SLIM: not shown, WAITS: waits}


CARD = Card(
    "card_proposals.html",
    values,
    "policy.see",
    first=frozenset({Role.PRIVACY_OFFICER, Role.SECURITY_ANALYST, Role.INTEGRATION_ENGINEER}),
    order=15,
)
