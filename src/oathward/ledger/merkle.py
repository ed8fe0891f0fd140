"""The Merkle tree of RFC 6962 as pure functions: grow, root, prove, check.

Rules:
- Hashes come in and go out as 32 bytes; sizes and indexes are checked before anything is hashed.
- Checking a proof raises or returns nothing; it never returns a truth value.
- The *frontier* is the list of roots of the perfect subtrees of a tree, largest first: one for each
  set bit of the size. It is all that growing needs.
- Proofs are made from *tiles* (C2SP tlog-tiles: 256 hashes of one level), which ``tile(level, index)`` gives.

Deliberately absent: storage (``proofs.py``).

Source: RFC 6962 §2.1; RFC 9162 §2.1.3.2 and §2.1.4.2 (checking); C2SP tlog-tiles (256-wide tiles).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

from oathward.core.errors import LedgerError
from oathward.core.reasons import Reason

HASH_BYTES = 32
TILE_WIDTH = 256
TILE_HEIGHT = 8
EMPTY_ROOT = sha256(b"").digest()
SIZE_MAX = 2**63 - 1
PROOF_HASHES_MAX = 63

TileReader = Callable[[int, int], bytes]
"""Tile level, tile index -> its hashes, concatenated; at least as many as the tree in question has."""


def join(left: bytes, right: bytes) -> bytes:
    """Hash two children into their parent."""
    return sha256(b"\x01" + left + right).digest()


def grow(size: int, frontier: list[bytes], leaves: Iterable[bytes]) -> dict[int, list[bytes]]:
    """Add leaves to a tree of ``size``; ``frontier`` changes in place.

    Returns:
        For each tile level ≥ 1 the hashes that became complete, in order: the nodes over 256, 65,536 … leaves.
    """
    done: dict[int, list[bytes]] = {}
    hash_ = sha256
    for node in leaves:
        carry, level = size, 0
        while carry & 1:
            node = hash_(b"\x01" + frontier.pop() + node).digest()
            carry >>= 1
            level += 1
            if not level & 7:
                done.setdefault(level >> 3, []).append(node)
        frontier.append(node)
        size += 1
    return done


def root_of(frontier: Sequence[bytes]) -> bytes:
    """Fold the frontier into the root; the empty tree has SHA-256 of nothing."""
    if not frontier:
        return EMPTY_ROOT
    node = frontier[-1]
    for left in reversed(frontier[:-1]):
        node = join(left, node)
    return node


def split_hashes(packed: bytes) -> list[bytes]:
    """Cut concatenated hashes apart."""
    return [packed[at : at + HASH_BYTES] for at in range(0, len(packed), HASH_BYTES)]


def prove_inclusion(tile: TileReader, index: int, size: int) -> list[bytes]:
    """Give the audit path of a leaf, from its sibling up.

    Raises:
        LedgerError: ``not-found``; no such leaf in a tree of this size.
    """
    if not 0 <= index < size <= SIZE_MAX:
        raise LedgerError(f"record {index}", f"a tree of {size} has no such leaf", reason=Reason.NOT_FOUND)
    ranges, low, high = [], 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            ranges.append((middle, high))
            high = middle
        else:
            ranges.append((low, middle))
            low = middle
    return [_subtree(tile, *r) for r in reversed(ranges)]


def prove_consistency(tile: TileReader, old: int, new: int) -> list[bytes]:
    """Give the proof that a tree of ``old`` leaves is the beginning of the one of ``new``.

    Raises:
        LedgerError: ``not-found``; the old tree is the larger.
    """
    if not 0 <= old <= new <= SIZE_MAX:
        raise LedgerError(f"size {old}", f"a tree of {new} does not reach there", reason=Reason.NOT_FOUND)
    if old in (0, new):
        return []
    ranges, low, high = [], 0, new
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            ranges.append((middle, high))
            high = middle
        else:
            ranges.append((low, middle))
            low = middle
    if low:
        ranges.append((low, high))
    return [_subtree(tile, *r) for r in reversed(ranges)]


def root_at(tile: TileReader, size: int) -> bytes:
    """Compute the root of the first ``size`` leaves."""
    return _subtree(tile, 0, size) if size else EMPTY_ROOT


def check_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Return nothing when the leaf stands at ``index`` in the tree with this root.

    Raises:
        LedgerError: in every other case.

    Source: RFC 9162 §2.1.3.2.
    """
    if not 0 <= index < size <= SIZE_MAX:
        raise LedgerError("inclusion proof", "the index is not in the tree")
    _check_hashes("inclusion proof", [leaf, root, *proof])
    node, last, at = leaf, size - 1, index
    for sibling in proof:
        if not last:
            raise LedgerError("inclusion proof", "too long")
        if at & 1 or at == last:
            node = join(sibling, node)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            node = join(node, sibling)
        at, last = at >> 1, last >> 1
    if last:
        raise LedgerError("inclusion proof", "too short")
    if node != root:
        raise LedgerError("inclusion proof", "leads to another root")


