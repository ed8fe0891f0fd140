"""Where a verification reads from: the database, or (``export.py``) an export folder.

Rules:
- Reads are short: one page a statement, no snapshot over the whole run, so a live ledger can be verified.
- ``shape`` is one statement, hence one moment; everything below its size is settled but for removals.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from sqlalchemy import Engine

from oathward.core.db import read
from oathward.ledger import checkpoint, log, postings
from oathward.ledger.tables import run

PAGE = 4_096


class Row(NamedTuple):
    """One stored record. The search columns are None where the source has none (an export)."""

    idx: int
    kind: str | None
    at_us: int | None
    subject: str | None
    message: str | None
    leaf: bytes
    salt: bytes | None
    body: bytes | None
    rule: str | None
    removed_by: int | None


class FactsRow(NamedTuple):
    """One stored set of facts."""

    digest: bytes
    body: bytes | None
    rule: str | None
    removed_by: int | None


class Shape(NamedTuple):
    """Sizes and counts of a ledger at one moment."""

    size: int
    frontier: bytes | None
    origin: str | None
    checkpoints: int
    first_index: int
    last_index: int
    tiles: int | None
    facts_removals: int | None


class Index(Protocol):
    """What a verification asks of a search index."""

    def indexed(self) -> int:
        """Give how many records the search index claims to cover."""

    def postings(self, block: int) -> dict[str, bytes]:
        """Give the stored postings of a block by term."""

    def blocks_beyond(self, block: int) -> int:
        """Count stored postings of this block and later ones."""


class Source(Protocol):
    """Everything a verification asks."""

    site: str
    index: Index | None

    def shape(self) -> Shape:
        """Give sizes and counts at one moment."""

    def rows(self, start: int, stop: int) -> list[Row]:
        """Give the stored records of a range, in order."""

    def tiles(self, level: int, start: int, stop: int) -> dict[int, bytes]:
        """Give the stored tiles of a range by index."""

    def checkpoints(self) -> Iterator[checkpoint.Kept]:
        """Give the kept checkpoints by number."""

    def facts(self) -> Iterator[FactsRow]:
        """Give all kept facts."""

    def known_facts(self, digests: Iterable[bytes]) -> set[bytes]:
        """Give those of these digests that are kept or were removed."""


class DatabaseSource:
    """Read a ledger from its database."""

    def __init__(self, engine: Engine, site: str) -> None:
        self.site = site
        self.index: Index | None = _DatabaseIndex(engine, site)
        self._engine = engine

    def shape(self) -> Shape:
        """Give sizes and counts at one moment; a ledger without a head is empty."""
        sql = (
            "SELECT"
            " COALESCE((SELECT MIN(idx) FROM ledger_record WHERE site = ?), 0),"
            " COALESCE((SELECT MAX(idx) FROM ledger_record WHERE site = ?), -1),"
            " (SELECT COUNT(*) FROM ledger_tile WHERE site = ?),"
            " h.size, h.frontier, h.origin, h.checkpoints, h.facts_removals"
            " FROM (SELECT 1 AS one) AS always LEFT JOIN ledger_head AS h ON h.site = ?"
        )
        with read(self._engine) as db:
            first, last, tiles, *head = run(db, sql, (self.site,) * 4).one()
        if head[0] is None:  # a ledger without a head is empty
            head = [0, b"", log.default_origin(self.site), 0, 0]
        size, frontier, origin, checkpoints, removals = head
        return Shape(size, frontier, origin, checkpoints, first, last, tiles, removals)

    def rows(self, start: int, stop: int) -> list[Row]:
        """Give the stored records of a range, in order."""
        sql = (
            "SELECT idx, kind, at_us, subject, message, leaf, salt, body, rule, removed_by FROM ledger_record"
            " WHERE site = ? AND idx >= ? AND idx < ? ORDER BY idx"
        )
        with read(self._engine) as db:
            return list(map(Row._make, run(db, sql, (self.site, start, stop)).fetchall()))

    def tiles(self, level: int, start: int, stop: int) -> dict[int, bytes]:
        """Give the stored tiles of a range by index."""
        sql = "SELECT idx, hashes FROM ledger_tile WHERE site = ? AND level = ? AND idx >= ? AND idx < ?"
        with read(self._engine) as db:
            return {row[0]: row[1] for row in run(db, sql, (self.site, level, start, stop))}

    def checkpoints(self) -> Iterator[checkpoint.Kept]:
        """Give the kept checkpoints by number."""
        after = -(2**62)
        while True:
            with read(self._engine) as db:
                page = checkpoint.page(db, self.site, after)
            if not page:
                return
            yield from page
            after = page[-1].seq

    def facts(self) -> Iterator[FactsRow]:
        """Give all kept facts, in order of digest."""
        sql = (
            "SELECT digest, body, rule, removed_by FROM ledger_facts WHERE site = ? AND digest > ?"
            " ORDER BY digest LIMIT ?"
        )
        after = b""
        while True:
            with read(self._engine) as db:
                page = [FactsRow._make(row) for row in run(db, sql, (self.site, after, PAGE))]
            if not page:
                return
            yield from page
            after = page[-1].digest

    def known_facts(self, digests: Iterable[bytes]) -> set[bytes]:
        """Give those of these digests that are kept or were removed."""
        sql = "SELECT digest FROM ledger_facts WHERE site = ? AND digest = ?"
        with read(self._engine) as db:
            return {d for d in digests if run(db, sql, (self.site, d)).first() is not None}


class _DatabaseIndex:
    """Read a ledger's search index from its database."""

    def __init__(self, engine: Engine, site: str) -> None:
        self._site, self._engine = site, engine

    def indexed(self) -> int:
        """Give how many records the search index claims to cover."""
        with read(self._engine) as db:
            return postings.indexed(db, self._site)

    def postings(self, block: int) -> dict[str, bytes]:
        """Give the stored postings of a block by term."""
        sql = "SELECT term, offsets FROM ledger_posting WHERE site = ? AND block = ?"
        with read(self._engine) as db:
            return {row[0]: row[1] for row in run(db, sql, (self._site, block))}

    def blocks_beyond(self, block: int) -> int:
        """Count stored postings of this block and later ones."""
        sql = "SELECT COUNT(*) FROM ledger_posting WHERE site = ? AND block >= ?"
        with read(self._engine) as db:
            found: int = run(db, sql, (self._site, block)).scalar_one()
        return found
