"""What each narrowing of what patients allow did here, noted once it is in effect: waiting rows, rows on the wire, when.

Rules:
- In effect on a link: its lanes were cleared, and what of the patient was on the wire there and refused is answered or
  broken off. From then on nothing of it is sent.
- What was withdrawn: what was set aside since, and what still waits and would be refused. What waits is read off the event
  loop, for many versions at once; nothing on the data path waits for it.
- What cannot be noted now is noted later. A bug here ends the noting and is said, never the deliveries.

Deliberately absent: making it take effect (``process``, ``feed``, ``lane``), and which links a version narrows
(``consent.effects``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from oathward.consent import effects
from oathward.consent.effects import Narrowing, OnLink
from oathward.consent.noticed import Version
from oathward.core.clock import micros
from oathward.core.db import read, write
from oathward.core.errors import StorageError
from oathward.core.reasons import Reason
from oathward.courier.model import Delivered, Failed, Result
from oathward.courier.standing import Standing
from oathward.messages import sql as messages
from oathward.messages.model import OutboxRow
from oathward.messages.views import WITHDRAWN

PROCESS = "courier"
_PAUSE_S = 0.25
_AGAIN_S = 1.0
_PENDING_MAX = 10_000
"""Of one link, for all versions that are noted together; of more so many are counted."""

log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class Change:
    """Versions that were taken in together, and what became of rows since."""

    versions: tuple[Version, ...]
    cleared_us: int = 0
    closed: bool = False
    refused: set[int] = field(default_factory=set)
    withdrawn: dict[int, OutboxRow] = field(default_factory=dict)
    in_flight: dict[int, tuple[OutboxRow, int]] = field(default_factory=dict)
    answered: dict[int, tuple[OutboxRow, int]] = field(default_factory=dict)

    def settled(self, row: OutboxRow, result: Result, now_us: int) -> None:
        """Note what became of a row."""
        match result:
            case Delivered():
                if row.seq in self.refused:
                    self.answered[row.seq] = row, now_us
            case Failed(Reason.CONSENT_WITHDRAWN_IN_FLIGHT):
                self.in_flight[row.seq] = row, now_us
            case Failed(reason):
                if reason.code in WITHDRAWN:
                    self.withdrawn[row.seq] = row


class Effects:
    """Notes what narrowings did, for one courier. All but the reading and writing happens on the event loop."""

    def __init__(self, knows: Standing) -> None:
        self._knows = knows
        self._changes: list[Change] = []
        self._some = asyncio.Event()
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(_say)

    def begin(self, versions: tuple[Version, ...]) -> Change:
        """Watch what becomes of rows from now on, until it is closed and noted."""
        change = Change(versions)
        if versions:
            self._changes.append(change)
        return change

    def close(self, change: Change) -> None:
        """Have a change noted: nothing of it is on the wire any more."""
        change.closed = True
        self._some.set()

    def settled(self, row: OutboxRow, result: Result) -> None:
        """Note what became of a row; without a change under way it costs a comparison."""
        if self._changes:
            now_us = self.now_us()
            for change in self._changes:
                change.settled(row, result, now_us)

    def now_us(self) -> int:
        """Give the time, as effects have it."""
        return micros(self._knows.site.clock.now())

    async def stop(self) -> None:
        """Note what can be noted now, then end."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if done := [change for change in self._changes if change.closed]:
            await self._noted(done)

    async def _run(self) -> None:
        while True:
            await self._some.wait()
            self._some.clear()
            await asyncio.sleep(_PAUSE_S)  # for others that come with it
            done = [change for change in self._changes if change.closed]
            if await self._noted(done):
                self._changes = [change for change in self._changes if change not in done]
            else:
                await asyncio.sleep(_AGAIN_S)
                self._some.set()

    async def _noted(self, done: list[Change]) -> bool:
        """Note changes; says whether that is done."""
        if self._knows.active is None:
            return False
        try:
            await asyncio.to_thread(self._note, done)
        except StorageError as error:
            log.warning("courier.effects", trouble=error.reason.code)
            return False
        return True

    def _note(self, changes: Sequence[Change]) -> None:
        """Read what still waits, and write down what the changes did; runs in a thread."""
        knows = self._knows
        site, active, now_us = knows.site, knows.active, self.now_us()
        assert active is not None
        with read(site.engine) as db:
            found = [
                (change, one)
                for change in changes
                for version in change.versions
                if (one := effects.narrowing(db, site.site, active.bundle, version, knows.family, now_us))
            ]
        if not found:
            return
        waiting = self._waiting([one for _, one in found])
        noted = [
            (one, {link: _on_link(change, one, link, waiting.get(link, ())) for link in one.links})
            for change, one in found
        ]
        with write(site.engine) as db:
            effects.write(db, effects.rows_of(site.site, PROCESS, noted), now_us)

    def _waiting(self, found: Sequence[Narrowing]) -> dict[str, list[OutboxRow]]:
        """Give what still waits of these patients and would be refused, by link."""
        knows, waiting = self._knows, {}
        for link in {link for one in found for link in one.links}:
            subjects = sorted({who for one in found if link in one.links for who in one.family})
            with read(knows.site.engine) as db:
                rows = messages.pending_about(db, link, subjects, _PENDING_MAX)
            alike: dict[tuple[object, ...], list[OutboxRow]] = {}
            for row in rows:  # what was decided of the same facts has the same answer
                key = (row.facts, row.plan, row.bundle, row.consent_version, row.valid_until_us, row.persons)
                alike.setdefault(key, []).append(row)
            answers = knows.refused([same[0] for same in alike.values()]) if alike else []
            waiting[link] = [
                row
                for same, why in zip(alike.values(), answers, strict=True)
                if isinstance(why, Reason)
                for row in same
            ]
        return waiting


def _on_link(change: Change, one: Narrowing, link: str, waiting: Sequence[OutboxRow]) -> OnLink:
    def mine(row: OutboxRow) -> bool:
        return row.link == link and not set(one.family).isdisjoint(row.persons)

    flown = [at_us for row, at_us in list(change.in_flight.values()) if mine(row)]
    answered = [at_us for row, at_us in list(change.answered.values()) if mine(row)]
    withdrawn = {row.seq for row in [*list(change.withdrawn.values()), *waiting] if mine(row)}
    at_us = max([change.cleared_us, *flown, *answered])
    return OnLink(at_us, len(withdrawn), len(flown), len(answered))


def _say(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("courier.effects", trouble=type(error).__name__)
