"""What a policy that came in force during a demo kept back: asked of the site's own records, for the judge.

Rules:
- Only what another policy than the first decided counts; what the first one keeps back is the judge's to call lost.
- A message is found by its device and by the time between its sending and its answer: a device sends one after the other.
- What a request holds has a record each patient, and which is whose is not told. So every record must be accounted for: no more
  stand than arrived, the first policy denied no more than were never due, and the others that say no are enough.
- Decided by the gateway, or taken back by the courier because of what was decided since.
- What arrived after it was kept back was permitted again where a policy in force when it went, asked again, permits it as it
  was; one that is not known any more permits nothing.

Deliberately absent: counting (the judge); anything where no second policy ever came in force.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

import orjson

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from oathward.activation import Active
    from oathward.consent.views import Known, Unknown
    from oathward.vault.sign import Verifier
    from oathward_sim.judge import Missing, Returned
    from oathward_sim.plan import Sent

_BEFORE = 2_000
"""So many records before the change are read: what was permitted just then may have been taken back on its way."""
_BLOCK = 2_048
_SLACK_US = 20_000
_ON_ITS_WAY_US = 5_000_000
"""What is recorded as delivered may have been asked about so long before."""


class Decided(NamedTuple):
    """One recorded decision about a message: by which policy, on which links it permitted, and of what facts and plans."""

    at_us: int
    message: str
    bundle: str
    permitted: frozenset[str]
    facts: tuple[str, ...] = ()


class InForce(NamedTuple):
    """A policy came in force."""

    record: int
    at_us: int
    label: str


@dataclass(slots=True)
class Withheld:
    """Looks through records as they come. ``first``: the label of the policy the demo began with; ``authority``: of its signatures."""

    engine: Engine
    site: str
    first: str
    authority: Verifier | None = None
    _next: int = -1
    _by_device: dict[str, list[Decided]] = field(default_factory=lambda: defaultdict(list))
    _in_force: list[InForce] = field(default_factory=list)
    _known: dict[str, Active] = field(default_factory=dict)

    def of(self, missing: Iterable[Missing]) -> list[tuple[str, str]]:
        """Say which of these were kept back by a later policy: link (a starter's link is called like its recipient), control id."""
        from oathward.core.db import read

        wanted = list(missing)
        if not wanted:
            return []
        with read(self.engine) as db:
            if not self._look(db):
                return []
            return [(one.recipient, one.sent.plan.control_id) for one in wanted if self._kept_back(db, one)]

    def permitted_again(self, returned: Iterable[Returned]) -> list[tuple[str, str]]:
        """Say which of what arrived though it was kept back a policy permitted that was in force when it went."""
        from oathward.core.db import read

        wanted = list(returned)
        if not wanted:
            return []
        with read(self.engine) as db:
            if not self._look(db):
                return []
            return [(one.recipient, one.sent.plan.control_id) for one in wanted if self._permitted(db, one)]

    def notice(self) -> None:
        """See which policy is in force; call it often: one that was replaced cannot be read any more."""
        from oathward.core.db import read

        with read(self.engine) as db:
            self._policies(db)

    def _policies(self, db: Connection) -> None:
        from oathward import ledger
        from oathward.activation import load_active
        from oathward.ledger import Query
        from oathward.vault.authority import Seen

        found = ledger.search(db, self.site, Query(kind="bundle.activated"), limit=1_000)
        self._in_force = [InForce(one.index, one.at_us, str(one.body["bundle"])) for one in reversed(found)]
        if self.authority is None or not found or self._in_force[-1].label in self._known:
            return
        active = load_active(db, self.site, self.authority, Seen())
        if active is not None:
            self._known[active.label] = active

    def _look(self, db: Connection) -> bool:
        """Read what was decided since the last time; says whether another policy ever came in force."""
        from oathward import ledger
        from oathward.ledger import scan

        self._policies(db)
        if len(self._in_force) < 2:
            return False
        if self._next < 0:
            self._next = max(0, self._in_force[1].record - _BEFORE)
        size = ledger.head(db, self.site).size
        for low in range(self._next, size, _BLOCK):
            for stored in scan.between(db, self.site, low, min(size, low + _BLOCK), ("message.accepted",)):
                self._take(*stored[2:])
        self._next = size
        return True

    def _take(self, at_us: int, message: str, entry: bytes) -> None:
        body = orjson.loads(entry)["body"]
        permitted = frozenset(answer[0] for answer in body["answers"] if answer[1] == "permit")
        one = Decided(at_us, message, body["bundle"], permitted, tuple(body.get("facts", ())))
        self._by_device[body["device"]].append(one)

    def _records(self, sent: Sent) -> list[Decided]:
        """Find what was decided of a request; by clocks that differ a little where none fits."""
        mine = self._by_device[sent.sender]
        for slack_us in (0, _SLACK_US):
            since_us, until_us = int(sent.first_s * 1e6) - slack_us, int(sent.answered_s * 1e6) + slack_us
            found = [one for one in mine if since_us <= one.at_us <= until_us]
            if found:
                return found
        return []

    def _kept_back(self, db: Connection, one: Missing) -> bool:
        said = Counter(self._said(db, one.recipient, record) for record in self._records(one.sent))
        accounted = said["stands"] <= one.came and said["denied"] <= one.spared
        return accounted and said["kept-back"] >= one.people

    def _said(self, db: Connection, link: str, one: Decided) -> Literal["stands", "denied", "kept-back"]:
        from oathward.messages import views

        if link not in one.permitted:
            return "denied" if one.bundle == self.first else "kept-back"
        rows = views.deliveries(db, one.message)
        back = any(row.link == link and row.state == "dead" and row.reason in views.WITHDRAWN for row in rows)
        return "kept-back" if back else "stands"

    def _permitted(self, db: Connection, one: Returned) -> bool:
        """Say whether everything of its request that was delivered on this link went under a policy that permits it."""
        from oathward.ledger import scan

        records = {record.message: record for record in self._records(one.sent)}
        went = [
            (stored.at_us, records[stored.message])
            for stored in scan.about(db, self.site, records, ("message.delivered",))
            if one.recipient in orjson.loads(stored.body)["links"]
        ]
        return bool(went) and all(
            any(self._permits(db, label, one.recipient, record, at_us) for label in self._then(at_us))
            for at_us, record in went
        )

    def _then(self, at_us: int) -> list[str]:
        """Name the policies in force when something was delivered, and shortly before."""
        ends = [*(later.at_us for later in self._in_force[1:]), at_us + 1]
        return [
            policy.label
            for policy, end_us in zip(self._in_force, ends, strict=True)
            if policy.at_us <= at_us and end_us > at_us - _ON_ITS_WAY_US
        ]

    def _permits(self, db: Connection, label: str, link: str, record: Decided, at_us: int) -> bool:
        """Ask a policy again about what was decided once; what its patient says now is the judge's to know."""
        from oathward import ledger
        from oathward.courier.recheck import Now, refused_now
        from oathward.messages.model import OutboxRow
        from oathward.plans import Plans
        from oathward.policy.model import Facts
        from oathward.vault.bodies import BodyRef

        if label == record.bundle and link in record.permitted:
            return True
        active, body = self._known.get(label), None
        if record.facts:
            body = ledger.facts(db, self.site, bytes.fromhex(record.facts[0]))
        if active is None or body is None:
            return False
        facts = Facts.from_body(body)
        if facts.consent_version is None or facts.consents is None:
            return False
        consents: dict[tuple[str, ...], Known | Unknown] = {("",): (facts.consent_version, facts.consents)}
        plans = Plans(active.bundle.profiles)
        now = Now(active.bundle, label, plans, consents, at_us, clock_sure=bool(facts.clock_sure))
        digest, nowhere = bytes.fromhex(record.facts[0]), BodyRef("", 0, 0, 0, b"")
        for plan in record.facts[1:]:
            row = OutboxRow(
                *("", self.site, record.message, link, "", "", "", nowhere),
                *(False, "", -1, digest, bytes.fromhex(plan), 0, 0),
            )
            if refused_now(db, self.site, row, now) is None:
                return True
        return False
