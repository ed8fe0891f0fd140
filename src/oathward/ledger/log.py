"""Append to the ledger and read its head.

Rules:
- The caller's transaction holds the change and its records; ``append`` is the last call before it ends.
- On PostgreSQL the head row is locked ``FOR UPDATE``; on SQLite ``core.db.write`` is the only writer.
- The head (size and frontier) is extended here; nothing is hashed but interior nodes.
- Full tiles are written as they fill, so that a proof needs a handful of rows at any size.

Deliberately absent: signing (``checkpoint.py``), and any check of what a record says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine

from oathward.core.db import direct, insert_many
from oathward.ledger import merkle
from oathward.ledger.records import Leaf, Record, prepare
from oathward.ledger.tables import RECORD, TILE, run

STARTED = "ledger.started"
RESTORED = "ledger.restored"
REMOVED = "record.removed"
FACTS_REMOVED = "facts.removed"
REMOVALS = (REMOVED, FACTS_REMOVED)
LASTING = frozenset({STARTED, RESTORED, *REMOVALS})
"""Kinds the ledger itself stands on: they are never removed."""

FORMAT = 1
"""Version of what a leaf, a tile and a checkpoint are, named by the first record."""


@dataclass(frozen=True, slots=True)
class Head:
    """How long the ledger is and what its root is."""

    size: int
    root: bytes


def default_origin(site: str) -> str:
    """Name a log that was never given a name by ``start``."""
    return f"oathward/{site}"


def start(db: Connection, site: str, origin: str, key: str, at_us: int) -> None:
    """Begin a site's ledger: its first record names the origin and the key of its checkpoints.

    Args:
        origin: name of the log, unique in the world, without spaces or ``+``.
        key: the checkpoint key as a C2SP verifier key (``note.encode_key``).
    """
    size = locked_size(db, site)
    assert size == 0, "start() comes before every record"
    run(db, "UPDATE ledger_head SET origin = ? WHERE site = ?", (origin, site))
    append(db, site, [prepare(Record(STARTED, {"format": FORMAT, "key": key, "origin": origin}, at_us))])


def append(
    db: Connection, site: str, leaves: Sequence[Leaf], facts: Mapping[bytes, bytes] | None = None
) -> range:
    """Append leaves in order; the last call before the caller's commit.

    Args:
        facts: SHA-256 -> canonical facts named by these records; those already kept are skipped, those removed
            come back.

    Returns:
        The indexes the leaves got.
    """
    size, frontier, removals = _locked_head(db, site)
    if facts:
        _keep_facts(db, site, facts, removals)
    if not leaves:
        return range(size, size)
    rows, hashes = [], []
    for idx, leaf in enumerate(leaves, size):
        r = leaf.record
        rows.append(
            (site, idx, r.kind, r.at_us, r.subject, r.message, leaf.hash, leaf.salt, leaf.body, None, None)
        )
        hashes.append(leaf.hash)
    done = merkle.grow(size, frontier, hashes)
    end = size + len(rows)
    if done:
        _write_leaf_tiles(db, site, size, hashes)
        for level, nodes in done.items():
            _write_node_tiles(db, site, level, size >> (merkle.TILE_HEIGHT * level), nodes)
    insert_many(db, RECORD, rows)
    direct(db, _SET_HEAD, (end, b"".join(frontier), site))
    return range(size, end)


def head(db: Connection, site: str) -> Head:
    """Read the head; an absent ledger is an empty one."""
    row = run(db, "SELECT size, frontier FROM ledger_head WHERE site = ?", (site,)).first()
    if row is None:
        return Head(0, merkle.EMPTY_ROOT)
    return Head(row[0], merkle.root_of(merkle.split_hashes(row[1])))


def origin(db: Connection, site: str) -> str:
    """Read the name under which checkpoints are signed now."""
    found = run(db, "SELECT origin FROM ledger_head WHERE site = ?", (site,)).scalar()
    return found or default_origin(site)


def sites(db: Connection) -> list[str]:
    """List the sites that have records in this database."""
    return [name for (name,) in run(db, "SELECT site FROM ledger_head WHERE size > 0 ORDER BY site")]


def locked_size(db: Connection, site: str) -> int:
    """Lock the head for this transaction and give the index the next record gets."""
    return _locked_head(db, site)[0]


_FACTS_REMEMBERED_MAX = 100_000
_HEAD = "SELECT size, frontier, facts_removals FROM ledger_head WHERE site = ? FOR UPDATE"
_SET_HEAD = "UPDATE ledger_head SET size = ?, frontier = ? WHERE site = ?"
_NEW_HEAD = (
    "INSERT INTO ledger_head (site, size, frontier, origin, checkpoints, facts_removals) VALUES (?, 0, ?, ?, 0, 0)"
    " ON CONFLICT DO NOTHING"
)
_KEPT_FACTS = "SELECT 1 FROM ledger_facts WHERE site = ? AND digest = ? AND body IS NOT NULL"
_NEW_FACTS = (
    "INSERT INTO ledger_facts (site, digest, body) VALUES (?, ?, ?) ON CONFLICT (site, digest) DO UPDATE"
    " SET body = excluded.body, rule = NULL, removed_by = NULL WHERE ledger_facts.body IS NULL"
)


def _locked_head(db: Connection, site: str) -> tuple[int, list[bytes], int]:
    row = direct(db, _HEAD, (site,)).fetchone()
    if row is None:
        run(db, _NEW_HEAD, (site, b"", default_origin(site)))
        row = direct(db, _HEAD, (site,)).fetchone()
    size, frontier, removals = row  # type: ignore[misc]  # there is one now
    return size, merkle.split_hashes(frontier), removals


class _Remembered:
    """Facts of one database and site that were seen kept by an earlier transaction; void once any are removed."""

    def __init__(self) -> None:
        self.removals = -1
        self.digests: set[bytes] = set()


_remembered: WeakKeyDictionary[Engine, dict[str, _Remembered]] = WeakKeyDictionary()


def _keep_facts(db: Connection, site: str, facts: Mapping[bytes, bytes], removals: int) -> None:
    """Keep what is new or was removed; the head is locked, so nobody removes any meanwhile."""
    of_site = _remembered.setdefault(db.engine, {}).setdefault(site, _Remembered())
    if of_site.removals != removals or len(of_site.digests) > _FACTS_REMEMBERED_MAX:
        of_site.removals, of_site.digests = removals, set()
    unsure = sorted(facts.keys() - of_site.digests)
    for digest in unsure:
        if direct(db, _KEPT_FACTS, (site, digest)).fetchone() is None:
            run(db, _NEW_FACTS, (site, digest, facts[digest]))
        else:  # what this transaction adds is remembered only when a later one finds it: it may not be committed
            of_site.digests.add(digest)


def _write_leaf_tiles(db: Connection, site: str, size: int, hashes: Sequence[bytes]) -> None:
    """Write the level 0 tiles that these leaves fill."""
    width = merkle.TILE_WIDTH
    first = size - size % width
    known: list[bytes] = []
    if first < size:
        sql = "SELECT leaf FROM ledger_record WHERE site = ? AND idx >= ? AND idx < ? ORDER BY idx"
        known = [row[0] for row in run(db, sql, (site, first, size))]
    known += hashes
    full = range(len(known) // width)
    rows = [(site, 0, first // width + n, b"".join(known[n * width : (n + 1) * width])) for n in full]
    insert_many(db, TILE, rows)


def _write_node_tiles(db: Connection, site: str, level: int, count: int, nodes: list[bytes]) -> None:
    """Extend the last tile of a level ≥ 1, which holds ``count`` nodes in all its tiles so far."""
    while nodes:
        tile, width = divmod(count, merkle.TILE_WIDTH)
        part, nodes = nodes[: merkle.TILE_WIDTH - width], nodes[merkle.TILE_WIDTH - width :]
        if width:
            where = (site, level, tile)
            sql = "SELECT hashes FROM ledger_tile WHERE site = ? AND level = ? AND idx = ?"
            packed = run(db, sql, where).scalar_one() + b"".join(part)
            run(
                db,
                "UPDATE ledger_tile SET hashes = ? WHERE site = ? AND level = ? AND idx = ?",
                (packed, *where),
            )
        else:
            insert_many(db, TILE, [(site, level, tile, b"".join(part))])
        count += len(part)
