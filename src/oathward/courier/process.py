"""The courier process: one look for all links, one feed a link, one recorder, and an eye on policy and consent.

Rules:
- One courier a site: a lock file says so (tier 1); a second one ends at once.
- A new bundle, a changed consent or merge makes every feed read its rows again and decide anew.
- A link whose recipient's certificate or ours is not accepted raises a finding once; its rows wait.
- While policy or consents cannot be read, nothing leaves. What needs a keeper that is away waits in its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from oathward.activation import Active, load_active
from oathward.consent.views import Consents
from oathward.core.clock import micros
from oathward.core.db import GROUP_ROWS_MAX, read
from oathward.core.errors import AuthorityError, KeeperError, OathwardError, StorageError, VaultError
from oathward.core.process import Status, told_to_stop
from oathward.core.reasons import BY_CODE, Reason
from oathward.courier.feed import Feed, settled_error
from oathward.courier.look import Look
from oathward.courier.model import Delivered, Item
from oathward.courier.recheck import Later, Now, refused_each
from oathward.courier.record import Recorder, Settled, record_trouble
from oathward.courier.wires import check_form, sealed_for, wires_of
from oathward.messages import sql as messages
from oathward.messages.model import OutboxRow
from oathward.patients import sql as patients
from oathward.patients.graph import Graph
from oathward.plans import Plans
from oathward.policy.model import Link, Recipient
from oathward.vault.bodies import SegmentReader
from oathward.vault.envelope import Opened as Envelope
from oathward.vault.envelope import Opener
from oathward.vault.opened import Opened
from oathward.vault.table_store import TableStore

_REFRESH_S = 0.5
_KEYS_S = 60.0
_DRAIN_S = 5.0
_FOR_PEOPLE = frozenset({Reason.RECIPIENT_DISTRUSTS.code, Reason.RECIPIENT_UNTRUSTED.code})
"""Troubles of a link that do not pass by themselves."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Running:
    """A feed, its task, and the link and recipient it was started for."""

    feed: Feed
    task: asyncio.Task[None]
    declared: tuple[Link, Recipient]


