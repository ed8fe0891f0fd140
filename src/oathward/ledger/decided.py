"""Read what dry runs and reviews ask of many records: where a time begins, facts of decisions by the page.

Rules:
- Times of records nearly ascend: who reads from a time begins a little before it, and compares each record's own.
- Removed records have no time; they are counted by their place.

Deliberately absent: what the facts say, and searches a person would make (``reading``).
"""

from __future__ import annotations

from collections.abc import Collection

import orjson
from sqlalchemy import Connection

from oathward.ledger import log
from oathward.ledger.tables import run

SLACK_US = 600_000_000
"""How far behind the newest before it the time of a record may be: what arrives waits for its group."""

_PAGE = 64


def first_since(db: Connection, site: str, at_us: int) -> int:
    """Give an index before which no record is of a time or later; the size of the ledger where there is none."""
    low, high = 0, log.head(db, site).size
    while low < high:
        middle = (low + high) // 2
        row = run(db, _NEXT, (site, middle, high)).first()
        if row is None or row[1] >= at_us - SLACK_US:
            high = middle
        else:
            low = row[0] + 1
    return low


def removed_between(db: Connection, site: str, start: int, stop: int) -> int:
    """Count records whose bodies were removed, whatever they were."""
    sql = "SELECT COUNT(*) FROM ledger_record WHERE site = ? AND idx >= ? AND idx < ? AND rule IS NOT NULL"
    return int(run(db, sql, (site, start, stop)).scalar() or 0)


def facts(db: Connection, site: str, digests: Collection[bytes]) -> dict[bytes, bytes | None]:
    """Give the canonical facts of decisions by their SHA-256: None where they were removed, absent where never kept."""
    sql = f"SELECT digest, body FROM ledger_facts WHERE site = ? AND digest IN ({','.join('?' * _PAGE)})"  # noqa: S608  marks only
    listed, found = list(dict.fromkeys(digests)), dict[bytes, bytes | None]()
    for start in range(0, len(listed), _PAGE):
        page = listed[start : start + _PAGE]
        page += page[-1:] * (_PAGE - len(page))
        for digest, body in run(db, sql, (site, *page)):
            found[bytes(digest)] = None if body is None else bytes(body)
    return found


def of_messages(db: Connection, site: str, messages: Collection[str]) -> dict[str, bytes]:
    """Give the digest of the facts that each message was last decided by; absent where there is no such record."""
    sql = (
        "SELECT message, body FROM ledger_record WHERE site = ? AND kind = 'message.accepted' AND message <> ''"  # noqa: S608  marks only
        f" AND message IN ({','.join('?' * _PAGE)}) ORDER BY idx"
    )
    listed, found = list(dict.fromkeys(messages)), dict[str, bytes]()
    for start in range(0, len(listed), _PAGE):
        page = listed[start : start + _PAGE]
        page += page[-1:] * (_PAGE - len(page))
        for message, body in run(db, sql, (site, *page)):
            named = orjson.loads(body)["body"]["facts"] if body is not None else []
            found.pop(message, None)
            if named:
                found[message] = bytes.fromhex(named[0])
    return found


_NEXT = "SELECT idx, at_us FROM ledger_record WHERE site = ? AND idx >= ? AND idx < ? AND rule IS NULL ORDER BY idx LIMIT 1"
