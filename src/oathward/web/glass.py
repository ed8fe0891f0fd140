"""Which broken glass a page stands under: for the banner on every page of that patient, and for what an open page forgets.

Deliberately absent: what it opens (the keeper decides with each opening).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.core.db import read
from oathward.vault import care, kept
from oathward.web import caring

if TYPE_CHECKING:
    from oathward.vault.keeper.client.glass import Broken
    from oathward.web.view import View


def of_patient(view: View, subject: str) -> Broken | None:
    """Give the glass that the viewer's session broke for this patient and that stands."""
    mine = view.site.keeper.glass.mine(view.proof)
    if not mine:
        return None
    with read(view.site.engine) as db:
        together = care.tied(db, view.site.site, subject, None)
    return next((one for one in mine if one.subject in together), None)


def of_message(view: View, message: str) -> tuple[str, Broken | None]:
    """Give the patient of a message whom the viewer cares for, and the glass that stands; empty where there is none."""
    names = [message, *(f"{message}.{number}" for number in range(1, caring.PARTS_MAX + 1))]
    with read(view.site.engine) as db:
        subjects = sorted({row.subject for row in kept.find(db, view.site.site, names)})
    cared = next((one for one in subjects if caring.relation(view, one) is not None), "")
    return cared, of_patient(view, cared) if cared else None