class Courier:
    """The deliveries of one site."""

    def __init__(self, site: Opened) -> None:
        self.site = site
        self.counts: Counter[str] = Counter()
        self._graph, self._edge_count = Graph(), 0
        self.consents = Consents(site.site, site.authority, site.seen, family=self._family)
        self.bodies = _bodies(site)
        self.opener = Opener(site.keeper.outbox_keys())
        self._keys_at_s = time.monotonic()
        self.active: Active | None = None
        self._plans = Plans()
        self.trouble = ""
        self._feeds: dict[str, _Running] = {}
        self._settling: set[int] = set()
        self._unusable: dict[str, str] = {}
        self._said: dict[str, str] = {}
        self._noted: dict[str, Reason] = {}
        self._loop = asyncio.get_running_loop()
        self._turns_before = 0
        limits = site.settings.courier
        look = Look(site.engine, limits.poll_s, self._arrived)
        self._looking = asyncio.create_task(look.run())
        self._recorder = Recorder(
            site.engine,
            site.site,
            site.clock,
            self._recorded,
            group_max=min(limits.batch_rows, GROUP_ROWS_MAX),
            group_delay_s=limits.group_delay_ms / 1000,
        )

    async def refresh(self) -> None:
        """Take in what changed: other links get other feeds, every waiting row is decided anew."""
        try:
            moved = await asyncio.to_thread(self._load)
            self.trouble = ""
        except (AuthorityError, StorageError, KeeperError) as error:
            self.trouble = error.reason.code
            log.error("courier.trouble", trouble=self.trouble)
            await self._stop_feeds(list(self._feeds))
            return
        await self._follow_bundle()
        if moved:
            for feed in self._feeds.values():
                feed.feed.reconsider()

    async def _follow_bundle(self) -> None:
        """Stop feeds whose link or recipient is not what it was, or that ended; start those that are missing."""
        wanted = self._wanted()
        for name, feed in self._feeds.items():
            if feed.task.done():
                log.error("courier.feed", link=name, trouble=type(feed.task.exception()).__name__)
        await self._stop_feeds(
            [n for n, feed in self._feeds.items() if wanted.get(n) != feed.declared or feed.task.done()]
        )
        for name, declared in wanted.items():
            if name not in self._feeds:
                self._start(declared)

    def _wanted(self) -> dict[str, tuple[Link, Recipient]]:
        if self.active is None:
            return {}
        bundle = self.active.bundle
        pairs = ((link, bundle.recipients[link.recipient]) for link in bundle.links.values())
        return {link.id: (link, recipient) for link, recipient in pairs if recipient.kind != "keep"}

    async def _stop_feeds(self, names: list[str]) -> None:
        """Wait for outstanding answers, then stop; rows stay in the outbox."""
        feeds = [self._feeds.pop(name) for name in names]
        await asyncio.gather(*(feed.feed.drain(_DRAIN_S) for feed in feeds))
        for feed in feeds:
            feed.task.cancel()
        await asyncio.gather(*(feed.task for feed in feeds), return_exceptions=True)

    @property
    def recording(self) -> bool:
        """Whether outcomes are still written down."""
        return self._recorder.alive

    @property
    def looking(self) -> bool:
        """Whether new rows are still looked for."""
        return not self._looking.done()

    def recorder_moves(self) -> bool:
        """Whether the recorder wrote (or tried to) since the last look, or had nothing to do."""
        turns, before = self._recorder.turns, self._turns_before
        self._turns_before = turns
        return turns != before or not self._settling

    async def stop(self) -> None:
        """Stop sending and record what was answered."""
        self._looking.cancel()
        await self._stop_feeds(list(self._feeds))
        await asyncio.to_thread(self._recorder.stop)

    def links(self) -> dict[str, dict[str, object]]:
        """How each link does: items in memory, the trouble it is in and since when (seconds since 1970)."""
        found: dict[str, dict[str, object]] = {
            link: {"waiting": 0, "trouble": f"{Reason.LINK_UNUSABLE.code}: {what}", "since_s": 0.0}
            for link, what in self._unusable.items()
        }
        for link, running in self._feeds.items():
            lanes = running.feed.lanes
            failing = next((lane for lane in lanes if lane.failing), None)
            found[link] = {
                "waiting": sum(lane.size for lane in lanes),
                "trouble": failing.failing if failing else running.feed.trouble,
                "since_s": failing.failing_since_s if failing else 0.0,
                "to": running.declared[1].address,
            }
        return found

    def say_changes(self) -> None:
        """Log when a link gets into trouble or out of it; once each."""
        troubles = {link: str(how["trouble"]) for link, how in self.links().items()}
        for link, trouble in troubles.items():
            if trouble != self._said.get(link, ""):
                log.warning("courier.link", link=link, trouble=trouble or "none any more")
        self._said = troubles

    async def note_troubles(self) -> None:
        """Raise a finding, once, for each link that is in a trouble which only people can end."""
        troubles = {link: str(how["trouble"]) for link, how in self.links().items()}
        now = {link: BY_CODE[code] for link, code in troubles.items() if code in _FOR_PEOPLE}
        for link, reason in now.items():
            if self._noted.get(link) is not reason:
                at_us = micros(self.site.clock.now())
                await asyncio.to_thread(record_trouble, self.site.engine, self.site.site, link, reason, at_us)
        self._noted = now

    def _load(self) -> bool:
        site = self.site
        with read(site.engine) as db:
            moved = self.consents.refresh(db)
            edge_count = patients.edge_count(db, site.site)
            if edge_count != self._edge_count:
                self._graph, self._edge_count = Graph(patients.edges(db, site.site)), edge_count
                moved = True
            active = load_active(db, site.site, site.authority, site.seen, current=self.active)
            in_use = messages.outbox_keys_in_use(db) if time.monotonic() - self._keys_at_s > _KEYS_S else None
        if in_use is not None:
            site.keeper.outbox_done(in_use)  # expired keys that no row needs are destroyed
            self.opener.renew(site.keeper.outbox_keys())
            self._keys_at_s = time.monotonic()
        if active is not self.active:
            self._plans = Plans(active.bundle.profiles if active else None)
            moved = True
        self.active = active
        return moved

    def _family(self, subject: str) -> tuple[str, ...]:
        """List everyone who is one person with a subject: what any of them said counts, as in the gateway."""
        graph = self._graph
        return graph.family(graph.effective(subject))

    def _start(self, declared: tuple[Link, Recipient]) -> None:
        link, recipient = declared
        limits = self.site.settings.courier
        try:
            wires = wires_of(recipient, self.site.settings, link.mentioned)
        except (OSError, OathwardError) as error:
            # Files of a certificate that are not there (yet), say: tried again at every look, said once.
            self._unusable[link.id] = str(getattr(error, "filename", None) or error)
            return
        self._unusable.pop(link.id, None)
        ready = partial(self._ready, recipient)
        ordered = link.on_exhausted == "block"
        feed = Feed(
            self.site.engine, link.id, wires, limits, ready, self._settle, self._settling, ordered=ordered
        )
        self._feeds[link.id] = _Running(feed, asyncio.create_task(feed.run()), declared)

    def _arrived(self, links: Iterable[str] | None) -> None:
        for link in self._feeds if links is None else links:
            running = self._feeds.get(link)
            if running is not None:
                running.feed.arrived()

    def _ready(self, recipient: Recipient, rows: Sequence[OutboxRow]) -> list[Item | Settled]:
        """Check rows again and open them for the wire; runs in a thread."""
        site, active, plans = self.site, self.active, self._plans
        assert active is not None
        consents = {who: self.consents.of(site.engine, who) for who in {row.persons for row in rows}}
        at_us, sure = micros(site.clock.now()), site.clock.sure()
        now = Now(active.bundle, active.label, plans, consents, at_us, clock_sure=sure)
        refused = refused_each(site.engine, site.site, rows, now)
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

    def _settle(self, settled: Settled) -> None:
        item, result, _ = settled
        self._settling.add(item.row.seq)
        self.counts["delivered" if isinstance(result, Delivered) else "set-aside"] += 1
        self._recorder.put(settled)

    def _recorded(self, group: list[Settled]) -> None:
        self._loop.call_soon_threadsafe(self._forget, group)

    def _forget(self, group: list[Settled]) -> None:
        for item, _, _ in group:
            running = self._feeds.get(item.row.link)
            if running is not None:
                running.feed.recorded(item.row.seq)
            self._settling.discard(item.row.seq)


