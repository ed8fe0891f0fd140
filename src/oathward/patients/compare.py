"""Compare the table of edges with the ledger: whoever can write to the database could merge two people, or part them.

Rules:
- Every edge has a record that names it, with its child, its parent, its time and what it undoes; an erasure has
  ``subject.forgotten``. An edge without one was added, a record without its edge says that one was deleted.
- The ledger's own truth is ``ledger verify``'s to check; a record hidden from search shows here as an edge added.

Deliberately absent: mending, and any judgement whether a merge was right.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Connection

from oathward import ledger
from oathward.ledger import Entry, Query
from oathward.patients import sql
from oathward.patients.model import EdgeKind

FINDING = "patients.edges-differ"

RECORDS = {
    "subject.merged": EdgeKind.MERGED,
    "subject.joined": EdgeKind.JOINED,
    "subject.linked": EdgeKind.LINKED,
    "subject.related": EdgeKind.CHILD_OF,
    "subject.visit-shared": EdgeKind.SHARES_VISIT,
    "subject.unmerged": EdgeKind.UNDONE,
    "subject.unlinked": EdgeKind.UNDONE,
    "subject.forgotten": EdgeKind.ERASED,
}
"""Record kind -> the edge it speaks of."""

_PAGE = 1_000


class Difference(NamedTuple):
    """One edge that is not as the ledger says. ``what``: ``added``, ``deleted`` or ``changed``."""

    what: str
    edge: str


class _Said(NamedTuple):
    kind: str
    child: str
    parent: str
    at_us: int
    undoes: str


def differences(db: Connection, site: str) -> list[Difference]:
    """Give every edge that has no record, every record whose edge is gone, and every edge that says something else."""
    said = {id_: edge for kind in RECORDS for id_, edge in _said(db, site, kind)}
    found: list[Difference] = []
    for edge in sql.edges(db, site):
        own = _Said(str(edge.kind), edge.child, edge.parent, edge.at_us, edge.undoes)
        name = _erasure(edge.child, edge.at_us) if edge.kind is EdgeKind.ERASED else edge.id
        stated = said.pop(name, None)
        if stated is None:
            found.append(Difference("added", edge.id))
        elif stated != own:
            found.append(Difference("changed", edge.id))
    return sorted(found + [Difference("deleted", id_) for id_ in said])


def _said(db: Connection, site: str, kind: str) -> Iterator[tuple[str, _Said]]:
    """Give the edges that records of one kind speak of."""
    before: int | None = None
    while page := ledger.search(db, site, Query(kind=kind), before=before, limit=_PAGE):
        for entry in page:
            yield _edge_of(entry)
        before = page[-1].index


def _edge_of(entry: Entry) -> tuple[str, _Said]:
    kind, body, parent = RECORDS[entry.kind], entry.body, entry.subject
    if kind is EdgeKind.ERASED:  # its record is the erasure's own and names no edge
        return _erasure(parent, entry.at_us), _Said(str(kind), parent, parent, entry.at_us, "")
    undoes = str(body.get("undoes", ""))
    return str(body.get("edge", "")), _Said(str(kind), str(body.get("child")), parent, entry.at_us, undoes)


def _erasure(subject: str, at_us: int) -> str:
    return f"erased {subject} {at_us}"
