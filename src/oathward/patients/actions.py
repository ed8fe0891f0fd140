"""What changes subjects: apply a resolution, keep a card, undo an edge, forget a person.

Rules:
- ``apply`` and ``put_card`` run inside the message's transaction; their ledger records are the resolution's
  own and go in with the message's. The others append theirs as their last statement.
- Identifier values come in as ``Phi`` and leave as keyed hashes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import Connection

from oathward.core.errors import InputError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.ledger import Leaf, Record, append, prepare
from oathward.patients import sql
from oathward.patients.card import card_of
from oathward.patients.graph import Graph
from oathward.patients.identifiers import Hasher, Identifier
from oathward.patients.model import (
    FOLLOWED,
    Edge,
    EdgeKind,
    IdentityMovedError,
    NewIdentifier,
    NewSubject,
    Resolution,
)
from oathward.patients.resolver import Resolver
from oathward.patients.split import split
from oathward.vault import beds, cards, care_orders, care_rows, deaths
from oathward.vault.cards import Card
from oathward.vault.care_rows import Tie

__all__ = ["Resolution", "Resolver", "apply", "card_of", "forget", "put_card", "register", "split", "unmerge"]


def apply(db: Connection, site: str, resolution: Resolution) -> None:
    """Write what one resolution brings, inside the transaction of its message.

    Raises:
        IdentityMovedError: another process gave an identifier to another subject, wrote the same edge, or erased
            one of these subjects, in between: roll back, resolve the message again, retry.
    """
    rows = resolution.rows
    if rows.edges:
        sql.lock_edges(db, site)
    sql.insert_subjects(db, site, rows.subjects)
    if rows.identifiers:
        sql.insert_identifiers(db, site, rows.identifiers)
        now = sql.subjects_of(db, site, [i.hash for i in rows.identifiers])
        if any(now.get(i.hash) != i.subject for i in rows.identifiers):
            raise IdentityMovedError("subject_identifier", _MOVED)
    if rows.edges:
        _check_edges(db, site, rows.edges)
        sql.insert_edges(db, site, rows.edges)
    if rows.establish:
        sql.establish(db, rows.establish)
    sql.insert_words(db, site, rows.words)


_MOVED = "IntegrityError: the identity changed meanwhile, resolve again"


def _check_edges(db: Connection, site: str, new: tuple[Edge, ...]) -> None:
    """Make sure that the new edges say something new, of subjects that still are somebody.

    A merge that stood twice would have to be undone twice; one into an erased person would take the other along.
    """
    followed = [e for e in new if e.kind in FOLLOWED]
    if not followed:
        return
    subjects = {s for e in followed for s in (e.child, e.parent)}
    there = sql.standing(db, subjects)
    if subjects - sql.named(db, site, subjects) or any(
        (e.kind, e.child, e.parent) in there for e in followed
    ):
        raise IdentityMovedError("subject_edge", _MOVED)


def put_card(db: Connection, site: str, card: Card) -> None:
    """Keep the sealed card of a subject, inside the transaction of the message that gave it."""
    cards.put(db, site, card)


def register(
    db: Connection, site: str, hasher: Hasher, identifiers: Sequence[Identifier], *, by: str, now_us: int
) -> list[str]:
    """Find the effective subject of each identifier, or make a provisional one; the last call before commit.

    For facts that come before the patient's first message, such as consents from a list.
    """
    hashes = [hasher.identifier(i) for i in identifiers]
    known = sql.subjects_of(db, site, hashes)
    for one, hashed in zip(identifiers, hashes, strict=True):
        others = {} if hashed in known else sql.subjects_of(db, site, hasher.others(one))
        if others:
            known[hashed] = next(iter(others.values()))
    leaves = []
    for one, hashed in zip(identifiers, hashes, strict=True):
        if hashed not in known:
            known[hashed] = uuid7(now_us // 1_000)
            sql.insert_subjects(db, site, [NewSubject(known[hashed], "known", False, by, now_us)])
            row = NewIdentifier(hashed, known[hashed], hasher.scope(one), by, now_us)
            sql.insert_identifiers(db, site, [row])
            body = {"kind": "known", "source": by}
            leaves.append(prepare(Record("subject.created", body, now_us, known[hashed])))
    graph = Graph(sql.edges(db, site))
    append(db, site, leaves)
    return [graph.effective(known[h]) for h in hashes]


def register_together(
    db: Connection,
    site: str,
    hasher: Hasher,
    patients: Sequence[Sequence[Identifier]],
    *,
    by: str,
    now_us: int,
    apart: bool = False,
) -> list[str | None]:
    """Find the subject of identifiers that are one patient's, or make one with all; for each patient. The last call before commit.

    Args:
        patients: identifiers of each, some of each; at most ``db.GROUP_ROWS_MAX`` patients.
        apart: by whom projects name it that leave each number its pseudonym in a merge, by the first number that is known; else
            the effective one.

    None where they lead to two patients: that is for a person to settle. One that nobody has heard of is noted only beside those that name
    nobody yet: a file ties nothing to a patient who is known. Nor does it make two numbers of one authority and type one patient's,
    whether one of them is known or none: whoever wrote it would have merged two for good, and what comes of it would hang on which
    file is read first.
    """
    hashed = [{hasher.identifier(one): one for one in identifiers} for identifiers in patients]
    others = {one: hasher.others(one) for told in hashed for one in told.values()}
    asked = {one for told in hashed for one in told} | {one for each in others.values() for one in each}
    known = sql.subjects_of(db, site, sorted(asked))
    graph = Graph(sql.edges(db, site) if known else ())
    found: list[str | None] = []
    subjects: list[NewSubject] = []
    rows: list[NewIdentifier] = []
    for told in hashed:
        its = [known[one] for one in told if one in known]
        its += [known[other] for one in told.values() for other in others[one] if other in known]
        scopes = Counter(hasher.scope(one) for one in told.values() if one.authority)
        twice = any(
            one.authority and scopes[hasher.scope(one)] > 1
            for key, one in told.items()
            if key not in known and known.keys().isdisjoint(others[one])
        )
        effective = {graph.effective(subject) for subject in its}
        if len(effective) > 1 or twice:
            found.append(None)
        elif its:
            found.append(graph.named(its[0]) if apart else effective.pop())
        else:
            subject = uuid7(now_us // 1_000)
            subjects.append(NewSubject(subject, "known", False, by, now_us))
            rows += [NewIdentifier(key, subject, hasher.scope(one), by, now_us) for key, one in told.items()]
            known |= dict.fromkeys(told, subject)
            found.append(subject)
    if subjects:
        sql.insert_subjects(db, site, subjects)
        sql.insert_identifiers(db, site, rows)
        body = {"kind": "known", "source": by}
        append(db, site, [prepare(Record("subject.created", body, now_us, one.id)) for one in subjects])
    return found


def set_canary(db: Connection, site: str, subject: str, *, on: bool, by: str, now_us: int) -> None:
    """Declare a subject invented: its record must never leave, and a guard that sees it stops. The last call before commit.

    The ledger does not say who: a record that named the canary would give it away.
    """
    sql.set_canary(db, site, subject, on=on)
    append(db, site, [prepare(Record("canary.set" if on else "canary.removed", {"by": by}, now_us))])


def unmerge(db: Connection, site: str, edge_id: str, *, by: str, reason: str, now_us: int) -> Edge:
    """Undo a merge, join, link or kinship; what it alone tied is two again, what others tie too stays one.

    Args:
        by: who asks (a user or program name). reason: a code or words about the mistake, never about a patient.

    Raises:
        InputError: ``not-found``, or ``conflict`` where it is undone already or is no such edge.
    """
    sql.lock_edges(db, site)
    graph = Graph(sql.edges(db, site))
    found = graph.edge(edge_id)
    if found is None:
        raise InputError("edge", "no such edge", reason=Reason.NOT_FOUND)
    if graph.is_undone(edge_id) or found.kind in {EdgeKind.UNDONE, EdgeKind.ERASED}:
        raise InputError("edge", "undone already, or cannot be undone", reason=Reason.CONFLICT)
    edge = Edge(
        uuid7(now_us // 1_000), EdgeKind.UNDONE, found.child, found.parent, "command", by, now_us, edge_id
    )
    sql.insert_edges(db, site, [edge])
    care_rows.tie(db, site, [Tie(edge.id, edge.child, edge.parent, edge_id)], None)
    body = {
        "edge": edge.id,
        "undoes": edge_id,
        "was": str(found.kind),
        "child": found.child,
        "by": by,
        "reason": reason,
    }
    append(db, site, [prepare(Record("subject.unmerged", body, now_us, found.parent))])
    return edge


def forget(db: Connection, site: str, subject: str, *, source: str, now_us: int) -> tuple[int, Leaf]:
    """Delete identifiers, words and cards of a person and all they stand for; keys are the keeper's to destroy.

    A returning person gets a new subject. For the erasure's own transaction, which appends the leaf.

    Returns:
        The number of identifiers deleted, and the leaf of ``subject.forgotten``.

    Raises:
        InputError: ``not-found``.
    """
    sql.lock_edges(db, site)
    graph = Graph(sql.edges(db, site))
    root = graph.effective(subject)
    if sql.subject_row(db, root) is None:
        raise InputError("subject", "no such subject", reason=Reason.NOT_FOUND)
    family = graph.family(root)
    count = sql.forget(db, site, family)
    care_rows.forget(db, site, family)
    care_orders.forget(db, site, family)
    beds.forget(db, site, family)
    deaths.forget(db, site, family)
    mark = Edge(uuid7(now_us // 1_000), EdgeKind.ERASED, root, root, "erase", source, now_us)
    sql.insert_edges(db, site, [mark])
    body = {"identifiers": count, "subjects": list(family), "source": source}
    return count, prepare(Record("subject.forgotten", body, now_us, root))
