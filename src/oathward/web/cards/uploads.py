"""Uploads past Oathward that go on without the patient's yes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from oathward.core.db import read
from oathward.core.labels import Role
from oathward.uploads import views
from oathward.uploads.model import Answer
from oathward.web.card import Card

if TYPE_CHECKING:
    from oathward.web.view import View


def values(view: View) -> Mapping[str, Any] | None:
    """Count them; nothing to say where there is none."""
    with read(view.site.engine) as db:
        wrong = views.wrong(db, view.site.site)
    if not any(wrong.values()):
        return None
    return {"denied": wrong[Answer.DENIED], "never": wrong[Answer.NEVER_ASKED]}


CARD = Card(
    "card_uploads.html",
    values,
    "uploads.see",
    first=frozenset({Role.PRIVACY_OFFICER, Role.SECURITY_ANALYST}),
    order=14,
)
