"""Grow the tree again from leaves and compare tiles and roots with it.

When a stored tile differs from the records, one of the two was changed: the next signed root tells which. A
difference waits until then; the narrowest one below a wrong root names the record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from oathward.core.reasons import Reason
from oathward.ledger import merkle
from oathward.ledger.report import Problem

Tiles = Callable[[int, int, int], dict[int, bytes]]
"""Level, first index, end index -> stored tiles by index."""


class _Difference(NamedTuple):
    first: int
    last: int
    tile: str


class TreeChecks:
    """The tree so far, and what did not agree with it.

    Invariant: ``size`` leaves have been added; every full tile among them has been compared; a root was last
    found right at ``sound``.
    """

    def __init__(self, report: Callable[[Problem], None], stored: Tiles) -> None:
        self._report, self._stored = report, stored
        self.size = 0
        self.sound = 0
        self.tiles = 0
        self._frontier: list[bytes] = []
        self._partial: dict[int, list[bytes]] = {0: []}  # level -> nodes of the tile being filled
        self._counts: dict[int, int] = {}  # level -> full tiles
        self._waiting: list[_Difference] = []
        self._broken = False

    @property
    def root(self) -> bytes:
        """The root of the tree so far."""
        return merkle.root_of(self._frontier)

    @property
    def packed_frontier(self) -> bytes:
        """The frontier as the head stores it."""
        return b"".join(self._frontier)

    def grow(self, leaves: Sequence[bytes]) -> None:
        """Add leaves and compare every tile they fill."""
        done = merkle.grow(self.size, self._frontier, leaves)
        self.size += len(leaves)
        done[0] = list(leaves)
        for level in sorted(done):
            self._fill(level, done[level])

    def check_root(self, root: bytes, where: str) -> bool:
        """Compare with a signed root of the size the tree has now; True when it is right."""
        if root == self.root:
            for difference in self._waiting:
                self._report(_tile_changed(difference.tile))
            self._waiting.clear()
            self.sound = self.size
            return True
        if not self._broken:
            self._broken = True
            self._report(self._blame(where))
            self._waiting.clear()
        return False

    def finish(self, size_now: Callable[[], int]) -> None:
        """Compare the rightmost tiles, and settle what still waits.

        Args:
            size_now: asked after each tile was read, for what the ledger may have grown to meanwhile: stored
                tiles may be so long.
        """
        for level, nodes in self._partial.items():
            index = self._counts.get(level, 0)
            packed = self._stored(level, index, index + 1).get(index, b"") if nodes else b""
            built = b"".join(nodes)
            if not nodes or not (level or packed):
                continue  # a leaf tile is stored when it is full; an export has the partial one, too
            self.tiles += level > 0
            most = (size_now() >> (merkle.TILE_HEIGHT * level)) - index * merkle.TILE_WIDTH
            fits = len(packed) <= min(most, merkle.TILE_WIDTH) * merkle.HASH_BYTES
            self._compare(level, index, built, packed[: len(built)] if fits else packed)
        for difference in filter(self._narrow, self._waiting):
            why = "differs from its tile; no signed root after it tells which of the two was changed"
            where = f"{_records(difference.first, difference.last)} or {difference.tile}"
            self._report(Problem(Reason.LEDGER_BROKEN, where, why, difference.first, difference.last))
        self._waiting.clear()

    def _fill(self, level: int, nodes: Sequence[bytes]) -> None:
        partial = self._partial.setdefault(level, [])
        partial += nodes
        full = len(partial) // merkle.TILE_WIDTH
        if not full:
            return
        first = self._counts.get(level, 0)
        found = self._stored(level, first, first + full)
        for n in range(full):
            hashes = partial[n * merkle.TILE_WIDTH : (n + 1) * merkle.TILE_WIDTH]
            self._compare(level, first + n, b"".join(hashes), found.get(first + n, b""))
        del partial[: full * merkle.TILE_WIDTH]
        self._counts[level] = first + full
        self.tiles += full

    def _compare(self, level: int, index: int, built: bytes, stored: bytes, *, at_once: bool = False) -> None:
        if built == stored or (self._broken and not at_once):
            return
        tile = f"tile {level}/{index}"
        if len(stored) != len(built):
            self._report(_tile_changed(tile))
            return
        pairs = zip(merkle.split_hashes(built), merkle.split_hashes(stored), strict=True)
        offset = next(n for n, (a, b) in enumerate(pairs) if a != b)
        under = merkle.TILE_WIDTH**level  # leaves under one node of this tile
        first = (index * merkle.TILE_WIDTH + offset) * under
        self._waiting.append(_Difference(first, first + under - 1, tile))

    def _blame(self, where: str) -> Problem:
        """Name the records under a wrong root as closely as the differences allow."""
        low, high = self.sound, self.size - 1
        self._look_ahead()
        if self._waiting:
            closest = min(self._waiting, key=lambda d: (d.last - d.first, d.first))
            low, high = closest.first, closest.last
        why = f"{_records(low, high)} changed: the tree has another root than {where} signs"
        return Problem(Reason.LEDGER_BROKEN, _records(low, high), why, low, high)

    def _look_ahead(self) -> None:
        """Compare the leaves of the tile being filled with the tile as it was stored later, if it was."""
        index, built = self._counts.get(0, 0), b"".join(self._partial[0])
        later = self._stored(0, index, index + 1).get(index, b"")
        if len(later) >= len(built):
            self._compare(0, index, built, later[: len(built)], at_once=True)

    def _narrow(self, one: _Difference) -> bool:
        """Say whether no other difference lies inside this one: an upper tile repeats what a lower one tells."""
        return not any(
            other is not one and one.first <= other.first and other.last <= one.last
            for other in self._waiting
        )


def _tile_changed(tile: str) -> Problem:
    return Problem(Reason.LEDGER_BROKEN, tile, "was changed or lost; the records under it are as they were")


def _records(first: int, last: int) -> str:
    return f"record {first}" if first == last else f"a record between {first} and {last}"
