"""Write a ledger into a folder that can be verified without Oathward's database, and read it again.

| file | holds |
|---|---|
| ``ledger.json`` | format, site, origin, size, number of checkpoints, keys (as named by whoever exported: no proof) |
| ``records-NNNNNNNNNNNN.jsonl`` | from that index on, 100,000 records, one a line: ``i``, ``leaf``, and ``salt`` and ``body`` (the canonical bytes as text), or ``rule`` and ``removed_by`` |
| ``facts.jsonl`` | ``digest``, and ``body`` or ``rule`` and ``removed_by`` |
| ``checkpoints.jsonl`` | ``seq``, ``size``, ``note`` |
| ``checkpoint``, ``tile/…`` | the last signed note and the tree as C2SP tlog-tiles, for strangers' tools |

Rules:
- Hashes and salts in hex; ``leaf`` = SHA-256(0x00 ‖ salt ‖ body).
- ``ledger.json`` is written last: a folder without it is not an export.
- Everything up to one moment is exported; a live ledger may go on meanwhile.

Deliberately absent: the search index (it is derived), and trust: a verification needs keys from elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import IO, Any

import orjson
from sqlalchemy import Engine

from oathward.core.db import read
from oathward.core.errors import InputError, LedgerError
from oathward.ledger import checkpoint, log, merkle, proofs
from oathward.ledger.report import Report
from oathward.ledger.sources import PAGE, DatabaseSource, FactsRow, Index, Row, Shape
from oathward.ledger.verify import Keys, Progress, verify

FORMAT = 1
RECORDS_PER_FILE = 100_000
MANIFEST = "ledger.json"


def export(
    engine: Engine, site: str, folder: Path, keys: Sequence[str] = (), *, progress: Progress | None = None
) -> int:
    """Export a ledger into a new or empty folder; gives how many records it holds.

    Args:
        keys: verifier keys to name in the manifest, for the reader's convenience.

    Raises:
        InputError: the folder holds something.
    """
    if folder.exists() and any(folder.iterdir()):
        raise InputError(str(folder), "is not empty")
    folder.mkdir(parents=True, exist_ok=True)
    source = DatabaseSource(engine, site)
    size = _write_records(source, folder, progress or (lambda _done, _of: None))
    with (folder / "facts.jsonl").open("wb") as file:
        _lines(file, (_facts_line(row) for row in source.facts()))
    kept = [found for found in source.checkpoints() if found.size <= size]
    with (folder / "checkpoints.jsonl").open("wb") as file:
        _lines(file, ({"note": k.note, "seq": k.seq, "size": k.size} for k in kept))
    if kept:
        (folder / "checkpoint").write_text(kept[-1].note)
    _write_tiles(engine, site, folder, sorted({size, *(k.size for k in kept[-1:])}))
    with read(engine) as db:
        origin = log.origin(db, site)
    manifest = {
        "checkpoints": len(kept),
        "format": FORMAT,
        "keys": list(keys),
        "origin": origin,
        "site": site,
        "size": size,
    }
    with (folder / MANIFEST).open("wb") as file:
        file.write(orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        file.flush()
        os.fsync(file.fileno())
    return size


def verify_export(
    folder: Path, keys: Keys, *, held: Sequence[str] = (), progress: Progress | None = None
) -> Report:
    """Verify an export alone; see ``verify.verify_database``.

    Raises:
        LedgerError: the folder is not an export, or a file of it cannot be read as one.
    """
    with closing(ExportSource(folder)) as source:
        return verify(source, keys, held=held, progress=progress)


def manifest_of(folder: Path) -> dict[str, Any]:
    """Read ``ledger.json``.

    Raises:
        LedgerError: absent or not one of ours.
    """
    try:
        manifest = orjson.loads((folder / MANIFEST).read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise LedgerError(MANIFEST, "is missing or broken: not a ledger export") from error
    types = {"checkpoints": int, "format": int, "keys": list, "origin": str, "site": str, "size": int}
    if not isinstance(manifest, dict) or any(type(manifest.get(k)) is not t for k, t in types.items()):
        raise LedgerError(MANIFEST, "has another form")
    if manifest["format"] != FORMAT:
        raise LedgerError(MANIFEST, f"is not of format {FORMAT}")
    return manifest


class ExportSource:
    """Read a ledger from an export. Rows are read in order; going back opens the file again."""

    index: Index | None = None  # derived, hence not exported

    def __init__(self, folder: Path) -> None:
        self._folder, self._manifest = folder, manifest_of(folder)
        self.site: str = self._manifest["site"]
        self._file: IO[bytes] | None = None
        self._next = -1
        self._facts: set[bytes] = set()

    def shape(self) -> Shape:
        """Give sizes and counts as the manifest says, and the last index there is."""
        m = self._manifest
        files = sorted(self._folder.glob("records-*.jsonl"))
        last = -1
        if files:
            *_, line = (b"", *files[-1].read_bytes().rstrip(b"\n").rsplit(b"\n", 1))
            last = _row(line, files[-1].name).idx if line else int(files[-1].stem.partition("-")[2]) - 1
        return Shape(m["size"], None, m["origin"], m["checkpoints"], 0, last, None, None)

    def rows(self, start: int, stop: int) -> list[Row]:
        """Give the records of a range, in order."""
        rows: list[Row] = []
        at = start
        while at < stop:
            if at != self._next or not at % RECORDS_PER_FILE:
                self._open(at)
            found = self._line()
            if found is None:
                break
            rows.append(found)
            at += 1
            self._next = at
        return rows

    def tiles(self, level: int, start: int, stop: int) -> dict[int, bytes]:
        """Give the tiles of a range; a partial one only where there is no full one."""
        found = {}
        for index in range(start, stop):
            full = self._folder / tile_path(level, index)
            partial = full.with_name(full.name + ".p")
            parts = list(partial.iterdir()) if partial.is_dir() else []
            packed = [p.read_bytes() for p in parts] + ([full.read_bytes()] if full.is_file() else [])
            if packed:
                longest = max(packed, key=len)
                honest = all(longest.startswith(p) for p in packed)
                found[index] = longest if honest else b"?"  # of no tile's length: reported as changed
        return found

    def checkpoints(self) -> Iterator[checkpoint.Kept]:
        """Give the checkpoints by number."""
        for line in _read_lines(self._folder / "checkpoints.jsonl"):
            try:
                yield checkpoint.Kept(int(line["seq"]), int(line["size"]), str(line["note"]))
            except (KeyError, TypeError, ValueError) as error:
                raise LedgerError("checkpoints.jsonl", "has another form") from error

    def facts(self) -> Iterator[FactsRow]:
        """Give all facts; their names are remembered for ``known_facts``."""
        for line in _read_lines(self._folder / "facts.jsonl"):
            row = _facts_row(line)
            self._facts.add(row.digest)
            yield row

    def known_facts(self, digests: Iterable[bytes]) -> set[bytes]:
        """Give those of these digests that are in the export."""
        return self._facts.intersection(digests)

    def close(self) -> None:
        """Let go of the open file."""
        if self._file:
            self._file.close()

    def _open(self, index: int) -> None:
        self.close()
        first = index - index % RECORDS_PER_FILE
        path = self._folder / _records_name(first)
        self._file = path.open("rb") if path.is_file() else None
        for _ in range(index - first):
            self._line()
        self._next = index

    def _line(self) -> Row | None:
        line = self._file.readline(merkle.TILE_WIDTH * 4_096) if self._file else b""
        return _row(line, Path(self._file.name).name) if line and self._file else None


def tile_path(level: int, index: int) -> str:
    """Name a tile as C2SP tlog-tiles does: 1234067 at level 0 is ``tile/0/x001/x234/067``."""
    parts = [f"{index % 1000:03d}"]
    while index := index // 1000:
        parts.append(f"x{index % 1000:03d}")
    return f"tile/{level}/{'/'.join(reversed(parts))}"


def _write_records(source: DatabaseSource, folder: Path, progress: Progress) -> int:
    at, size = 0, source.shape().size
    while at < size:
        stop = at + RECORDS_PER_FILE
        with (folder / _records_name(at)).open("wb") as file:
            while at < min(stop, size):
                rows = source.rows(at, min(at + PAGE, stop, size))
                if not rows:
                    raise LedgerError(f"record {at}", "is missing: run `ledger verify`")
                _lines(file, map(_line, rows))
                if any((row.removed_by or 0) >= size for row in rows):
                    size = source.shape().size  # removed meanwhile: the record that says so belongs here, too
                at += len(rows)
                progress(at, size)
    return size


def _write_tiles(engine: Engine, site: str, folder: Path, sizes: Sequence[int]) -> None:
    """Write the full tiles of the largest size, and the partial ones of each size."""
    with read(engine) as db:
        tile = proofs.tile_reader(db, site)
        for size in sizes:
            level, nodes = 0, size
            while nodes:
                full, width = divmod(nodes, merkle.TILE_WIDTH)
                if size == sizes[-1]:
                    for index in range(full):
                        _write_tile(
                            folder / tile_path(level, index), proofs.read_tile(db, site, level, index)
                        )
                if width:
                    path = folder / f"{tile_path(level, full)}.p" / str(width)
                    _write_tile(path, tile(level, full)[: width * merkle.HASH_BYTES])
                level, nodes = level + 1, full


def _write_tile(path: Path, packed: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(packed)


def _records_name(first: int) -> str:
    return f"records-{first:012d}.jsonl"


def _lines(file: IO[bytes], values: Iterable[dict[str, Any]]) -> None:
    file.writelines(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE) for value in values)


def _line(row: Row) -> dict[str, Any]:
    if row.body is None:
        return {"i": row.idx, "leaf": row.leaf.hex(), "removed_by": row.removed_by, "rule": row.rule}
    salt = row.salt.hex() if row.salt is not None else None
    return {"body": row.body.decode(), "i": row.idx, "leaf": row.leaf.hex(), "salt": salt}


def _row(line: bytes, where: str) -> Row:
    try:
        d = orjson.loads(line)
        salt = bytes.fromhex(d["salt"]) if d.get("salt") is not None else None
        body = d["body"].encode() if d.get("body") is not None else None
        return Row(
            int(d["i"]),
            None,
            None,
            None,
            None,
            bytes.fromhex(d["leaf"]),
            salt,
            body,
            d.get("rule"),
            d.get("removed_by"),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise LedgerError(where, "has a line of another form") from error


def _facts_line(row: FactsRow) -> dict[str, Any]:
    if row.body is None:
        return {"digest": row.digest.hex(), "removed_by": row.removed_by, "rule": row.rule}
    return {"body": row.body.decode(), "digest": row.digest.hex()}


def _facts_row(line: dict[str, Any]) -> FactsRow:
    try:
        body = line["body"].encode() if line.get("body") is not None else None
        return FactsRow(bytes.fromhex(line["digest"]), body, line.get("rule"), line.get("removed_by"))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise LedgerError("facts.jsonl", "has a line of another form") from error


def _read_lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open("rb") as file:
            for line in file:
                yield orjson.loads(line)
    except (OSError, orjson.JSONDecodeError) as error:
        raise LedgerError(path.name, "is missing or has a line of another form") from error
