"""Who stands for whom: the edges between subjects, in memory.

Rules:
- An edge ties two subjects of their own: those that the identifiers named, not whoever stood for them then.
- Subjects that standing edges of the followed kinds (merged, joined) connect are one person. Who stands for it is
  computed from those edges in the order of their ids: each puts the child's person under the parent's. So every
  process and every restart gives the same answer, and no order of merges makes a circle.
- An edge between two who are one person already is *idle*: it stands, and ties once the others are undone.
- Towards projects a subject is *named* by the root over the joins alone: a join says that one was the other all along, a
  merge that two were one person. So a merge, and its undoing, changes nobody's name.
- Undoing an edge is another edge, in any order; nothing is ever removed but what was never committed.

Deliberately absent: SQL, and any notion of identifiers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from oathward.patients.model import FOLLOWED, Edge, EdgeKind


class _Ties:
    """What the standing edges come to: ``parents`` of roots below roots, ``pairs`` that somebody tied.

    ``joined``: parents as well, by the joins alone.
    """

    __slots__ = ("children", "idle", "joined", "pairs", "parents")

    def __init__(self) -> None:
        self.parents: dict[str, str] = {}
        self.joined: dict[str, str] = {}
        self.children: dict[str, list[str]] = {}
        self.pairs: dict[tuple[EdgeKind, str, str], list[Edge]] = {}
        self.idle: set[str] = set()

    def add(self, edge: Edge) -> None:
        self.pairs.setdefault((edge.kind, edge.child, edge.parent), []).append(edge)
        if edge.kind in FOLLOWED:
            below, above = _top(self.parents, edge.child), _top(self.parents, edge.parent)
            if below == above:
                self.idle.add(edge.id)
            else:
                self.children.setdefault(above, []).append(below)
                self.parents[below] = above
        if edge.kind is EdgeKind.JOINED:
            below, above = _top(self.joined, edge.child), _top(self.joined, edge.parent)
            if below != above:
                self.joined[below] = above


def _top(parents: dict[str, str], subject: str) -> str:
    while (above := parents.get(subject)) is not None:
        subject = above
    return subject


class Graph:
    """The edges of one site.

    Invariant: ``effective`` and ``named`` are total and idempotent; ``effective`` is the same for two subjects exactly
    where standing edges of the followed kinds connect them, and so wherever ``named`` is the same.
    """

    __slots__ = ("_edges", "_ties", "_undone")

    def __init__(self, edges: Iterable[Edge] = ()) -> None:
        self._edges: dict[str, Edge] = {e.id: e for e in edges}
        self._rebuild()

    def __len__(self) -> int:
        return len(self._edges)

    def __iter__(self) -> Iterator[Edge]:
        return iter(self._edges.values())

    def __contains__(self, edge_id: object) -> bool:
        return edge_id in self._edges

    @property
    def idle(self) -> int:
        """How many edges stand and tie nothing, because others tie the two already."""
        return len(self._ties.idle)

    def is_idle(self, edge_id: str) -> bool:
        """Say whether an edge is one of those."""
        return edge_id in self._ties.idle

    def effective(self, subject: str) -> str:
        """Give the subject that stands for this one; itself where nobody does."""
        return _top(self._ties.parents, subject)

    def named(self, subject: str) -> str:
        """Give the subject by which this one is named towards projects: itself, or whom joins say it was."""
        return _top(self._ties.joined, subject)

    def nearest(self, subjects: Iterable[str]) -> str:
        """Choose, of subjects that are one person, who is nearest to the one that stands for it; of equals the oldest."""
        parents = self._ties.parents

        def steps(subject: str) -> int:
            count = 0
            while (above := parents.get(subject)) is not None:
                subject, count = above, count + 1
            return count

        return min(subjects, key=lambda one: (steps(one), one))

    def family(self, subject: str) -> tuple[str, ...]:
        """List an effective subject and everyone it stands for."""
        children = self._ties.children
        if subject not in children:
            return (subject,)
        found = [subject]
        for one in found:
            found += children.get(one, ())
        return tuple(found)

    def standing(self, kind: EdgeKind, child: str, parent: str) -> list[Edge]:
        """List the edges of a kind between two subjects, in this direction, that were not undone."""
        return list(self._ties.pairs.get((kind, child, parent), ()))

    def still_tied_by(self, one: str, other: str) -> list[Edge]:
        """List the followed edges that make two subjects one person; none where they are two."""
        if self.effective(one) != self.effective(other):
            return []
        family = set(self.family(self.effective(one)))
        return [
            e
            for e in self._edges.values()
            if e.kind in FOLLOWED and e.id not in self._undone and {e.child, e.parent} <= family
        ]

    def edge(self, edge_id: str) -> Edge | None:
        """Find an edge by its id."""
        return self._edges.get(edge_id)

    def is_undone(self, edge_id: str) -> bool:
        """Say whether an edge was taken back."""
        return edge_id in self._undone

    def was_undone(self, kind: EdgeKind, child: str, parent: str) -> bool:
        """Say whether such an edge was taken back."""
        undone = (self._edges[i] for i in self._undone if i in self._edges)
        return any((e.kind, e.child, e.parent) == (kind, child, parent) for e in undone)

    def add(self, edge: Edge) -> None:
        """Take in one more edge."""
        last = next(reversed(self._edges), "")
        self._edges[edge.id] = edge
        if edge.kind is EdgeKind.UNDONE or edge.id < last:
            self._rebuild()
        elif edge.id not in self._undone:
            self._ties.add(edge)

    def discard(self, edge_ids: Iterable[str]) -> None:
        """Forget edges that were never committed."""
        gone = [self._edges.pop(i) for i in edge_ids if i in self._edges]
        if gone:
            self._rebuild()

    def _rebuild(self) -> None:
        """Compute everything anew, and show it at once: other threads follow the ties without a lock."""
        self._edges = dict(sorted(self._edges.items()))
        self._undone = {e.undoes for e in self._edges.values() if e.kind is EdgeKind.UNDONE}
        ties = _Ties()
        for edge in self._edges.values():
            if edge.kind is not EdgeKind.UNDONE and edge.id not in self._undone:
                ties.add(edge)
        self._ties = ties
