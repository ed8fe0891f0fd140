"""Prove records one by one against one signed checkpoint, as whoever copies what they speak of must.

Rules:
- A record counts as proved when salt and body hash to its leaf and the leaf leads to the checkpoint's root; the row's
  columns are not believed.
- Tiles are read once and only as many are held as ``TILES_MAX``.

Deliberately absent: signatures (``checkpoint.read_note``), and searching (``reading``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import Connection

from oathward.core.errors import LedgerError
from oathward.core.reasons import Reason
from oathward.ledger import merkle, proofs
from oathward.ledger.checkpoint import Checkpoint
from oathward.ledger.records import leaf_hash
from oathward.ledger.tables import run

TILES_MAX = 512


class Proofs:
    """Proves records under one checkpoint. ``signed``: whose signatures the caller has checked."""

    def __init__(self, site: str, signed: Checkpoint) -> None:
        self._site, self.signed = site, signed
        self._tiles: dict[tuple[int, int], bytes] = {}

    def record(self, db: Connection, index: int) -> Mapping[str, Any]:
        """Give a proved record as its canonical body has it: ``at``, ``body``, ``kind``, ``message``, ``subject``.

        Raises:
            LedgerError: it is not there, not covered, was removed, or does not lead to the signed root.
        """
        sql = "SELECT salt, body FROM ledger_record WHERE site = ? AND idx = ?"
        row = run(db, sql, (self._site, index)).first()
        if row is None or row[0] is None or row[1] is None:
            raise LedgerError(f"record {index}", "is not there any more", reason=Reason.NOT_FOUND)
        if type(row[0]) is not bytes or type(row[1]) is not bytes:  # SQLite lets a column hold anything
            raise LedgerError(f"record {index}", "was changed: it is no bytes")
        hashes = merkle.prove_inclusion(self._reader(db), index, self.signed.size)
        leaf = leaf_hash(row[0], row[1])
        merkle.check_inclusion(index, self.signed.size, leaf, hashes, self.signed.root)
        found: Mapping[str, Any] = orjson.loads(row[1])
        return found

    def _reader(self, db: Connection) -> merkle.TileReader:
        def tile(level: int, index: int) -> bytes:
            found = self._tiles.get((level, index))
            if found is None:
                found = proofs.read_tile(db, self._site, level, index)
                if len(self._tiles) >= TILES_MAX:
                    self._tiles.clear()
                self._tiles[level, index] = found
            return found

        return tile
