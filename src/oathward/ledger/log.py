"""Append to the ledger and read its head.

Rules (DESIGN §4 "Append is the last statement before COMMIT"):
- The caller's transaction holds the change and its records; ``append`` is the last call before it ends.
- On PostgreSQL the head row is locked ``FOR UPDATE``; on SQLite ``core.db.write`` is the only writer.
- The head (size and frontier) is extended here; nothing is hashed but interior nodes.
- Full tiles are written as they fill, so that a proof needs a handful of rows at any size.

Deliberately absent: signing (``checkpoint.py``), and any check of what a record says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import Connection

from oathward.core.db import insert_many
from oathward.ledger import merkle
from oathward.ledger.records import Leaf
from oathward.ledger.tables import FACTS, LINK, RECORD, TILE


@dataclass(frozen=True, slots=True)
class Head:
    """How long the ledger is and what its root is."""

    size: int
    root: bytes


def append(
    db: Connection, site: str, leaves: Sequence[Leaf], facts: Mapping[bytes, bytes] | None = None
) -> range:
    """Append leaves in order; the last call before the caller's commit.

    Args:
        facts: SHA-256 -> canonical facts named by these records; those already kept are skipped.

    Returns:
        The indexes the leaves got.
    """
    if facts:
        _keep_facts(db, site, facts)
    size, frontier = _locked_head(db, site)
    rows, links, hashes = [], [], []
    for idx, leaf in enumerate(leaves, size):
        r = leaf.record
        rows.append((site, idx, r.kind, r.at_us, r.subject, r.message, leaf.hash, leaf.salt, leaf.body, ""))
        hashes.append(leaf.hash)
        links += [(site, link, idx) for link in dict.fromkeys(r.links)]
    if not rows:
        return range(size, size)
    done = merkle.grow(size, frontier, hashes)
    end = size + len(rows)
    if end // merkle.TILE_WIDTH > size // merkle.TILE_WIDTH:
        _write_leaf_tiles(db, site, size, hashes)
        for level, nodes in done.items():
            _write_node_tiles(db, site, level, size >> (merkle.TILE_HEIGHT * level), nodes)
    insert_many(db, RECORD, rows)
    insert_many(db, LINK, links)
    db.exec_driver_sql(_sql("set_head", db.dialect.name), (end, b"".join(frontier), site))
    return range(size, end)


def head(db: Connection, site: str) -> Head:
    """Read the head; an absent ledger is an empty one."""
    row = db.exec_driver_sql(_sql("head", db.dialect.name), (site,)).first()
    if row is None:
        return Head(0, merkle.EMPTY_ROOT)
    return Head(row[0], merkle.root_of(merkle.split_hashes(row[1])))


def _locked_head(db: Connection, site: str) -> tuple[int, list[bytes]]:
    sql = _sql("locked_head", db.dialect.name)
    row = db.exec_driver_sql(sql, (site,)).first()
    if row is None:
        db.exec_driver_sql(_sql("new_head", db.dialect.name), (site, 0, b"", "", 0))
        row = db.exec_driver_sql(sql, (site,)).one()
    return row[0], merkle.split_hashes(row[1])


def _keep_facts(db: Connection, site: str, facts: Mapping[bytes, bytes]) -> None:
    rows = [(site, digest, facts[digest], "") for digest in sorted(facts)]  # sorted: no deadlock
    db.exec_driver_sql(_sql("new_facts", db.dialect.name), rows)


def _write_leaf_tiles(db: Connection, site: str, size: int, hashes: Sequence[bytes]) -> None:
    """Write the level 0 tiles that these leaves fill."""
    first = size - size % merkle.TILE_WIDTH
    known: list[bytes] = []
    if first < size:
        found = db.exec_driver_sql(_sql("leaves", db.dialect.name), (site, first, size))
        known = [row[0] for row in found]
    known += hashes
    full = len(known) // merkle.TILE_WIDTH
    rows = [
        (
            site,
            0,
            first // merkle.TILE_WIDTH + n,
            b"".join(known[n * merkle.TILE_WIDTH : (n + 1) * merkle.TILE_WIDTH]),
        )
        for n in range(full)
    ]
    insert_many(db, TILE, rows)


def _write_node_tiles(db: Connection, site: str, level: int, count: int, nodes: list[bytes]) -> None:
    """Extend the last tile of a level ≥ 1, which holds ``count`` nodes in all its tiles so far."""
    dialect = db.dialect.name
    while nodes:
        tile, width = divmod(count, merkle.TILE_WIDTH)
        part, nodes = nodes[: merkle.TILE_WIDTH - width], nodes[merkle.TILE_WIDTH - width :]
        if width:
            old = db.exec_driver_sql(_sql("tile", dialect), (site, level, tile)).scalar_one()
            db.exec_driver_sql(_sql("set_tile", dialect), (old + b"".join(part), site, level, tile))
        else:
            insert_many(db, TILE, [(site, level, tile, b"".join(part))])
        count += len(part)


# The hot statements as text: compiling them each time would cost more than running them.
_STATEMENTS = {
    "head": "SELECT size, frontier FROM ledger_head WHERE site = ?",
    "locked_head": "SELECT size, frontier FROM ledger_head WHERE site = ? {for_update}",
    "new_head": "INSERT INTO ledger_head (site, size, frontier, origin, checkpoints) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT DO NOTHING",
    "set_head": "UPDATE ledger_head SET size = ?, frontier = ? WHERE site = ?",
    "new_facts": f"INSERT INTO {FACTS.name} (site, digest, body, removed) VALUES (?, ?, ?, ?)"  # noqa: S608  our own name
    " ON CONFLICT DO NOTHING",
    "leaves": "SELECT leaf FROM ledger_record WHERE site = ? AND idx >= ? AND idx < ? ORDER BY idx",
    "tile": "SELECT hashes FROM ledger_tile WHERE site = ? AND level = ? AND idx = ?",
    "set_tile": "UPDATE ledger_tile SET hashes = ? WHERE site = ? AND level = ? AND idx = ?",
}


@lru_cache
def _sql(name: str, dialect: str) -> str:
    sql = _STATEMENTS[name].replace("{for_update}", "" if dialect == "sqlite" else "FOR UPDATE")
    return sql if dialect == "sqlite" else sql.replace("?", "%s")
