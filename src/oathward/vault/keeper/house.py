"""What the keeper does by itself, each part in its own time.

Rules:
- About each second: broken glasses that are over end, as do accesses to a portal of who died, keys on their way are taken in, seeds counted, documents
  confirmed, erasures recorded.
- Each second or so many records: a checkpoint. Each minute: exchange keys renewed and destroyed, copies made.
- With a witness, from a thread of its own: erasures compared and handed over, checkpoints cosigned.
- Where a folder is set, an emergency copy each so many minutes, from a thread of its own.
- A part that fails is tried again in its time, and shows in the status until it has gone well.

Deliberately absent: answers to anybody (``server``).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from oathward.core.db import read
from oathward.core.errors import OathwardError
from oathward.ledger import Record
from oathward.vault import intake
from oathward.vault.keeper import backups, checkpoints, glasses, keyring, reidentify_rows, signing, subjects
from oathward.vault.keeper.copying import making
from oathward.vault.keeper.intake import take_all
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.operations import table as operations
from oathward.vault.keeper.portal import giving, reports, requests
from oathward.vault.keeper.portal.deaths import Deaths

_SCHEDULE = "schedule"
_COPY_FIRST_S = 5.0
"""After a start: a checkpoint is signed by then, and a witness asked."""

_COPY_AGAIN_S = 60.0
"""After a run that did not go well."""

log = structlog.get_logger()


class House:
    """What the keeper does by itself, each part in its own time."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._pace = checkpoints.Pace(keeper)
        self._deaths = Deaths(keeper)
        self._is_due = False
        self._witnessed_size = 0
        self._witnessed_tombstones = -1
        self._due_s = 0.0
        self._rare_s = 0.0
        self._copy_due_s = time.monotonic() + _COPY_FIRST_S
        self._problems: dict[str, OathwardError] = {}

    @property
    def problem(self) -> OathwardError | None:
        """What goes wrong, if anything does."""
        return next(iter(list(self._problems.values())), None)

    def turn(self, *, last: bool = False) -> None:
        """Do what is due; a problem shows until the same part has gone well."""
        now_s = time.monotonic()
        if last or now_s >= self._rare_s:
            self._rare_s = now_s + 60.0
            self._do("rarely", self._rarely)
            self._do("holders", lambda: giving.keep_up(self._keeper))
        if last or now_s >= self._due_s:
            self._due_s = now_s + 1.0
            self._do("often", self._often)
            self._do("deaths", self._deaths.follow)
        self._do("pace", self._look)
        if last or self._is_due:
            self._do("checkpoint", self._pace.sign)

    def witness(self) -> None:
        """Have the outside witness hold what is new; runs in a thread of its own, since it may be slow."""
        self._do("witness tombstones", self._witness_tombstones)
        self._do("witness ledger", self._witness_ledger)

    def copy(self) -> None:
        """Make an emergency copy where one is due; runs in a thread of its own, since it opens what is kept of many."""
        if time.monotonic() < self._copy_due_s:
            return
        limits = self._keeper.settings.emergency
        self._copy_due_s = time.monotonic() + _COPY_AGAIN_S
        self._do("emergency copy", lambda: making.make(self._keeper, Path(limits.folder), _SCHEDULE))
        if "emergency copy" not in self._problems:
            self._copy_due_s = time.monotonic() + limits.every_minutes * 60

    def words(self) -> dict[str, Any]:
        """Give what the status file says."""
        problem = self.problem
        if problem is None:
            return {"checkpoint_size": self._pace.size}
        return {"checkpoint_size": self._pace.size, "reason": problem.reason.code, "where": problem.where}

    def _do(self, name: str, part: Callable[[], object]) -> None:
        try:
            part()
            self._problems.pop(name, None)
        except OathwardError as error:
            if str(error) != str(self._problems.get(name)):
                log.error("keeper unhealthy", reason=error.reason.code, where=error.where, why=error.why)
            self._problems[name] = error

    def _witness_tombstones(self) -> None:
        count = subjects.count(self._keeper.store)
        if self._keeper.confirmed and self._keeper.behind is None and count == self._witnessed_tombstones:
            return
        self._keeper.ask_witness()
        self._witnessed_tombstones = count

    def _witness_ledger(self) -> None:
        line, size = self._keeper.witness, self._pace.size
        if line is not None and size > self._witnessed_size:
            keeper = self._keeper
            self._witnessed_size = line.cosign_ledger(keeper.engine, keeper.site, self._witnessed_size)

    def _look(self) -> None:
        self._is_due = self._pace.due()

    def _often(self) -> None:
        take_all(self._keeper)
        operations.flush_counts(self._keeper)
        glasses.tick(self._keeper)
        signing.confirm_stored(self._keeper)
        self._keeper.record_erasures()

    def _rarely(self) -> None:
        keeper, limits = self._keeper, self._keeper.settings.keeper
        now_us = keeper.now_us()
        keeper.clock.persist()
        for kind, days in (("intake", limits.intake_key_days), ("outbox", limits.outbox_key_days)):
            keyring.current(keeper.store, kind, now_us, days)
        with read(keeper.engine) as db:
            in_use = intake.intake_in_use(db, keeper.site)
        gone = keyring.destroy_expired(keeper.store, "intake", in_use, now_us)
        if gone:
            keeper.store.forget_deleted()
            keeper.record([Record("key.destroyed", {"ids": gone, "key": "intake"}, now_us)])
        reidentify_rows.tick(keeper)
        reports.keep_up(keeper)
        requests.keep_up(keeper)
        backups.keep_up(keeper.store, now_us)
