"""Read many records cheaply, as they are stored: for those who go over all of them.

Rules:
- Bodies come as bytes, not decoded: who wants three words of each takes three words.
- Removed records have no kind and no body, and are not found.

Deliberately absent: checking (``verify``), and any search a person would make (``reading``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from oathward.core.db import direct
from oathward.ledger.tables import run

_PAGE = 64


class Stored(NamedTuple):
    """One record as it is stored. ``body``: canonical JSON of the whole entry."""

    idx: int
    kind: str
    at_us: int
    message: str
    body: bytes


def between(
    db: Connection, site: str, start: int, stop: int, kinds: Sequence[str]
) -> list[tuple[int, str, int, str, bytes]]:
    """Read the records of some kinds in a range, in order, as plain rows of ``Stored``'s fields; keep it short."""
    sql = f"{_ROWS} AND idx >= ? AND idx < ? AND kind IN ({_marks(len(kinds))}) ORDER BY idx"
    rows: list[tuple[int, str, int, str, bytes]] = direct(db, sql, (site, start, stop, *kinds)).fetchall()  # type: ignore[assignment]  # rows of PostgreSQL are tuples too
    return rows


def at(db: Connection, site: str, indexes: Collection[int]) -> list[Stored]:
    """Read records by index, those that are not removed, in order."""
    found = _paged(db, f"{_ROWS} AND idx IN ({_marks(_PAGE)})", site, (), indexes)
    return sorted(record for record in found if record.body is not None)


def about(db: Connection, site: str, messages: Collection[str], kinds: Sequence[str]) -> list[Stored]:
    """Read the records of some kinds about some messages, in order."""
    sql = f"{_ROWS} AND message <> '' AND kind IN ({_marks(len(kinds))}) AND message IN ({_marks(_PAGE)})"
    return sorted(_paged(db, sql, site, kinds, messages))


_ROWS = "SELECT idx, kind, at_us, message, body FROM ledger_record WHERE site = ?"


def _marks(count: int) -> str:
    return ",".join("?" * count)


def _paged(
    db: Connection, sql: str, site: str, first: Sequence[str], keys: Collection[Any]
) -> Iterable[Stored]:
    """Run one statement over any number of different keys; the last is repeated to fill a page."""
    listed = list(dict.fromkeys(keys))
    for start in range(0, len(listed), _PAGE):
        page = listed[start : start + _PAGE]
        page += page[-1:] * (_PAGE - len(page))
        for row in run(db, sql, (site, *first, *page)):
            yield _stored(row)


def _stored(row: Any) -> Stored:
    idx, kind, at_us, message, body = row
    return Stored(idx, kind, at_us, message, body)
