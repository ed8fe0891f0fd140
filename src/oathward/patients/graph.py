"""Who stands for whom: the edges between subjects, in memory.

Rules:
- Followed edges (merged, joined) form a forest: an edge goes from a root to a root of another tree, so there
  is one effective subject, and no cycle whatever order merges come in.
- An edge that does not fit is *idle*: it is kept, follows nothing, and is counted; undoing another edge may
  wake it. What is active is decided by the order of edge ids, so every process decides alike.
- Undoing an edge is another edge; nothing is ever removed but what was never committed.

Deliberately absent: SQL, and any notion of identifiers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from oathward.patients.model import FOLLOWED, Edge, EdgeKind


class Graph:
    """The edges of one site.

    Invariant: ``effective`` is total, idempotent, and follows active edges only.
    """

    __slots__ = ("_children", "_edges", "_pairs", "_parents", "_undone", "idle")

    def __init__(self, edges: Iterable[Edge] = ()) -> None:
        self._edges: dict[str, Edge] = {e.id: e for e in edges}
        self._rebuild()

    def __len__(self) -> int:
        return len(self._edges)

    def __iter__(self) -> Iterator[Edge]:
        return iter(self._edges.values())

    def __contains__(self, edge_id: object) -> bool:
        return edge_id in self._edges

    def effective(self, subject: str) -> str:
        """Give the subject that stands for this one; itself where nobody does."""
        parents = self._parents
        while (edge := parents.get(subject)) is not None:
            subject = edge.parent
        return subject

    def family(self, subject: str) -> tuple[str, ...]:
        """List the subject and everyone it stands for."""
        if subject not in self._children:
            return (subject,)
        found = [subject]
        for one in found:
            found += self._children.get(one, ())
        return tuple(found)

    def active(self, kind: EdgeKind, child: str, parent: str) -> Edge | None:
        """Find the active edge of a kind between two subjects, in this direction."""
        return self._pairs.get((kind, child, parent))

    def edges_of(self, subject: str) -> list[Edge]:
        """List every edge that touches the subject, oldest first."""
        return [e for e in self._edges.values() if subject in {e.child, e.parent}]

    def edge(self, edge_id: str) -> Edge | None:
        """Find an edge by its id."""
        return self._edges.get(edge_id)

    def is_undone(self, edge_id: str) -> bool:
        """Say whether an edge was taken back."""
        return edge_id in self._undone

    def add(self, edge: Edge) -> None:
        """Take in one more edge."""
        last = next(reversed(self._edges), "")
        self._edges[edge.id] = edge
        if edge.kind is EdgeKind.UNDONE or edge.id < last or self.idle:
            self._rebuild()
        else:
            self._activate(edge)

    def discard(self, edge_ids: Iterable[str]) -> None:
        """Forget edges that were never committed."""
        gone = [self._edges.pop(i) for i in edge_ids if i in self._edges]
        if gone:
            self._rebuild()

    def _rebuild(self) -> None:
        self._edges = dict(sorted(self._edges.items()))
        self._undone = {e.undoes for e in self._edges.values() if e.kind is EdgeKind.UNDONE}
        self._parents: dict[str, Edge] = {}
        self._children: dict[str, list[str]] = {}
        self._pairs: dict[tuple[EdgeKind, str, str], Edge] = {}
        self.idle = 0
        for edge in self._edges.values():
            self._activate(edge)

    def _activate(self, edge: Edge) -> None:
        if edge.id in self._undone or edge.kind is EdgeKind.UNDONE:
            return
        if edge.kind in FOLLOWED:
            if edge.child in self._parents or self.effective(edge.parent) == edge.child:
                self.idle += 1
                return
            self._parents[edge.child] = edge
            self._children.setdefault(edge.parent, []).append(edge.child)
        self._pairs[edge.kind, edge.child, edge.parent] = edge
