"""Findings that are open: how many are overdue, urgent, given to the viewer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from oathward.core.db import read
from oathward.findings import views
from oathward.web import finding_acts as acts
from oathward.web.card import WAITS, Card

if TYPE_CHECKING:
    from oathward.web.view import View


def values(view: View) -> Mapping[str, Any] | None:
    """Count; nothing to say where nothing is open. What is the viewer's waits for them."""
    with read(view.site.engine) as db:
        counts = views.counts(db, view.site.site, view.now_us, acts.who(view))
    if not counts.open:
        return None
    return {"counts": counts, WAITS: counts.own if view.may("finding.change") else 0}


CARD = Card("card_findings.html", values, "findings.see", order=16)
