"""Take wrapped data keys out of the site's database into the keeper's store.

Rules:
- The store holds a key durably before its row is deleted; a crash between the two takes it in again,
  which does nothing.
- Keys of erased subjects are not taken in: their rows are deleted and counted in a record.
- A row that does not open is set aside and raises one finding; it never blocks the others.
"""

from __future__ import annotations

from oathward import ledger
from oathward.core.db import read, write
from oathward.core.points import point
from oathward.ledger import Record
from oathward.vault import intake as rows
from oathward.vault.keeper import subjects
from oathward.vault.keeper.keeper import Keeper

BATCH_ROWS = 256


def take(keeper: Keeper) -> int:
    """Take in one batch; gives how many rows were dealt with."""
    now_us = keeper.now_us()
    with read(keeper.engine) as db:
        waiting = rows.waiting(db, keeper.site, BATCH_ROWS)
    if not waiting:
        return 0
    taken = subjects.take_in(keeper.store, keeper.site, waiting, now_us)
    point("intake.stored")
    records = []
    if taken.erased:
        body = {"count": len(taken.erased), "reason": "subject.erased"}
        records.append(Record("key.destroyed", body, now_us))
    if taken.broken:
        records.append(
            Record("finding.raised", {"count": len(taken.broken), "finding": "intake.broken"}, now_us)
        )
    leaves = [ledger.prepare(record) for record in records]
    with write(keeper.engine) as db:
        rows.remove(db, [*taken.held, *taken.erased])
        rows.mark_refused(db, taken.broken, now_us)
        if leaves:
            ledger.append(db, keeper.site, leaves)
    return len(waiting)


def take_all(keeper: Keeper) -> int:
    """Take in everything that waits now."""
    total = 0
    while done := take(keeper):
        total += done
        if done < BATCH_ROWS:
            break
    return total
