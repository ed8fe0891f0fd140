"""What is proven: how many records there are, how far a signed and a witnessed checkpoint reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from oathward.core.labels import Role
from oathward.web import standing
from oathward.web.card import Card

if TYPE_CHECKING:
    from oathward.web.view import View


def values(view: View) -> Mapping[str, Any]:
    """Count the records."""
    return {"found": standing.standing(view.site, view.now)}


CARD = Card(
    "card_proven.html",
    values,
    "ledger.see",
    first=frozenset({Role.AUDITOR, Role.PRIVACY_OFFICER}),
    order=60,
    wide=True,
)
