"""What a process remembers of subjects between messages: caches, the graph, and what is not committed yet.

Rules:
- Keyed hashes only; no identifier is held in memory.
- Rows of messages that are prepared and not committed are *open*: later messages share them, and carry them
  too, so that it does not matter whose transaction comes first, or whether one of them fails.
- An identifier never changes its subject (rows are never changed), so its cache needs no clearing; edges do
  change who is effective, and clear what was resolved. Nothing is remembered about absence past ``refresh``.
- Everything but a plain look into the caches happens under one lock: messages are resolved on the event loop
  and settled on the committer's thread.

Deliberately absent: reading messages.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import Connection

from oathward.patients import sql
from oathward.patients.graph import Graph
from oathward.patients.model import Edge, NewIdentifier, Resolution, SubjectRows

K = TypeVar("K")
V = TypeVar("V")

MERGES_US = 60, 60_000_000
"""So many merges of one source within so long; above it each further one is a finding (it is still done)."""

TICKETS_MAX = 20_000
"""Resolutions that wait to be settled; the oldest is taken as rolled back beyond it. One that is committed after
all is found again in the database."""

APART_MAX = 1_000
"""Undeclared pairs of names of one authority that are told of until the process starts anew."""

_MINUTE_US = 60_000_000
_LATE_US = 10 * _MINUTE_US
"""An edge that is committed this much later than it was made is found by counting, and costs a full reload."""


class Recent(Generic[K, V]):
    """Keep about the ``size`` entries that were used last: two generations, no bookkeeping per hit."""

    __slots__ = ("_half", "_old", "_young")

    def __init__(self, size: int) -> None:
        self._half = max(1, size // 2)
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """Find an entry; an older one becomes young again."""
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is not None:
                self.put(key, found)
        return found

    def put(self, key: K, value: V) -> None:
        """Keep an entry."""
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[key] = value

    def drop(self, key: K) -> None:
        """Forget an entry."""
        self._young.pop(key, None)
        self._old.pop(key, None)

    def clear(self) -> None:
        """Forget all."""
        self._young, self._old = {}, {}


@dataclass(slots=True, eq=False)
class Open:
    """Rows of subjects and identifiers on their way into the database, shared by ``uses`` messages."""

    rows: SubjectRows
    uses: int = 0


class State:
    """One process's view of one site's subjects."""

    def __init__(self, site: str, size: int, merges_us: tuple[int, int] = MERGES_US) -> None:
        self.site = site
        self._merges_max, self._merges_us = merges_us
        self.lock = threading.RLock()
        self.graph = Graph()
        self.hot: Recent[bytes, Resolution] = Recent(size)
        self.soft: dict[bytes, Resolution] = {}
        """Resolved although an identifier was unknown: true only until the next refresh."""
        self.established: Recent[str, bool] = Recent(size)
        self.words_written: Recent[str, int] = Recent(size)
        self._known: Recent[bytes, str] = Recent(size)
        self._open_ids: dict[bytes, Open] = {}
        self._tickets: dict[int, tuple[Resolution, tuple[Open, ...]]] = {}
        self._next_ticket = 1
        self._open_edges: set[str] = set()
        self._loaded = False
        self._newest_us = 0
        self._merges: dict[str, deque[int]] = {}
        self._edge_ms = 0
        self._apart: set[bytes] = set()

    def refresh(self, db: Connection) -> bool:
        """Take in what other processes changed; says whether anything did. Call it about every second."""
        with self.lock:
            self.soft.clear()
            count = sql.edge_count(db, self.site)
            if self._loaded and count == self._committed_edges():
                return False
            if self._loaded:
                self._take(sql.edges(db, self.site, since_us=self._newest_us - _LATE_US))
            if not self._loaded or count != self._committed_edges():
                self._take(sql.edges(db, self.site))
            self._newest_us = max((e.at_us for e in self.graph), default=0)
            self._loaded = True
            self.hot.clear()
            self._known.clear()  # an erased subject's identifiers are gone
            return True

    def _committed_edges(self) -> int:
        return len(self.graph) - len(self._open_edges)

    def _take(self, stored: Iterable[Edge]) -> None:
        """Add stored edges; the graph is replaced whole, since other threads follow it without the lock."""
        listed = list(stored)
        self._open_edges.difference_update(e.id for e in listed)
        self.graph = Graph([*self.graph, *listed])

    def ready(self, db: Connection) -> None:
        """Load the edges before anything is resolved."""
        if not self._loaded:
            self.refresh(db)

    # --- identifiers

    def find(self, db: Connection, hashes: Sequence[bytes]) -> tuple[dict[bytes, str], list[Open]]:
        """Look identifiers up: open ones, known ones, then the database; with the open rows relied on."""
        found: dict[bytes, str] = {}
        opens: list[Open] = []
        missing: list[bytes] = []
        for h in hashes:
            if (waiting := self._open_ids.get(h)) is not None:
                found[h] = next(i.subject for i in waiting.rows.identifiers if i.hash == h)
                if waiting not in opens:
                    opens.append(waiting)
            elif (known := self._known.get(h)) is not None:
                found[h] = known
            else:
                missing.append(h)
        for h, subject in sql.subjects_of(db, self.site, missing).items():
            found[h] = subject
            self._known.put(h, subject)
        return found, opens

    def waiting(self, subject: str) -> bool:
        """Say whether a subject is not committed yet."""
        return any(s.id == subject for o in self._open_ids.values() for s in o.rows.subjects)

    # --- settling

    def hand_out(self, resolution: Resolution, own: SubjectRows, opens: Iterable[Open]) -> None:
        """Note that a message relies on rows that are not committed: its own, and those of others."""
        used = list(opens)
        if own.subjects or own.identifiers:
            mine = Open(SubjectRows(own.subjects, own.identifiers))
            for row in own.identifiers:
                self._open_ids[row.hash] = mine
            used.append(mine)
        for one in used:
            one.uses += 1
        for edge in own.edges:
            self._open_edges.add(edge.id)
            self.graph.add(edge)
        if own.edges:
            self._changed()
        self._tickets[resolution.ticket] = resolution, tuple(used)
        if len(self._tickets) > TICKETS_MAX:
            self.rolled_back(next(iter(self._tickets.values()))[0])

    def ticket(self) -> int:
        """Number the next resolution."""
        self._next_ticket += 1
        return self._next_ticket - 1

    def committed(self, resolution: Resolution) -> None:
        """Make what a message brought known: its transaction is durable."""
        with self.lock:
            taken = self._tickets.pop(resolution.ticket, None)
            if taken is None:
                return
            for one in taken[1]:
                one.uses -= 1
                for row in one.rows.identifiers:
                    if self._close(row, one):
                        self._known.put(row.hash, row.subject)
            self._open_edges.difference_update(e.id for e in resolution.rows.edges)
            for subject in resolution.rows.establish:
                self.established.put(subject, True)
            self.soft.clear()

    def rolled_back(self, resolution: Resolution) -> None:
        """Forget what a message brought, unless another one that waits carries it too."""
        with self.lock:
            taken = self._tickets.pop(resolution.ticket, None)
            if taken is None:
                return
            for one in taken[1]:
                one.uses -= 1
                if one.uses <= 0:
                    for row in one.rows.identifiers:
                        self._close(row, one)
            lost = {e.id for e in resolution.rows.edges} & self._open_edges
            self._open_edges -= lost
            self.graph.discard(lost)
            if lost:
                self._loaded = (
                    False  # perhaps another process tied or erased these meanwhile: look before the retry
                )
            for subject, *_ in resolution.rows.words:
                self.words_written.drop(subject)
            self._changed()

    def _close(self, row: NewIdentifier, one: Open) -> bool:
        if self._open_ids.get(row.hash) is not one:
            return False
        del self._open_ids[row.hash]
        return True

    def _changed(self) -> None:
        self.hot.clear()
        self.soft.clear()

    def note_apart(self, names: bytes) -> bool:
        """Remember an authority that a device names in two ways; says whether that is news."""
        if names in self._apart or len(self._apart) >= APART_MAX:
            return False
        self._apart.add(names)
        return True

    def edge_ms(self, now_ms: int) -> int:
        """Give the time in the next edge's id: later than in every other of this process, since ids are their order."""
        self._edge_ms = max(now_ms, self._edge_ms + 1)
        return self._edge_ms

    def note_merge(self, source: str, now_us: int) -> bool:
        """Count a merge; says whether the source merges more than it should in that time."""
        times = self._merges.setdefault(source, deque(maxlen=self._merges_max + 1))
        times.append(now_us)
        return len(times) > self._merges_max and now_us - times[0] < self._merges_us
