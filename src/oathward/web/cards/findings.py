"""Findings that are open: how many are overdue, urgent, given to the viewer; the first of the viewer's own, or of all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from oathward.core.db import read
from oathward.core.finding_kinds import KINDS
from oathward.core.labels import Role
from oathward.findings import views
from oathward.findings.model import Filters
from oathward.web import finding_acts as acts
from oathward.web.card import WAITS, Card
from oathward.web.pages.findings import LEVELS

if TYPE_CHECKING:
    from oathward.web.view import View

SHOWN_MAX = 5


def values(view: View) -> Mapping[str, Any] | None:
    """Count; nothing to say where nothing is open. What is the viewer's waits for them."""
    with read(view.site.engine) as db:
        counts = views.counts(db, view.site.site, view.now_us, acts.who(view))
        if not counts.open:
            return None
        wanted = Filters(owner=acts.who(view)) if counts.own else Filters()
        rows = views.listed(db, view.site.site, wanted, view.now_us, limit=SHOWN_MAX).rows
        names = acts.names(db, view, [one.about for one in rows])
    return {
        "counts": counts,
        "kinds": KINDS,
        "levels": LEVELS,
        "names": names,
        "rows": rows,
        WAITS: counts.own if view.may("finding.change") else 0,
    }


CARD = Card(
    "card_findings.html",
    values,
    "findings.see",
    first=frozenset({Role.CLINICAL_ENGINEER, Role.SECURITY_ANALYST}),
    order=16,
)
