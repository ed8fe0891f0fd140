"""What a policy that came in force during a demo kept back: asked of the site's own records, for the judge.

Rules:
- Only what another policy than the first decided counts; what the first one keeps back is the judge's to call lost.
- A message is found by its device and by the time between its sending and its answer: a device sends one after the other.
  Where several records fit, each must say it.
- Decided by the gateway, or taken back by the courier because of what was decided since.

Deliberately absent: counting (the judge); anything where no second policy ever came in force.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import orjson

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from oathward_sim.plan import Sent

_BEFORE = 2_000
"""So many records before the change are read: what was permitted just then may have been taken back on its way."""
_BLOCK = 2_048
_SLACK_US = 20_000


class Decided(NamedTuple):
    """One recorded decision about a message: by which policy, and on which links it permitted."""

    at_us: int
    message: str
    bundle: str
    permitted: frozenset[str]


@dataclass(slots=True)
class Withheld:
    """Looks through records as they come. ``first``: the label of the policy the demo began with."""

    engine: Engine
    site: str
    first: str
    _next: int = -1
    _by_device: dict[str, list[Decided]] = field(default_factory=lambda: defaultdict(list))

    def of(self, missing: Iterable[tuple[str, Sent]]) -> list[tuple[str, str]]:
        """Say which of these were kept back by a later policy: link (a starter's link is called like its recipient), control id."""
        from oathward.core.db import read

        wanted = list(missing)
        if not wanted:
            return []
        with read(self.engine) as db:
            if not self._look(db):
                return []
            return [(link, sent.plan.control_id) for link, sent in wanted if self._kept_back(db, link, sent)]

    def _look(self, db: Connection) -> bool:
        """Read what was decided since the last time; says whether another policy ever came in force."""
        from oathward import ledger
        from oathward.ledger import Query, scan

        if self._next < 0:
            activations = ledger.search(db, self.site, Query(kind="bundle.activated"), limit=1_000)
            if len(activations) < 2:
                return False
            self._next = max(0, activations[-2].index - _BEFORE)
        size = ledger.head(db, self.site).size
        for low in range(self._next, size, _BLOCK):
            for stored in scan.between(db, self.site, low, min(size, low + _BLOCK), ("message.accepted",)):
                self._take(*stored[2:])
        self._next = size
        return True

    def _take(self, at_us: int, message: str, entry: bytes) -> None:
        body = orjson.loads(entry)["body"]
        permitted = frozenset(answer[0] for answer in body["answers"] if answer[1] == "permit")
        one = Decided(at_us, message, body["bundle"], permitted)
        self._by_device[body["device"]].append(one)

    def _kept_back(self, db: Connection, link: str, sent: Sent) -> bool:
        since_us, until_us = int(sent.first_s * 1e6) - _SLACK_US, int(sent.answered_s * 1e6) + _SLACK_US
        found = [one for one in self._by_device[sent.sender] if since_us <= one.at_us <= until_us]
        return bool(found) and all(self._said_no(db, link, one) for one in found)

    def _said_no(self, db: Connection, link: str, one: Decided) -> bool:
        from oathward.messages import views

        if link not in one.permitted:
            return one.bundle != self.first
        rows = views.deliveries(db, one.message)
        return any(row.link == link and row.state == "dead" and row.reason in views.WITHDRAWN for row in rows)