async def run(site: Opened) -> None:
    """Deliver until told to stop.

    Raises:
        StorageError: another courier has the lock.
    """
    lock = _lock(site.settings.run_folder_of("courier") / "courier.lock")
    status = Status(site.settings.run_folder_of("courier"), "courier")
    courier = Courier(site)
    await courier.refresh()
    _say(status, courier)
    tasks = [asyncio.create_task(_watch(courier, status)), asyncio.create_task(told_to_stop())]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    status.write("stopping")
    for task in tasks:
        task.cancel()
    await courier.stop()
    status.remove()
    os.close(lock)
    for task in done:
        task.result()


async def _watch(courier: Courier, status: Status) -> None:
    while True:
        await asyncio.sleep(_REFRESH_S)
        await courier.refresh()
        courier.say_changes()
        with contextlib.suppress(StorageError):  # said at the next look
            await courier.note_troubles()
        _say(status, courier)
        if not courier.recording:
            raise StorageError("recorder", "ended by itself", reason=Reason.INTERNAL)
        if not courier.looking:
            raise StorageError("look", "ended by itself", reason=Reason.INTERNAL)


def _say(status: Status, courier: Courier) -> None:
    if courier.recorder_moves():
        status.moved("recorder")
    state = "unhealthy" if courier.trouble else "ready"
    status.write(
        state,
        trouble=courier.trouble,
        bundle=courier.active.label if courier.active else "",
        links=courier.links(),
        counts=dict(courier.counts),
    )


def _bodies(site: Opened) -> SegmentReader | TableStore:
    if site.engine.dialect.name == "sqlite":
        return SegmentReader(site.settings.data / "bodies")
    return TableStore(site.engine, site.site, "outbox", "courier")


def _lock(path: Path) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise StorageError("courier", "another courier of this site runs", reason=Reason.CONFLICT) from error
    return fd
