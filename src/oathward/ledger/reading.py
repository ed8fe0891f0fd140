"""Read records: one, or those that concern a subject, a link, a kind, a message, a time.

Rules:
- A search gives newest first and at most ``limit`` records; the index of the last one continues it.
- Whole blocks are found by postings, the few newest records by looking at each.
- Every record found is compared with the question again: a changed index can hide a record, never forge one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection

from oathward.core.errors import LedgerError
from oathward.core.reasons import Reason
from oathward.ledger import log, postings
from oathward.ledger.tables import run

LIMIT = 100
_PAGE = 256


@dataclass(frozen=True, slots=True)
class Entry:
    """One record as read back. Removed: ``rule`` and ``removed_by`` say why, the rest is empty."""

    index: int
    kind: str
    at_us: int
    subject: str
    message: str
    links: tuple[str, ...]
    body: Mapping[str, Any]
    leaf: bytes
    rule: str | None = None
    removed_by: int | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for; every part that is given must hold. Times are microseconds, both ends included."""

    subject: str = ""
    link: str = ""
    kind: str = ""
    message: str = ""
    since_us: int | None = None
    until_us: int | None = None

    def holds(self, entry: Entry) -> bool:
        """Say whether a record answers the question."""
        return (
            entry.rule is None
            and self.subject in ("", entry.subject)
            and self.kind in ("", entry.kind)
            and self.message in ("", entry.message)
            and (not self.link or self.link in entry.links)
            and (self.since_us is None or entry.at_us >= self.since_us)
            and (self.until_us is None or entry.at_us <= self.until_us)
        )

    @property
    def terms(self) -> list[str]:
        """The terms that the postings of a block must have."""
        parts = (("s:", self.subject), ("l:", self.link), ("k:", self.kind))
        return [tag + value for tag, value in parts if value]


def entry(db: Connection, site: str, index: int) -> Entry:
    """Read one record.

    Raises:
        LedgerError: ``not-found``.
    """
    row = run(db, _ROWS + " AND idx = ?", (site, index)).first()
    if row is None:
        raise LedgerError(f"record {index}", "the ledger has no such record", reason=Reason.NOT_FOUND)
    return _entry(row)


def entries(db: Connection, site: str, start: int, stop: int) -> list[Entry]:
    """Read a range of records in order; keep it short."""
    sql = _ROWS + " AND idx >= ? AND idx < ? ORDER BY idx"
    return [_entry(row) for row in run(db, sql, (site, start, stop))]


def facts(db: Connection, site: str, digest: bytes) -> bytes | None:
    """Give the canonical facts of a decision by their SHA-256; None when they were removed or never kept."""
    found: bytes | None = run(
        db, "SELECT body FROM ledger_facts WHERE site = ? AND digest = ?", (site, digest)
    ).scalar()
    return found


def search(
    db: Connection, site: str, query: Query, *, before: int | None = None, limit: int = LIMIT
) -> list[Entry]:
    """Find records, newest first.

    Args:
        before: only records with a smaller index: the last index of the page before.
    """
    stop = log.head(db, site).size if before is None else before
    found: list[Entry] = []
    for candidate in _candidates(db, site, query, stop):
        if query.holds(candidate):
            found.append(candidate)
            if len(found) == limit:
                break
    return found


def naming(
    db: Connection, site: str, words: Sequence[str], start: int, stop: int, *, limit: int = LIMIT
) -> list[Entry]:
    """Find records that have one of some words as a whole text anywhere in their body, newest first.

    Nothing is an index of that: each body of the range is looked through by the database. Keep the range bounded.

    Args:
        words: few, each of letters and digits. start, stop: indexes of records, the last not included.
    """
    one = "instr(body, ?) > 0" if db.dialect.name == "sqlite" else "position(? in body) > 0"
    sql = (
        _ROWS + f" AND idx >= ? AND idx < ? AND ({' OR '.join([one] * len(words))}) ORDER BY idx DESC LIMIT ?"
    )
    quoted = [b'"%b"' % word.encode() for word in words]
    return [_entry(row) for row in run(db, sql, (site, start, stop, *quoted, limit))]


_ROWS = "SELECT idx, kind, at_us, subject, message, leaf, body, rule, removed_by FROM ledger_record WHERE site = ?"


