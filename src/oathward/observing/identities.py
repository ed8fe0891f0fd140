"""Findings of identities that are claimed twice: told whenever a conflict may have come or been settled.

Rules:
- All open conflicts are told at once, so that what a person or a rule settled is cleared.
- Of more than are told at once (``findings.reconciling``) the last are told, and nothing is cleared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.core.clock import micros
from oathward.core.db import read
from oathward.core.finding import Raised
from oathward.endpoints import views
from oathward.endpoints.alone import alone
from oathward.findings.model import Told
from oathward.findings.reconciling import TOLD_MAX, reconcile

if TYPE_CHECKING:
    from oathward.endpoints.model import ConflictRow
    from oathward.vault.opened import Opened

SOURCE = "inventory"
"""Which part raises findings of identities."""


def tell(site: Opened) -> Told:
    """Tell the conflicts of identity that are open; those that were settled are cleared."""
    with alone(site.engine, site.site, "identities"):
        return _tell(site)


def _tell(site: Opened) -> Told:
    with read(site.engine) as db:
        found = views.open_conflicts(db, site.site, limit=TOLD_MAX + 1)
    terms, now_us = site.settings.findings, micros(site.clock.now())
    return reconcile(site.engine, site.site, SOURCE, map(_raised, found), terms, now_us)


def _raised(one: ConflictRow) -> Raised:
    details: dict[str, str | int] = {"claimed": one.mark, "sightings": one.times, "what": one.what}
    if one.other:
        details["other"] = f"endpoint:{one.other}"
    return Raised(one.kind, one.id, f"endpoint:{one.endpoint}", details=details)
