"""The open keeper: its store, its keys, the site's database, and what all operations need.

Rules:
- One object a process; the store's lock sees to one process a site.
- It serves only with the trust anchor that was pinned, and only when its store lacks no erasure that the
  published list or the outside witness knows.
- Every refusal to open and every opening is recorded before it is answered (``opening``).

Deliberately absent: sockets (``server``), and rules of single operations.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from oathward import ledger
from oathward.core.clock import Clock, micros
from oathward.core.db import connect, create_tables, write
from oathward.core.errors import AuthorityError, KeeperError, LedgerError
from oathward.core.reasons import Reason
from oathward.core.settings import Settings
from oathward.ledger import Record
from oathward.policy.access import Rules
from oathward.vault.authority import Seen, trust_anchor
from oathward.vault.bodies import BodyRef, SegmentReader
from oathward.vault.keeper import keyring, subjects, tombstones, witnessing
from oathward.vault.keeper.copying.progress import Progress
from oathward.vault.keeper.orders import Orders
from oathward.vault.keeper.portal.desk import Desk
from oathward.vault.keeper.sign_in.entrance import Entrance
from oathward.vault.keeper.sign_in.sessions import Sessions
from oathward.vault.keeper.store import Store
from oathward.vault.table_store import TableStore

if TYPE_CHECKING:
    from oathward.vault.keeper.changing.papers import Register
    from oathward.vault.keeper.projects import Looked

log = structlog.get_logger()


class BodyReader(Protocol):
    """Where sealed originals are read from."""

    def read(self, ref: BodyRef) -> bytes:
        """Give the sealed bytes."""


class Keeper:
    """The keeper of one site.

    Args:
        register: where it sees what a change of policy must bring along; without one it takes no such change.

    Raises:
        KeeperError: another process is the keeper, or this store is an old copy that cannot be mended.
        VaultError: no key store, or its site key does not fit.
        AuthorityError: the pinned authority key is not this keeper's.
    """

    job_checked: tuple[str, str, float] | None = None
    """Of jobs the person and project that were looked at last, and when, by ``monotonic``."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        register: Register | None = None,
    ) -> None:
        self.settings = settings
        self.register = register
        self.site = settings.site.name
        self.store = Store(settings.keeper_folder)
        try:
            self.clock = clock or Clock(settings.keeper_folder / "clock")
            self.authority = keyring.signer(self.store, "authority", self.site)
            self.ledger_key = keyring.signer(self.store, "ledger", self.site)
            self.tombstone_key = keyring.signer(self.store, "tombstones", self.site)
            self._check_anchor()
            self.behind: KeeperError | None = None
            self.witness = witnessing.Line(settings, self.tombstone_key) if settings.witness.address else None
            self.confirmed = self.witness is None
            self.engine = connect(settings.database_url)
            create_tables(self.engine)
            self.guard = threading.Lock()
            self.copying = threading.Lock()  # one emergency copy at a time
            self.copy_asked: Progress | None = None
            self.seeds_issued: Counter[tuple[str, str]] = Counter()  # by project, and person of a job
            self.identified: deque[float] = (
                deque()
            )  # when identities were opened for notices, by ``monotonic``
            limits = settings.console
            self.sessions = Sessions(
                *(
                    limits.link_minutes_max * 60,
                    limits.idle_minutes_max * 60,
                    limits.session_hours_max * 3_600,
                ),
                renew_s=settings.people.rotate_minutes * 60,
                fresh_s=settings.people.step_up_minutes * 60,
                monotonic=monotonic,
            )
            self.monotonic = monotonic
            self.glasses: dict[str, float] = {}  # until when each that was broken stands, by ``monotonic``
            self.entrance = Entrance(monotonic=monotonic)
            self.holders = _holders(settings, monotonic)
            self.desk = Desk(settings.portal.code_minutes_max * 60, monotonic)
            self.orders = Orders()
            self.seen = Seen()
            self.rules: tuple[bytes | None, Rules] | None = None  # with the bundle they are of
            self.projects: Looked | None = None
            self.bodies: BodyReader = (
                SegmentReader(settings.data / "bodies")
                if self.engine.dialect.name == "sqlite"
                else TableStore(self.engine, self.site)
            )
            self._catch_up()
            try:
                self.ask_witness()
            except LedgerError as error:
                log.warning("witness not asked: nothing is opened until it is", reason=error.reason.code)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give up the store and its lock."""
        self.store.close()
        if hasattr(self, "engine"):
            self.engine.dispose()

    def now_us(self) -> int:
        """Give server time."""
        return micros(self.clock.now())

    def record(self, records: Sequence[Record]) -> None:
        """Append records, durable on return.

        Raises:
            StorageError: they are not written; what they are about may not be answered.
        """
        leaves = [ledger.prepare(record) for record in records]
        with write(self.engine) as db:
            ledger.append(db, self.site, leaves)

    def note(self, kind: str, body: Mapping[str, Any], **places: Any) -> None:
        """Append one record of now."""
        self.record([Record(kind, body, self.now_us(), **places)])

    def publish_tombstones(self) -> None:
        """Bring the published list of erasures up to what the store holds."""
        path = tombstones.path_of(self.settings.data)
        with self.guard:
            listed = len(tombstones.read_list(path, self.site, self.authority))
            new = subjects.tombstones(self.store, after=listed)
            if new:
                tombstones.publish(path, [tombstones.line(t, self.site, self.authority) for t in new])

    def record_erasures(self) -> None:
        """Write the record of every erasure that has none yet."""
        with self.store.guard:
            rows = self.store.rows(
                "SELECT serial, key_id, at_us, reason FROM tombstone WHERE recorded = 0 ORDER BY serial"
            )
            if not rows:
                return
            self.record(
                [
                    Record("key.destroyed", {"key": key_id, "reason": why, "tombstone": serial}, at_us)
                    for serial, key_id, at_us, why in rows
                ]
            )
            with self.store.transaction():
                self.store.many(
                    "UPDATE tombstone SET recorded = 1 WHERE serial = ?", [(serial,) for serial, *_ in rows]
                )

    def ask_witness(self) -> None:
        """Compare our erasures with the witness's count, and hand over what it lacks.

        Raises:
            KeeperError: this store is an old copy; it serves nothing any more.
            LedgerError: the witness cannot be reached, or refuses.
        """
        if self.witness is None:
            return
        tree = witnessing.Tree.of(self.store, self.site, self.authority, self.tombstone_key.name)
        held = self.witness.held()
        try:
            witnessing.check_not_behind(tree, held)
        except KeeperError as error:
            self.behind = error
            raise
        self.behind, self.confirmed = None, True
        if len(tree.leaves) > held.size:
            self.witness.hand_over(tree, held.size)

    def _check_anchor(self) -> None:
        if trust_anchor(self.settings).public != self.authority.public:
            raise AuthorityError("trust/authority.pub", "is not this keeper's key")

    def _catch_up(self) -> None:
        """Bury what a restored store lacks, before anything is served."""
        path = tombstones.path_of(self.settings.data)
        tombstones.mend(path)
        listed = tombstones.read_list(path, self.site, self.authority)
        held = subjects.count(self.store)
        for own, known in zip(subjects.tombstones(self.store), listed, strict=False):
            if own.digest != known.digest:
                raise KeeperError(
                    f"tombstone {own.serial}", "the store and the list differ", reason=Reason.CONFLICT
                )
        missing = listed[held:]
        if missing:
            with self.store.transaction():
                for tombstone in missing:
                    subjects.bury(self.store, tombstone, recorded=True)
            self.store.forget_deleted()
            log.warning("keeper store was an old copy", tombstones_buried=len(missing))
            self.note("key.destroyed", {"count": len(missing), "reason": "keeper.restored"})
        self.publish_tombstones()
        self.record_erasures()


def _holders(settings: Settings, monotonic: Callable[[], float]) -> Sessions:
    """Make the book of the portal's sessions: apart from staff's, and shorter."""
    limits = settings.portal
    idle_s, whole_s = limits.idle_minutes_max * 60, limits.session_hours_max * 3_600
    return Sessions(0.0, idle_s, whole_s, renew_s=settings.people.rotate_minutes * 60, monotonic=monotonic)
