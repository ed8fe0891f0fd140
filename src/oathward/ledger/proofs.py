"""Inclusion and consistency proofs out of the database's tiles.

Rules:
- A proof reads at most three tiles at a million records, each 8 KiB; nothing is cached between calls.
- Tiles are trusted for making proofs only: a proof from a changed tile leads to another root, and
  ``verify`` rebuilds every tile from the records.

Deliberately absent: checking (``merkle.check_inclusion``, ``merkle.check_consistency``).
"""

from __future__ import annotations

from sqlalchemy import Connection

from oathward.core.errors import LedgerError
from oathward.ledger import merkle
from oathward.ledger.tables import run


def inclusion_proof(db: Connection, site: str, index: int, size: int) -> list[bytes]:
    """Prove that record ``index`` stands in the tree of ``size`` records.

    Raises:
        LedgerError: ``not-found`` for an index or size the ledger does not have; ``ledger.broken`` for a lost tile.
    """
    return merkle.prove_inclusion(tile_reader(db, site), index, size)


def consistency_proof(db: Connection, site: str, old: int, new: int) -> list[bytes]:
    """Prove that the tree of ``old`` records is the beginning of the one of ``new``.

    Raises:
        LedgerError: as ``inclusion_proof``.
    """
    return merkle.prove_consistency(tile_reader(db, site), old, new)


def root_at(db: Connection, site: str, size: int) -> bytes:
    """Compute the root of the first ``size`` records from tiles."""
    return merkle.root_at(tile_reader(db, site), size)


def tile_reader(db: Connection, site: str) -> merkle.TileReader:
    """Read tiles of one ledger, each once."""
    seen: dict[tuple[int, int], bytes] = {}

    def tile(level: int, index: int) -> bytes:
        if (level, index) not in seen:
            seen[level, index] = read_tile(db, site, level, index)
        return seen[level, index]

    return tile


def read_tile(db: Connection, site: str, level: int, index: int) -> bytes:
    """Read one tile; the rightmost of level 0 is made from the records' leaves.

    Raises:
        LedgerError: it is not there.
    """
    sql = "SELECT hashes FROM ledger_tile WHERE site = ? AND level = ? AND idx = ?"
    packed: bytes | None = run(db, sql, (site, level, index)).scalar()
    if packed is None and level == 0:  # the rightmost tile is not written before it is full
        first = index * merkle.TILE_WIDTH
        sql = "SELECT leaf FROM ledger_record WHERE site = ? AND idx >= ? AND idx < ? ORDER BY idx"
        packed = b"".join(row[0] for row in run(db, sql, (site, first, first + merkle.TILE_WIDTH)))
    if packed is None:
        raise LedgerError(f"tile {level}/{index}", "is not there")
    return packed
