"""Watch that every permit ends in a delivery: the ledger paired with the outbox, continuously.

Rules:
- What is missing becomes one finding a message and link, with a row for people, in one transaction.
- Position and what still waits lie in ``app-deliveries`` in the data folder, which the database's administrator need
  not be able to write; without that file everything is read again from the first record.
- A row for people goes when its delivery turns up.

Deliberately absent: mending. A delivery whose row is gone has no body any more; the sender's original may have.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import orjson
import structlog

from oathward import ledger
from oathward.core.clock import micros
from oathward.core.db import read, write
from oathward.ledger import Record, prepare
from oathward.messages import missing, pairing
from oathward.messages.missing import MissingRow
from oathward.messages.pairing import Pairing, Permit
from oathward.vault.opened import Opened

PAGES_A_TURN = 8
JUDGED_A_TURN = 2_000
AGAIN_A_TURN = 1_000
_KEEP_S = 60.0
_LISTED_MAX = 1_000

log = structlog.get_logger()


class Deliveries:
    """The pairing of one site; ``turn`` does a bounded piece of it."""

    def __init__(self, site: Opened) -> None:
        self._site = site
        self._path = site.settings.own_folder_of("app") / "app-deliveries"
        self._pairing: Pairing | None = None
        self._unsaid: list[MissingRow] = []
        self._rarely_s = 0.0

    def turn(self) -> bool:
        """Read on, judge what is old enough, say what is missing; tells whether there is more to do at once."""
        site, pairing = self._site, self._resumed()
        before_us = micros(site.clock.now()) - int(site.settings.watchdog.delivery_minutes_max * 60_000_000)
        more = True
        for _ in range(PAGES_A_TURN):
            with read(site.engine) as db:
                size = ledger.head(db, site.site).size
                pairing.read(db, size)
                pairing.settle(db, before_us, JUDGED_A_TURN)
            more = pairing.next < size  # not: whether more came meanwhile, which it always does
            if not more:
                break
        with read(site.engine) as db:
            self._unsaid += pairing.look_again(db, AGAIN_A_TURN)
        if self._unsaid:
            self._say()
        if time.monotonic() >= self._rarely_s:
            self._rarely_s = time.monotonic() + _KEEP_S
            self._forget_found()
            self.keep()
        return more

    def keep(self) -> None:
        """Write down how far it is."""
        if self._pairing is not None and not self._unsaid:
            _store(self._path, self._pairing)

    def _resumed(self) -> Pairing:
        if self._pairing is None:
            start, standing = _load(self._path)
            with read(self._site.engine) as db:
                size = ledger.head(db, self._site.site).size
            if start > size:  # another ledger, or one that was restored
                start, standing = 0, []
            self._pairing = Pairing(self._site.site, start, standing)
        return self._pairing

    def _say(self) -> None:
        site, rows = self._site, self._unsaid[:_LISTED_MAX]
        with read(site.engine) as db:
            known = pairing.said(db, site.site, rows)
        new = [row for row in rows if row.id not in known]
        at_us = micros(site.clock.now())
        leaves = [prepare(_finding(row, at_us)) for row in new]
        if new:
            with write(site.engine) as db:
                missing.insert(db, site.site, new)
                ledger.append(db, site.site, leaves)
            log.error("delivery.missing", count=len(new), first=new[0].id, link=new[0].link)
        del self._unsaid[: len(rows)]

    def _forget_found(self) -> None:
        """Take rows off the list whose deliveries turned up: a database that was put right, a late record."""
        site = self._site
        with read(site.engine) as db:
            rows = missing.rows(db, site.site, limit=_LISTED_MAX)
            permits = [Permit(row.id, row.message, row.link, row.record, row.at_us) for row in rows]
            _, lost = pairing.judge(db, site.site, permits)
        gone = {row.id for row in rows} - {row.id for row in lost}
        if gone:
            with write(site.engine) as db:
                missing.remove(db, site.site, sorted(gone))


def _finding(row: MissingRow, at_us: int) -> Record:
    kind = pairing.FINDING_MISSING if row.what == "missing" else pairing.FINDING_CHANGED
    body = {"finding": kind, "id": row.id, "permitted": row.record, "what": row.what}
    return Record("finding.raised", body, at_us, "", (row.link,), row.message)


def _load(path: Path) -> tuple[int, list[int]]:
    try:
        value = orjson.loads(path.read_bytes())
        return int(value["next"]), [int(index) for index in value["standing"]]
    except (OSError, ValueError, KeyError, TypeError):
        return 0, []


def _store(path: Path, state: Pairing) -> None:
    partial = path.with_suffix(f".{os.getpid()}.part")
    partial.write_bytes(orjson.dumps({"next": state.position, "standing": list(state.standing)}))
    partial.replace(path)
