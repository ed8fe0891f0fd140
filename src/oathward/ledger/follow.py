"""Followers: parts that act on records after they are durable, each at its own pace.

Rules:
- A follower's position moves in the same transaction as its effects: on the same database each record acts once.
- Effects outside the database (mail, a socket) may happen again after a crash and must be idempotent by record index.
- A handler gives back the records it wants appended; they are appended last, as everywhere.
- One follower's failure does not stop the others: ``follow_each`` is the follower loop, it tells
  the failure to its caller and leaves that follower where it was.

Deliberately absent: sleeping and threads (the caller's), and any order between followers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from oathward.core.db import read, write
from oathward.ledger import log, reading
from oathward.ledger.reading import Entry
from oathward.ledger.records import Leaf
from oathward.ledger.tables import run

SCAN_RECORDS_MAX = 16_384
"""How far one call looks for records of the wanted kinds."""

Handler = Callable[[Connection, Entry], Sequence[Leaf]]
"""Acts on one record inside the transaction; gives the leaves to append (often none)."""


@dataclass(frozen=True, slots=True)
class Follower:
    """Who follows what. ``kinds``: record kinds; empty means every kind."""

    name: str
    kinds: Collection[str]
    handler: Handler


def follow(
    engine: Engine, site: str, name: str, kinds: Collection[str], handler: Handler, *, batch: int = 256
) -> int:
    """Let one follower read its next records; gives how far its position moved (0: nothing new).

    Raises:
        whatever the handler raises: nothing of the batch has happened then.
    """
    with read(engine) as db:
        start = position(db, site, name)
        entries, stop = _next(db, site, start, kinds, batch)
    if stop == start:
        return 0
    with write(engine) as db:
        if not _advance(db, site, name, start, stop):
            return 0  # another process did this batch
        leaves = [leaf for entry in entries for leaf in handler(db, entry)]
        if leaves:
            log.append(db, site, leaves)
    return stop - start


def follow_each(
    engine: Engine, site: str, followers: Sequence[Follower], failed: Callable[[str, Exception], None]
) -> int:
    """Let every follower read one batch; gives the longest way any of them went.

    Args:
        failed: told the follower's name and what it raised; that follower stays where it was.
    """
    longest = 0
    for follower in followers:
        try:
            moved = follow(engine, site, follower.name, follower.kinds, follower.handler)
        except Exception as error:  # noqa: BLE001  one follower's failure must not stop the others
            failed(follower.name, error)
        else:
            longest = max(longest, moved)
    return longest


def position(db: Connection, site: str, name: str) -> int:
    """Give the index of the record a follower reads next."""
    sql = "SELECT position FROM ledger_follower WHERE site = ? AND name = ?"
    found: int | None = run(db, sql, (site, name)).scalar()
    return found or 0


def _next(
    db: Connection, site: str, start: int, kinds: Collection[str], batch: int
) -> tuple[list[Entry], int]:
    """Give the next entries of these kinds and the position after them."""
    stop = min(log.head(db, site).size, start + SCAN_RECORDS_MAX)
    marks = ",".join("?" * len(kinds))
    wanted = f" AND kind IN ({marks})" if kinds else ""
    sql = "SELECT idx FROM ledger_record WHERE site = ? AND idx >= ? AND idx < ? AND rule IS NULL"
    sql += wanted + " ORDER BY idx LIMIT ?"
    found = [row[0] for row in run(db, sql, (site, start, stop, *sorted(kinds), batch))]
    entries = [reading.entry(db, site, index) for index in found]
    return entries, found[-1] + 1 if len(found) == batch else stop


def _advance(db: Connection, site: str, name: str, start: int, stop: int) -> bool:
    sql = "INSERT INTO ledger_follower (site, name, position) VALUES (?, ?, 0) ON CONFLICT DO NOTHING"
    run(db, sql, (site, name))
    sql = "UPDATE ledger_follower SET position = ? WHERE site = ? AND name = ? AND position = ?"
    return run(db, sql, (stop, site, name, start)).rowcount == 1