def _entry(row: Any) -> Entry:
    idx, kind, at_us, subject, message, leaf, body, rule, removed_by = row
    decoded = orjson.loads(body) if body is not None else {"links": (), "body": {}}
    links = tuple(decoded["links"])
    return Entry(idx, kind, at_us, subject, message, links, decoded["body"], leaf, rule, removed_by)


_PIECE = 256
"""Records of a block that are read at once."""


def _candidates(db: Connection, site: str, query: Query, stop: int) -> Iterator[Entry]:
    """Give records that may answer, newest first."""
    if query.message:
        sql = _ROWS + " AND message = ? AND message <> '' AND idx < ? ORDER BY idx DESC"
        yield from map(_entry, run(db, sql, (site, query.message, stop)))
        return
    done = postings.indexed(db, site)
    yield from _newest(db, site, query, done, stop)
    for block, offsets in _blocks(db, site, query, -(-min(stop, done) // postings.BLOCK)):
        start = block * postings.BLOCK
        wanted = sorted((start + offset for offset in offsets if start + offset < stop), reverse=True)
        for at in range(0, len(wanted), _PIECE):  # whoever wants a page reads no whole block
            yield from sorted(_at(db, site, wanted[at : at + _PIECE]), key=lambda found: -found.index)


def _newest(db: Connection, site: str, query: Query, start: int, stop: int) -> Iterator[Entry]:
    """Read what no posting covers yet, in pages from the end."""
    sql = _ROWS + " AND idx >= ? AND idx < ?"
    values: list[Any] = []
    for column, value in (("subject", query.subject), ("kind", query.kind)):
        if value:
            sql += f" AND {column} = ?"
            values.append(value)
    while stop > start:
        low = max(start, stop - postings.BLOCK)
        yield from map(_entry, run(db, sql + " ORDER BY idx DESC", (site, low, stop, *values)))
        stop = low


def _blocks(db: Connection, site: str, query: Query, stop: int) -> Iterator[tuple[int, Iterable[int]]]:
    """Give the blocks below ``stop`` that have every term, last first, with the offsets that do."""
    first, *others = _rarest_first(db, site, query.terms) or [postings.TIMES]
    sql = "SELECT block, offsets FROM ledger_posting WHERE site = ? AND term = ? AND block < ? ORDER BY block DESC"
    for block, packed in run(db, sql, (site, first, stop)).fetchall():
        if not _in_time(db, site, query, block):
            continue
        if first == postings.TIMES:
            yield block, range(postings.BLOCK)
            continue
        offsets = set(postings.unpack(packed))
        for term in others:
            offsets &= set(postings.unpack(_posting(db, site, term, block)))
        if offsets:
            yield block, offsets


def _rarest_first(db: Connection, site: str, terms: list[str]) -> list[str]:
    """Put the term first that stands in fewest blocks: a rare kind of a patient who has thousands of messages, or the other way."""
    if len(terms) < 2:
        return terms
    sql = "SELECT COUNT(*) FROM ledger_posting WHERE site = ? AND term = ?"
    return sorted(terms, key=lambda term: int(run(db, sql, (site, term)).scalar_one()))


def _in_time(db: Connection, site: str, query: Query, block: int) -> bool:
    if query.since_us is None and query.until_us is None:
        return True
    packed = _posting(db, site, postings.TIMES, block)
    if not packed:
        return True
    first, last = postings.times(packed)
    return (query.since_us is None or last >= query.since_us) and (
        query.until_us is None or first <= query.until_us
    )


def _posting(db: Connection, site: str, term: str, block: int) -> bytes:
    sql = "SELECT offsets FROM ledger_posting WHERE site = ? AND term = ? AND block = ?"
    return run(db, sql, (site, term, block)).scalar() or b""


def _at(db: Connection, site: str, indexes: Sequence[int]) -> Iterator[Entry]:
    """Read records by index, in pages of one statement."""
    sql = _ROWS + f" AND idx IN ({','.join('?' * _PAGE)})"
    for start in range(0, len(indexes), _PAGE):
        page = list(indexes[start : start + _PAGE])
        padded = page + page[-1:] * (_PAGE - len(page))
        yield from map(_entry, run(db, sql, (site, *padded)))
