"""What of the register somebody should look at: live data without owner, agreement or assessment; what is overdue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from oathward import governing
from oathward.core.db import read
from oathward.core.labels import Role
from oathward.governance import views
from oathward.web.card import SLIM, Card
from oathward.web.governance_papers import place_of

if TYPE_CHECKING:
    from oathward.web.view import View

SHOWN_MAX = 5


def values(view: View) -> Mapping[str, Any] | None:
    """Look; a site without people has no owners yet, and is not told so every day."""
    if view.visit is None or not view.visit.person_id:
        return None
    with read(view.site.engine) as db:
        found = governing.findings(db, view.site, view.now_us, current=view.asking.active)
    return {"rows": found[:SHOWN_MAX], "summary": views.summary(found), "place": place_of, SLIM: not found}


CARD = Card(
    "card_governance.html",
    values,
    "governance.see",
    first=frozenset({Role.PRIVACY_OFFICER, Role.AUDITOR}),
    order=55,
)
