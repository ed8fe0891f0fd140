"""Findings about processes that hung: the supervisor says them in its status, the ledger keeps them.

Rules:
- One record a hang, by the id the supervisor gave it; what the ledger has already is not written again.

Deliberately absent: ending and starting processes (``supervisor``).
"""

from __future__ import annotations

from typing import Any

from oathward import ledger
from oathward.core.clock import micros
from oathward.core.db import read, write
from oathward.core.process import SUPERVISOR, statuses
from oathward.ledger import Query, Record, prepare
from oathward.vault.opened import Opened

FINDING = "process.hung"
_LOOK_BACK_RECORDS = 500


class Hangs:
    """What of the supervisor's list is in the ledger."""

    def __init__(self, site: Opened) -> None:
        self._site = site
        self._known: set[str] | None = None

    def record(self) -> int:
        """Write what is new; gives how many."""
        status = statuses(self._site.settings.run_folder).get(SUPERVISOR, {})
        said = [one for one in status.get("hung") or () if isinstance(one, dict)]
        if self._known is None and said:
            self._known = self._recorded()
        new = [one for one in said if one.get("id") not in (self._known or ())]
        if new:
            at_us = micros(self._site.clock.now())
            with write(self._site.engine) as db:
                ledger.append(
                    db, self._site.site, [prepare(Record("finding.raised", _body(o), at_us)) for o in new]
                )
            self._known = (self._known or set()) | {str(one["id"]) for one in new}
        return len(new)

    def _recorded(self) -> set[str]:
        """Ids of earlier findings: this process may be the one that hung."""
        with read(self._site.engine) as db:
            found = ledger.search(db, self._site.site, Query(kind="finding.raised"), limit=_LOOK_BACK_RECORDS)
        return {str(entry.body["id"]) for entry in found if entry.body.get("finding") == FINDING}


def _body(hang: dict[str, Any]) -> dict[str, Any]:
    return {
        "finding": FINDING,
        "about": str(hang.get("role", "")),
        "id": str(hang.get("id", "")),
        "part": str(hang.get("part", "")),
        "silent_ms": int(float(hang.get("silent_s", 0.0)) * 1000),
    }
