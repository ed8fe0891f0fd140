"""A clinician's first question: the patient in front of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from oathward.core.labels import Role
from oathward.web.card import Card

if TYPE_CHECKING:
    from oathward.web.view import View


def values(_view: View) -> Mapping[str, Any]:
    """Say nothing of anybody: only where to ask."""
    return {}


CARD = Card(
    "card_patient.html", values, "patient.find", first=frozenset({Role.CLINICIAN}), order=70, wide=True
)