def check_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Return nothing when the old tree is the beginning of the new one.

    Raises:
        LedgerError: in every other case.

    Source: RFC 9162 §2.1.4.2; C2SP tlog-witness (an empty tree begins every tree, its proof is empty).
    """
    if not 0 <= old <= new <= SIZE_MAX:
        raise LedgerError("consistency proof", "the old tree is the larger")
    _check_hashes("consistency proof", [old_root, new_root, *proof])
    if old in (0, new):
        if proof:
            raise LedgerError("consistency proof", "must be empty here")
        if old_root != (EMPTY_ROOT if old == 0 else new_root) or (new == 0 and new_root != EMPTY_ROOT):
            raise LedgerError("consistency proof", "the roots differ")
        return
    if not proof:
        raise LedgerError("consistency proof", "too short")
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if _both_roots(old, new, path) != (old_root, new_root):
        raise LedgerError("consistency proof", "leads to other roots")


def _both_roots(old: int, new: int, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old_node = new_node = path[0]
    for sibling in path[1:]:
        if not last:
            raise LedgerError("consistency proof", "too long")
        if at & 1 or at == last:
            old_node, new_node = join(sibling, old_node), join(sibling, new_node)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            new_node = join(new_node, sibling)
        at, last = at >> 1, last >> 1
    if last:
        raise LedgerError("consistency proof", "too short")
    return old_node, new_node


def perfect_parts(low: int, high: int) -> list[tuple[int, int]]:
    """Cut a range of leaves into perfect subtrees ``(level, index)``, left to right; ``low`` is aligned."""
    parts = []
    while low < high:
        level = (high - low).bit_length() - 1
        parts.append((level, low >> level))
        low += 1 << level
    return parts


def _subtree(tile: TileReader, low: int, high: int) -> bytes:
    return root_of([_node(tile, level, index) for level, index in perfect_parts(low, high)])


def _node(tile: TileReader, level: int, index: int) -> bytes:
    """Compute one node from the tile that holds its leaves or nearest stored descendants."""
    tile_level, height = divmod(level, TILE_HEIGHT)
    first = index << height
    packed = tile(tile_level, first // TILE_WIDTH)
    start = first % TILE_WIDTH * HASH_BYTES
    nodes = split_hashes(packed[start : start + (HASH_BYTES << height)])
    if len(nodes) != 1 << height or len(nodes[-1]) != HASH_BYTES:
        raise LedgerError(f"tile {tile_level}/{first // TILE_WIDTH}", "is too short")
    hash_ = sha256
    while len(nodes) > 1:
        nodes = [hash_(b"\x01" + nodes[n] + nodes[n + 1]).digest() for n in range(0, len(nodes), 2)]
    return nodes[0]


def _split(count: int) -> int:
    """Give the largest power of two smaller than ``count`` (≥ 2)."""
    return 1 << ((count - 1).bit_length() - 1)


def _check_hashes(where: str, hashes: Sequence[bytes]) -> None:
    if len(hashes) > PROOF_HASHES_MAX + 2:
        raise LedgerError(where, "too long")
    if any(len(h) != HASH_BYTES for h in hashes):
        raise LedgerError(where, "a hash is not 32 bytes")
