"""Read what is known about subjects: ids, kinds, edges and counts; never who they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from oathward.patients import confirming, sql
from oathward.patients.graph import Graph
from oathward.patients.identifiers import Hasher, Identifier
from oathward.patients.model import Edge, EdgeKind

if TYPE_CHECKING:
    from oathward.vault.authority import Seen
    from oathward.vault.sign import Verifier


@dataclass(frozen=True, slots=True)
class EdgeView:
    """One edge and whether it holds: ``active``, ``undone`` or ``idle`` (it stands, and others tie the two already)."""

    id: str
    kind: EdgeKind
    child: str
    parent: str
    event: str
    source: str
    at_us: int
    state: str


def edges(
    db: Connection, site: str, *, subject: str = "", kind: str = "", limit: int = 1_000
) -> list[EdgeView]:
    """List edges, newest first; what undoes them shows as their state."""
    graph = Graph(sql.edges(db, site))
    chosen = [
        e
        for e in graph
        if e.kind is not EdgeKind.UNDONE
        and (not subject or subject in {e.child, e.parent})
        and (not kind or e.kind == kind)
    ]
    return [_shown(graph, e) for e in sorted(chosen, key=lambda e: e.id, reverse=True)[:limit]]


def effective(db: Connection, site: str, subject: str) -> str:
    """Give the subject that stands for this one."""
    return _around(db, site, subject).effective(subject)


def exists(db: Connection, site: str, subject: str) -> bool:
    """Say whether there is such a subject."""
    return sql.subject_row(db, effective(db, site, subject)) is not None


def family(db: Connection, site: str, subject: str) -> tuple[str, ...]:
    """List the effective subject and everyone it stands for."""
    graph = _around(db, site, subject)
    return graph.family(graph.effective(subject))


class Families:
    """Who stands for whom at one moment, read once: for work on many subjects."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def of(self, subject: str) -> tuple[str, ...]:
        """List the effective subject and everyone it stands for."""
        return self._graph.family(self._graph.effective(subject))


def families(db: Connection, site: str) -> Families:
    """Read who stands for whom."""
    return Families(Graph(sql.edges(db, site)))


def confirmed_family(
    db: Connection, site: str, subject: str, verifier: Verifier, seen: Seen
) -> tuple[str, ...]:
    """List the subjects one may treat as this one where it takes a person's word: portal, break-glass, erasure.

    Joins count at once, merges only once confirmed (``confirming``); the subject itself is always among them.

    Raises:
        AuthorityError: a confirmation does not verify, or is older than seen.
    """
    return confirming.family(db, site, subject, verifier, seen)


def unconfirmed(
    db: Connection, site: str, verifier: Verifier, seen: Seen, *, limit: int = 1_000
) -> list[EdgeView]:
    """List standing merges that wait for a person's word, newest first.

    Raises:
        AuthorityError: as ``confirmed_family``.
    """
    graph = Graph(sql.edges(db, site))
    merges = [e for e in graph if e.kind is EdgeKind.MERGED and not graph.is_undone(e.id)]
    holds = confirming.confirmed(db, site, merges, verifier, seen)
    waiting = sorted((e for e in merges if e.id not in holds), key=lambda e: e.id, reverse=True)
    return [_shown(graph, e) for e in waiting[:limit]]


def still_tied(db: Connection, site: str, one: str, other: str) -> list[str]:
    """List the ids of the merges and joins that make two subjects one person; none where they are two."""
    return [e.id for e in _around(db, site, one, other).still_tied_by(one, other)]


def find(db: Connection, site: str, hasher: Hasher, identifier: Identifier) -> str | None:
    """Find the effective subject of one identifier, under whatever name of its authority it was kept."""
    hashes = [hasher.identifier(identifier), *hasher.others(identifier)]
    found = sql.subjects_of(db, site, hashes)
    return next((effective(db, site, found[h]) for h in hashes if h in found), None)


def find_all(
    db: Connection, site: str, hasher: Hasher, identifiers: Sequence[Identifier]
) -> list[str | None]:
    """Find the effective subject of each of many identifiers, as ``find`` does."""
    names = [(hasher.identifier(one), *hasher.others(one)) for one in identifiers]
    found = sql.subjects_of(db, site, [hashed for some in names for hashed in some])
    graph = Graph(sql.edges(db, site))
    return [next((graph.effective(found[h]) for h in some if h in found), None) for some in names]


def counts(db: Connection, site: str) -> dict[str, Any]:
    """Count subjects by kind, and edges."""
    return {**sql.count_subjects(db, site), "edges": sql.edge_count(db, site)}


def _around(db: Connection, site: str, *subjects: str) -> Graph:
    return Graph(sql.edges_around(db, site, subjects))


def _shown(graph: Graph, e: Edge) -> EdgeView:
    return EdgeView(e.id, e.kind, e.child, e.parent, e.event, e.source, e.at_us, _state(graph, e))


def _state(graph: Graph, edge: Edge) -> str:
    if graph.is_undone(edge.id):
        return "undone"
    return "idle" if graph.is_idle(edge.id) else "active"
