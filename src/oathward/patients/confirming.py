"""Merges that a person has confirmed: what may cross them that a message alone must not move.

Rules:
- A merge by ADT takes effect at once for what keeps patients safe: their data, and every denial. Who may look as the patient,
  what an emergency opened and what an erasure destroys cross it only after a person said that the two are one.
- A confirmation is a document the keeper signed, of one edge and of the two subjects it ties; it is of no other edge, so a
  merge that is undone and said again waits again.
- A join needs none: its child is nobody yet (a bed, a visit, a number nobody vouched for).

Deliberately absent: who may (``merge.confirm``, checked by the keeper), and undoing (``actions.unmerge``).
"""

from __future__ import annotations

from collections.abc import Iterable

import orjson
from sqlalchemy import Connection

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.ledger import Record, append, prepare
from oathward.patients import sql
from oathward.patients.graph import Graph
from oathward.patients.model import Edge, EdgeKind
from oathward.vault.authority import Document, Seen, load, newest_version, put
from oathward.vault.sign import Verifier

KIND = "merge"
"""Kind of the signed document; its id is the edge's."""


def draft(db: Connection, site: str, edge_id: str) -> Document:
    """Write the unsigned confirmation of a merge.

    Raises:
        InputError: ``not-found``, or ``conflict``: it is no merge, is undone, or was confirmed.
    """
    graph = Graph(sql.edges(db, site))
    edge = graph.edge(edge_id)
    if edge is None:
        raise InputError("edge", "no such edge", reason=Reason.NOT_FOUND)
    if edge.kind is not EdgeKind.MERGED or graph.is_undone(edge_id):
        raise InputError("edge", "is no merge that stands", reason=Reason.CONFLICT)
    if newest_version(db, site, KIND, edge_id):
        raise InputError("edge", "was confirmed before", reason=Reason.CONFLICT)
    return Document(site, KIND, edge_id, 0, _body(edge), b"")


def store(db: Connection, site: str, signed: Document, *, by: str, why: str, now_us: int) -> None:
    """Store a signed confirmation and record it; the last call before the caller's commit.

    Raises:
        InputError: ``conflict``; the merge was undone meanwhile.
    """
    sql.lock_edges(db, site)
    graph = Graph(sql.edges(db, site))
    edge = graph.edge(signed.id)
    if edge is None or graph.is_undone(edge.id):
        raise InputError("edge", "was undone meanwhile", reason=Reason.CONFLICT)
    put(db, signed)
    body = {"by": by, "child": edge.child, "edge": edge.id, "source": edge.source, "why": why}
    append(db, site, [prepare(Record("merge.confirmed", body, now_us, edge.parent))])


def confirmed(
    db: Connection, site: str, edges: Iterable[Edge], verifier: Verifier, seen: Seen
) -> frozenset[str]:
    """Choose the ids of those merges that a person confirmed; each document is verified.

    Raises:
        AuthorityError: a confirmation does not verify, or is older than seen.
    """
    found = set()
    for edge in edges:
        known = seen.newest(KIND, edge.id) or newest_version(db, site, KIND, edge.id)
        if known and load(db, site, KIND, edge.id, verifier, seen).body == _body(edge):
            found.add(edge.id)
    return frozenset(found)


def family(db: Connection, site: str, subject: str, verifier: Verifier, seen: Seen) -> tuple[str, ...]:
    """List the subjects that joins and confirmed merges make one with this one, which is always among them."""
    edges = sql.edges_around(db, site, [subject])
    graph = Graph(edges)
    together = set(graph.family(graph.effective(subject)))
    merges = [e for e in edges if e.kind is EdgeKind.MERGED and {e.child, e.parent} <= together]
    holds = confirmed(db, site, merges, verifier, seen)
    narrow = Graph(e for e in edges if e.kind is not EdgeKind.MERGED or e.id in holds)
    return narrow.family(narrow.effective(subject))


def _body(edge: Edge) -> bytes:
    row = {"child": edge.child, "edge": edge.id, "parent": edge.parent}
    return orjson.dumps(row, option=orjson.OPT_SORT_KEYS)
