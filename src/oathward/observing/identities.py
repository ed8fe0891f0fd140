"""Findings of identities that are claimed twice: told whenever a conflict may have come or been settled.

Rules:
- All open conflicts are told at once, so that what a person or a rule settled is cleared.
- Of more than ``CONFLICTS_MAX`` the last are told, and nothing is cleared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.core.clock import micros
from oathward.core.db import GROUP_ROWS_MAX, read, write
from oathward.core.finding import Raised
from oathward.endpoints import views
from oathward.endpoints.alone import alone
from oathward.findings import actions
from oathward.findings.model import Told
from oathward.findings.reconciling import reconcile

if TYPE_CHECKING:
    from oathward.endpoints.model import ConflictRow
    from oathward.vault.opened import Opened

SOURCE = "inventory"
"""Which part raises findings of identities."""

CONFLICTS_MAX = 10_000


def tell(site: Opened) -> Told:
    """Tell the conflicts of identity that are open; those that were settled are cleared."""
    with alone(site.engine, site.site, "identities"):
        return _tell(site)


def _tell(site: Opened) -> Told:
    with read(site.engine) as db:
        found = views.open_conflicts(db, site.site, limit=CONFLICTS_MAX + 1)
    seen = [_raised(one) for one in found[:CONFLICTS_MAX]]
    terms, now_us = site.settings.findings, micros(site.clock.now())
    if len(found) <= CONFLICTS_MAX:
        return reconcile(site.engine, site.site, SOURCE, seen, terms, now_us)
    told = Told()
    for start in range(0, len(seen), GROUP_ROWS_MAX):
        with write(site.engine) as db:
            some = seen[start : start + GROUP_ROWS_MAX]
            told += actions.raise_(db, site.site, SOURCE, some, terms, now_us)
    return told


def _raised(one: ConflictRow) -> Raised:
    details: dict[str, str | int] = {"claimed": one.mark, "times": one.times}
    if one.other:
        details["other"] = f"endpoint:{one.other}"
    return Raised(one.kind, one.id, f"endpoint:{one.endpoint}", details=details)
