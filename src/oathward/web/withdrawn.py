"""What page, card and API of withdrawals read, once.

Rules:
- Subject ids are for those who may ask of a patient who may see what (``consent.explain``); others see that something was
  withdrawn, on which links and how fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.consent.withdrawals import DAYS, Withdrawals
from oathward.core.db import read
from oathward.patients import views as patients

if TYPE_CHECKING:
    from oathward.web.view import View


def withdrawals(view: View, *, days: int = DAYS, subject: str = "") -> Withdrawals:
    """Read what was withdrawn in the last days."""
    site, active = view.site, view.asking.active
    with read(site.engine) as db:
        return Withdrawals(
            db,
            site.site,
            bundle=active.bundle if active is not None else None,
            bundle_us=active.at_us if active is not None else 0,
            family=lambda one: patients.family(db, site.site, one),
            now_us=view.now_us,
            days=days,
            subject=subject,
        )


def sees_whose(view: View) -> bool:
    """Say whether the viewer may see whose withdrawal it was."""
    return view.may("consent.explain")
