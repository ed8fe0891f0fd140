"""Withdrawals of which some process has not said, a second later, that it stopped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from oathward.core.labels import Role
from oathward.web.card import SLIM, WAITS, Card
from oathward.web.withdrawn import withdrawals

if TYPE_CHECKING:
    from oathward.web.view import View


def values(view: View) -> Mapping[str, Any] | None:
    """Count those not in effect everywhere; nothing to say where there are none."""
    unheard = withdrawals(view, days=1).unheard()
    if not unheard:
        return None
    links = sorted({link for one in unheard for link in one.unheard})
    return {"count": len(unheard), "links": links, WAITS: len(unheard), SLIM: True}


CARD = Card(
    "card_withdrawals.html", values, "withdrawals.see", first=frozenset({Role.PRIVACY_OFFICER}), order=11
)
