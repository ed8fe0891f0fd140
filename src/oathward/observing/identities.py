"""Findings of identities that are claimed twice, and of sources that flood the inventory: told whenever a conflict may have come or been settled.

Rules:
- All open conflicts are told at once, so that what a person or a rule settled is cleared.
- A flood is told first, for as long as it was read within ``flooding.REMEMBERED_US``.
- Of more than are told at once (``findings.reconciling``) the last are told, and nothing is cleared.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from oathward.core.clock import from_micros, iso, micros
from oathward.core.db import read
from oathward.core.finding import Raised
from oathward.endpoints import views
from oathward.endpoints.alone import alone
from oathward.endpoints.flooding import usual
from oathward.endpoints.newcomers import floods
from oathward.findings.model import Told
from oathward.findings.reconciling import TOLD_MAX, reconcile

if TYPE_CHECKING:
    from oathward.endpoints.model import ConflictRow, SourceRow
    from oathward.vault.opened import Opened

SOURCE = "inventory"
"""Which part raises findings of identities."""


def tell(site: Opened) -> Told:
    """Tell the conflicts of identity that are open; those that were settled are cleared."""
    with alone(site.engine, site.site, "identities"):
        return _tell(site)


def _tell(site: Opened) -> Told:
    now_us = micros(site.clock.now())
    with read(site.engine) as db:
        found = views.open_conflicts(db, site.site, limit=TOLD_MAX + 1)
        flooding = floods(db, site.site, now_us)
    seen = chain(map(_flood, flooding), map(_raised, found))
    return reconcile(site.engine, site.site, SOURCE, seen, site.settings.findings, now_us)


def _flood(one: SourceRow) -> Raised:
    details: dict[str, str | int] = {
        "held back": one.held,
        "heard again": one.taken,
        "usual in an hour": usual(one),
        "first": iso(from_micros(one.from_us)),
        "last": iso(from_micros(one.until_us)),
        "realm": one.realm,
        "segment": one.segment,
    }
    return Raised("source.flood", f"{one.realm}|{one.source}", f"source:{one.source}", details=details)


def _raised(one: ConflictRow) -> Raised:
    details: dict[str, str | int] = {"claimed": one.mark, "sightings": one.times, "what": one.what}
    if one.other:
        details["other"] = f"endpoint:{one.other}"
    return Raised(one.kind, one.id, f"endpoint:{one.endpoint}", details=details)
