"""The courier process: one look for all links, one feed a link, one recorder, and an eye on policy and consent.

Rules:
- One courier a site: a lock file says so (tier 1); a second one ends at once.
- A new bundle, a changed consent or merge makes every feed read its rows again and decide anew; consents and merges are
  looked at ten times a second. What is on the wire then is decided again too, and broken off if it may not be there.
- A link whose recipient's certificate or ours is not accepted raises a finding once; its rows wait.
- A feed that a bug ended raises a finding once and is started again: at once, then after pauses that double up to a longest
  one. Its rows wait, those for care too; no other link does.
- While policy or consents do not verify, nothing leaves. What needs a keeper that is away waits in its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog

from oathward.core.clock import micros, wall_s
from oathward.core.db import GROUP_ROWS_MAX
from oathward.core.errors import AuthorityError, KeeperError, OathwardError, StorageError
from oathward.core.process import Status, told_to_stop
from oathward.core.reasons import BY_CODE, Reason
from oathward.courier.effects import Effects
from oathward.courier.feed import Feed
from oathward.courier.look import Look
from oathward.courier.model import Delivered
from oathward.courier.record import Recorder, Settled, record_trouble
from oathward.courier.standing import Moved, Standing
from oathward.courier.wires import wires_of
from oathward.courier.withdrawing import Withdrawing
from oathward.policy.model import Link, Recipient
from oathward.vault.opened import Opened

_REFRESH_S = 0.5
_STALE_LOOKS = 2
_SAID_MAX = 40
"""Looks while nothing can be read; a database that takes longer to answer is for the watchdog."""
_DRAIN_S = 5.0
_PAUSE_FIRST_S, _PAUSE_LONGEST_S, _HEALTHY_S = 0.5, 10.0, 30.0
_FOR_PEOPLE = frozenset(
    {Reason.RECIPIENT_DISTRUSTS.code, Reason.RECIPIENT_UNTRUSTED.code, Reason.INTERNAL.code}
)
"""Troubles of a link that do not pass by themselves."""

T = TypeVar("T")
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Running:
    """A feed, its task, and the link and recipient it was started for."""

    feed: Feed
    task: asyncio.Task[None]
    declared: tuple[Link, Recipient]


@dataclass(slots=True)
class _Broken:
    """A link whose feed a bug ended; times are of the monotonic clock.

    ``since_s``: of the first of these ends, seconds since 1970; ``again_at_s``: when it may come again.
    """

    since_s: float
    times: int = 0
    again_at_s: float = 0.0


class Courier:
    """The deliveries of one site."""

    def __init__(self, site: Opened) -> None:
        self.site = site
        self._loop = asyncio.get_running_loop()
        self.knows = Standing(site, lambda moved: self._tell(self._moved, moved))
        self.effects = Effects(self.knows)
        self.withdrawing = Withdrawing(self.knows, self.effects)
        self.trouble = ""
        self._feeds: dict[str, _Running] = {}
        self._settling: set[int] = set()
        self._unusable: dict[str, str] = {}
        self._broken: dict[str, _Broken] = {}
        self._said: dict[str, str] = {}
        self._noted: dict[str, Reason] = {}
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
            told=self.knows.told,
        )

    async def refresh(self) -> None:
        """Take in what changed: other links get other feeds, every waiting row is decided anew."""
        try:
            moved = await asyncio.to_thread(self.knows.load)
            self.trouble = ""
        except StorageError as error:  # ``watch`` stops what may not go on by what was known; care goes on
            self.trouble = error.reason.code
            log.error("courier.trouble", trouble=self.trouble)
            return
        except (AuthorityError, KeeperError) as error:
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
                self._feed_ended(name, feed.task.exception())
        await self._stop_feeds(
            [n for n, feed in self._feeds.items() if wanted.get(n) != feed.declared or feed.task.done()]
        )
        now_s = time.monotonic()
        running = self._feeds.keys() & wanted.keys()
        self._broken = {
            name: one
            for name, one in self._broken.items()
            if name in wanted and (name not in running or now_s < one.again_at_s + _HEALTHY_S)
        }
        for name, declared in wanted.items():
            broken = self._broken.get(name)
            if name not in running and (broken is None or now_s >= broken.again_at_s):
                self._start(declared)

    def _feed_ended(self, name: str, error: BaseException | None) -> None:
        bugs = error.exceptions if isinstance(error, BaseExceptionGroup) else (error,)
        what = ", ".join(type(bug).__name__ for bug in bugs)
        log.error("courier.feed", link=name, trouble=Reason.INTERNAL.code, error=what)
        broken = self._broken.setdefault(name, _Broken(wall_s()))
        pause_s = min(_PAUSE_LONGEST_S, _PAUSE_FIRST_S * 2**broken.times) if broken.times else 0.0
        broken.times, broken.again_at_s = broken.times + 1, time.monotonic() + pause_s

    def _wanted(self) -> dict[str, tuple[Link, Recipient]]:
        if self.knows.active is None:
            return {}
        bundle = self.knows.active.bundle
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
        self.knows.watch.stop()
        self._looking.cancel()
        self.withdrawing.stop()
        await self._stop_feeds(list(self._feeds))
        await asyncio.to_thread(self._recorder.stop)
        await self.effects.stop()

    def links(self) -> dict[str, dict[str, object]]:
        """How each link does: items in memory, the trouble it is in and since when (seconds since 1970)."""
        found: dict[str, dict[str, object]] = {
            link: {"waiting": 0, "trouble": f"{Reason.LINK_UNUSABLE.code}: {what}", "since_s": 0.0}
            for link, what in self._unusable.items()
        }
        for link, running in self._feeds.items():
            lanes = running.feed.lanes
            failing = next((lane for lane in lanes if lane.failing), None)
            trouble = failing.failing if failing else running.feed.trouble
            found[link] = {
                "waiting": sum(lane.size for lane in lanes),
                "trouble": trouble
                if self.knows.may_start(running.declared[0])
                else Reason.CONSENT_UNREADABLE.code,
                "since_s": failing.failing_since_s if failing else 0.0,
                "to": running.declared[1].address,
            }
        for link, broken in self._broken.items():
            waiting = found.get(link, {"waiting": 0})
            found[link] = {**waiting, "trouble": Reason.INTERNAL.code, "since_s": broken.since_s}
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

    def _moved(self, moved: Moved) -> None:
        feeds = [(one.feed, one.declared[0].for_care) for one in self._feeds.values()]
        self.withdrawing.moved(moved, feeds)

    async def tend(self) -> None:
        """Stop links that may not start anything, and let them go on when they may, until cancelled.

        What is on the wire of them stops a look later: a process that stood still has looked by then.
        """
        stale = 0
        while True:
            await asyncio.sleep(self.site.settings.consent.poll_ms / 1000)
            was, stale = stale, 0 if self.knows.watch.fresh else stale + 1
            if bool(stale) == bool(was) and stale != _STALE_LOOKS:
                continue
            if stale == 1:
                log.error("courier.trouble", trouble=Reason.CONSENT_UNREADABLE.code)
            for running in self._feeds.values():
                if not running.declared[0].for_care:
                    running.feed.reconsider()
                    if stale == _STALE_LOOKS:
                        running.feed.interrupt({row.seq for row in running.feed.on_wire()})

    def _start(self, declared: tuple[Link, Recipient]) -> None:
        link, recipient = declared
        limits = self.site.settings.courier
        try:
            wires = wires_of(recipient, self.site.settings, link.mentioned, self.knows.provenance)
        except (OSError, OathwardError) as error:
            # Files of a certificate that are not there (yet), say: tried again at every look, said once.
            self._unusable[link.id] = str(getattr(error, "filename", None) or error)
            return
        self._unusable.pop(link.id, None)
        feed = Feed(
            self.site.engine,
            link.id,
            wires,
            limits,
            partial(self.knows.ready, link, recipient),
            self._settle,
            self._settling,
            ordered=link.on_exhausted == "block",
            may_start=partial(self.knows.may_start, link),
        )
        feed.apart = recipient.withdrawal_notice
        self._feeds[link.id] = _Running(feed, asyncio.create_task(feed.run()), declared)

    def _arrived(self, links: Iterable[str] | None) -> None:
        for link in self._feeds if links is None else links:
            running = self._feeds.get(link)
            if running is not None:
                running.feed.arrived()

    def _settle(self, settled: Settled) -> None:
        item, result, _ = settled
        self._settling.add(item.row.seq)
        self.effects.settled(item.row, result)
        self.knows.counts["delivered" if isinstance(result, Delivered) else "set-aside"] += 1
        self._recorder.put(settled)

    def _tell(self, what: Callable[[T], None], value: T) -> None:
        """Have the event loop do something; what is told to one that ended is no news to anybody."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(what, value)

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
    courier.knows.watch.start()
    _say(status, courier)
    tasks = [
        asyncio.create_task(courier.tend()),
        asyncio.create_task(_watch(courier, status)),
        asyncio.create_task(told_to_stop()),
    ]
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
        refreshed = asyncio.create_task(courier.refresh())
        for _ in range(_SAID_MAX):
            done, _pending = await asyncio.wait({refreshed}, timeout=_REFRESH_S)
            if done:
                break
            _say(status, courier)
        await refreshed
        courier.say_changes()
        with contextlib.suppress(StorageError):  # said at the next look
            await courier.note_troubles()
        _say(status, courier)
        if not courier.recording:
            raise StorageError("recorder", "ended by itself", reason=Reason.INTERNAL)
        if (bug := courier.withdrawing.broken) is not None:
            raise StorageError("withdrawing", type(bug).__name__, reason=Reason.INTERNAL) from bug
        if not courier.looking:
            raise StorageError("look", "ended by itself", reason=Reason.INTERNAL)


def _say(status: Status, courier: Courier) -> None:
    if courier.recorder_moves():
        status.moved("recorder")
    trouble = courier.trouble if courier.knows.watch.fresh else Reason.CONSENT_UNREADABLE.code
    status.write(
        "unhealthy" if trouble else "ready",
        trouble=trouble,
        bundle=courier.knows.active.label if courier.knows.active else "",
        links=courier.links(),
        counts=dict(courier.knows.counts),
    )


def _lock(path: Path) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise StorageError("courier", "another courier of this site runs", reason=Reason.CONFLICT) from error
    return fd
