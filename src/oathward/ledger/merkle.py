"""The Merkle tree of RFC 6962 as pure functions: grow, root, prove, check.

Rules:
- Hashes come in and go out as 32 bytes; sizes and indexes are checked before anything is hashed.
- Checking a proof raises or returns None; it never returns a truth value.
- The *frontier* is the list of roots of the perfect subtrees of a tree, largest first: one for each
  set bit of the size. It is all that growing needs.

Deliberately absent: storage (``proofs.py`` finds nodes in tiles).

Source: RFC 6962 §2.1; RFC 9162 §2.1 (hashes, inclusion, consistency); C2SP tlog-tiles (256-wide tiles).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

HASH_BYTES = 32
TILE_WIDTH = 256
TILE_HEIGHT = 8
EMPTY_ROOT = sha256(b"").digest()


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
