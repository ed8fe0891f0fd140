"""A bounded memory of answers.

Oldest first out, an eighth at a time. Safe to share between threads under one interpreter lock:
at worst two threads compute the same answer.
"""

from __future__ import annotations

from itertools import islice
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

ENTRIES_MAX = 65_536


class Memo(Generic[K, V]):
    """Remember at most ``entries_max`` answers."""

    __slots__ = ("_entries_max", "_held", "get")

    def __init__(self, entries_max: int = ENTRIES_MAX) -> None:
        self._held: dict[K, V] = {}
        self._entries_max = entries_max
        self.get = self._held.get

    def put(self, key: K, value: V) -> None:
        """Remember one answer, forgetting the oldest when full."""
        held = self._held
        if len(held) >= self._entries_max:
            for old in list(islice(held, max(1, self._entries_max // 8))):
                held.pop(old, None)
        held[key] = value

    def __len__(self) -> int:
        return len(self._held)
