"""What the courier knows (policy, consents, merges, keys) and what it says of a row by that.

Rules:
- Consents and merges are looked at ten times a second (``watch``), the rest when ``load`` is called.
- What patients say that could not be read for a second starts nothing on links that are not for care.
- What needs a keeper that is away is left out: the row waits in its place.

Deliberately absent: feeds, lanes and wires, and when anything is asked.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from oathward.activation import Active, load_active
from oathward.consent import sql as consents_sql
from oathward.consent.noticed import Noticed, Version
from oathward.consent.views import Consents
from oathward.consent.watch import Watch
from oathward.core.clock import micros
from oathward.core.db import read
from oathward.core.errors import KeeperError, OathwardError, StorageError, VaultError
from oathward.core.reasons import Reason
from oathward.courier.feed import settled_error
from oathward.courier.model import Item
from oathward.courier.provenance import header_of, origins_of
from oathward.courier.recheck import Later, Now, refused_each
from oathward.courier.record import Settled
from oathward.courier.wires import check_form, sealed_for
from oathward.messages import sql as messages
from oathward.messages.model import OutboxRow
from oathward.patients import sql as patients
from oathward.patients.graph import Graph
from oathward.plans import Plans
from oathward.policy.model import Link, Recipient
from oathward.protocols.fhir.provenance import Origin
from oathward.vault.bodies import SegmentReader
from oathward.vault.envelope import Opened as Envelope
from oathward.vault.envelope import Opener
from oathward.vault.opened import Opened
from oathward.vault.table_store import TableStore

_KEYS_S = 60.0


class Moved(NamedTuple):
    """Consents or merges changed. ``seen_s``: when it was seen, of the monotonic clock; ``versions``: that were taken in."""

    seen_s: float
    versions: tuple[Version, ...] = ()


class Standing:
    """What stands for one site, as its courier knows it.

    Args:
        moved: told, on any thread, when consents or merges changed.
    """

    def __init__(self, site: Opened, moved: Callable[[Moved], None]) -> None:
        self.site, self._moved = site, moved
        self.counts: Counter[str] = Counter()
        self._graph, self._edge_count = Graph(), 0
        self.consents = Consents(site.site, site.authority, site.seen, family=self.family)
        self.consents.notice(Noticed(site.site, site.clock))
        self.bodies = _bodies(site)
        self.opener = Opener(site.keeper.outbox_keys())
        self._keys_at_s = time.monotonic()
        self.active: Active | None = None
        self._plans = Plans()
        self._origins: Mapping[str, Origin] = {}
        self._marks = (-1, -1)
        self._taking = threading.Lock()
        self.watch = Watch(self._look, site.settings.consent.poll_ms / 1000)

    def told(self, link: str) -> bool:
        """Whether a link's recipient is told of withdrawals."""
        bundle = self.active.bundle if self.active else None
        found = bundle.links.get(link) if bundle else None
        return (
            found is not None and bundle is not None and bundle.recipients[found.recipient].withdrawal_notice
        )

    def provenance(self, row: OutboxRow) -> str:
        """Say how a delivery was made, as the header of its request has it; empty where nothing is to be said."""
        return header_of(self._origins.get(row.link), row)

    def may_start(self, link: Link) -> bool:
        """Say whether anything of a link may be sent now."""
        return link.for_care or self.watch.fresh

    def load(self) -> bool:
        """Take in what changed, and say whether that was the bundle; call it about twice a second, off the event loop."""
        site = self.site
        self.watch.look()
        moved = False
        with read(site.engine) as db:
            self.consents.forget_unknown()
            active = load_active(db, site.site, site.authority, site.seen, current=self.active)
            in_use = messages.outbox_keys_in_use(db) if time.monotonic() - self._keys_at_s > _KEYS_S else None
        if in_use is not None:
            site.keeper.outbox_done(in_use)  # expired keys that no row needs are destroyed
            self.opener.renew(site.keeper.outbox_keys())
            self._keys_at_s = time.monotonic()
        if active is not self.active:
            self._plans = Plans(active.bundle.profiles if active else None)
            self._origins = origins_of(active.bundle) if active else {}
            moved = True
        self.active = active
        return moved

    def family(self, subject: str) -> tuple[str, ...]:
        """List everyone who is one person with a subject: what any of them said counts, as in the gateway."""
        graph = self._graph
        return graph.family(graph.effective(subject))

    def _look(self) -> None:
        """Take in other consents and merges, on any thread; where there are none it costs two small reads."""
        site = self.site
        with read(site.engine) as db, self._taking:
            marks = consents_sql.change_count(db, site.site), patients.edge_mark(db, site.site)
            if marks == self._marks:
                return
            moved = self.consents.refresh(db)
            edge_count = patients.edge_count(db, site.site)
            if edge_count != self._edge_count:
                self._graph, self._edge_count = Graph(patients.edges(db, site.site)), edge_count
                moved = True
            self._marks = marks
        if moved:
            self._moved(Moved(time.monotonic(), tuple(self.consents.take_versions())))

    def refused(self, rows: Sequence[OutboxRow]) -> list[Reason | Later | None]:
        """Say of each row whether it may still be sent; runs in a thread."""
        site, active, plans = self.site, self.active, self._plans
        assert active is not None
        if self._behind(active, rows):
            return [Later(Reason.BUNDLE_MISSING)] * len(rows)
        consents = {who: self.consents.of(site.engine, who) for who in {row.persons for row in rows}}
        at_us, sure = micros(site.clock.now()), site.clock.sure()
        now = Now(active.bundle, active.label, plans, consents, at_us, clock_sure=sure)
        return refused_each(site.engine, site.site, rows, now)

    def _behind(self, active: Active, rows: Sequence[OutboxRow]) -> bool:
        """Say whether another bundle is in force than this process has taken in, where rows were made under another one.

        By the bundle before, what the new one permits would be refused for good. Where it cannot be told they wait, too.
        """
        site = self.site
        if all(row.bundle == active.label for row in rows):
            return False
        try:
            with read(site.engine) as db:
                return load_active(db, site.site, site.authority, site.seen, current=active) is not active
        except OathwardError:
            return True

    def ready(self, link: Link, recipient: Recipient, rows: Sequence[OutboxRow]) -> list[Item | Settled]:
        """Check rows again and open them for the wire; runs in a thread."""
        if not link.for_care and not self.watch.sure():
            self.counts["postponed"] += len(rows)
            return []
        refused = self.refused(rows)
        sealed = iter(
            self.bodies.read_many([r.body for r, no in zip(rows, refused, strict=True) if no is None])
        )
        ready: list[Item | Settled] = []
        for row, reason in zip(rows, refused, strict=True):
            if isinstance(reason, Later):
                self.counts["postponed"] += 1
                continue
            try:
                if reason is not None:
                    raise OathwardError(row.link, reason=reason)
                ready.append(Item(row, self._body(recipient, row, next(sealed)), row.attempts))
            except KeeperError:
                # A key we have not seen. It is asked for again at the next look, and not for each row of this one.
                self.counts["postponed"] += 1
                break
            except OathwardError as error:
                ready.append(settled_error(row, error))
        return ready

    def _body(self, recipient: Recipient, row: OutboxRow, sealed: bytes | StorageError) -> bytes:
        if isinstance(sealed, StorageError):
            raise sealed
        if not row.end_to_end:
            opened = self._opened(sealed)
            if (opened.link, opened.outgoing_id, opened.site) != (row.link, row.id, row.site):
                raise VaultError(
                    row.link, "the sealed body is of another delivery", reason=Reason.SEAL_BROKEN
                )
            body = opened.data.reveal()
            check_form(recipient, row, body)
            return body
        return sealed_for(recipient, row, sealed, self.site.clock.now())

    def _opened(self, sealed: bytes) -> Envelope:
        try:
            return self.opener.open(sealed)
        except VaultError as error:
            if error.reason is not Reason.KEY_UNAVAILABLE:
                raise
            self.opener.renew(self.site.keeper.outbox_keys())  # sealed to a key of today that is new to us
            return self.opener.open(sealed)


def _bodies(site: Opened) -> SegmentReader | TableStore:
    if site.engine.dialect.name == "sqlite":
        return SegmentReader(site.settings.data / "bodies")
    return TableStore(site.engine, site.site, "outbox", "courier")
