"""The tables of subjects and the only SQL on them.

| table | holds |
|---|---|
| ``subject`` | one row a person, or a device's encounter that nobody could name: random id |
| ``subject_identifier`` | keyed hash of an identifier -> subject; a row is never changed |
| ``subject_edge`` | merges, joins, links, and their undoing; append-only |
| ``subject_word`` | keyed words of what is on the card, for the guard |
| ``subject_canary`` | invented patients: whatever bears their names has leaked |

The sealed demographics, last statement of an authoritative source, are the vault's (``vault.cards``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Row,
    Table,
    Text,
    delete,
    func,
    literal_column,
    select,
    update,
)

from oathward.core.db import METADATA
from oathward.patients.model import FOLLOWED, Edge, EdgeKind, NewIdentifier, NewSubject, WordKind
from oathward.vault import cards, shown

subject = Table(
    "subject",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("site", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("established", Integer, nullable=False),
    Column("source", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("encounter", LargeBinary),
)
Index(
    "subject_encounter",
    subject.c.site,
    subject.c.encounter,
    sqlite_where=subject.c.encounter.is_not(None),
    postgresql_where=subject.c.encounter.is_not(None),
)

identifier = Table(
    "subject_identifier",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("hash", LargeBinary, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("scope", LargeBinary, nullable=False),
    Column("source", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
Index("subject_identifier_subject", identifier.c.subject)

edge = Table(
    "subject_edge",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("site", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("child", Text, nullable=False),
    Column("parent", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("undoes", Text, nullable=False),
)
Index("subject_edge_site", edge.c.site, edge.c.at_us)
Index("subject_edge_child", edge.c.child)
Index("subject_edge_parent", edge.c.parent)
Index(
    "subject_edge_undoes",
    edge.c.undoes,
    unique=True,
    sqlite_where=edge.c.undoes != "",
    postgresql_where=edge.c.undoes != "",
)

word = Table(
    "subject_word",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("hash", LargeBinary, primary_key=True),
    Column("kind", Text, nullable=False),
    sqlite_with_rowid=False,
)
Index("subject_word_hash", word.c.site, word.c.hash)

canary = Table(
    "subject_canary",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
)

_SIZES = (4, 16, 64, 256)
"""How many keys one statement takes: few texts, so that each stays prepared."""


def subjects_of(db: Connection, site: str, hashes: Sequence[bytes]) -> dict[bytes, str]:
    """Look identifiers up: hash -> subject, those found."""
    sql = "SELECT hash, subject FROM subject_identifier WHERE site = ? AND hash IN (KEYS)"
    return {bytes(h): subject_id for h, subject_id in _among(db, sql, (site,), hashes)}


def scopes_of(db: Connection, subjects: Iterable[str]) -> dict[bytes, bytes]:
    """List what identifies some subjects: hash -> scope."""
    query = select(identifier.c.hash, identifier.c.scope).where(identifier.c.subject.in_(list(subjects)))
    return {bytes(h): bytes(s) for h, s in db.execute(query)}


def established(db: Connection, subjects: Iterable[str]) -> set[str]:
    """Choose those an authoritative source has spoken of."""
    query = select(subject.c.id).where(subject.c.id.in_(list(subjects)), subject.c.established == 1)
    return set(db.execute(query).scalars())


def holding_for(db: Connection, site: str, encounters: Sequence[bytes]) -> list[str]:
    """Find holding subjects that stand for an encounter."""
    sql = "SELECT id FROM subject WHERE site = ? AND kind = 'holding' AND encounter IN (KEYS) ORDER BY id"
    return [id_ for (id_,) in _among(db, sql, (site,), encounters)]


def subject_row(db: Connection, id_: str) -> Row[Any] | None:
    """Read one subject."""
    return db.execute(select(subject).where(subject.c.id == id_)).first()


def count_subjects(db: Connection, site: str) -> dict[str, int]:
    """Count subjects by kind."""
    count = func.count().label("subjects")
    query = select(subject.c.kind, count).where(subject.c.site == site).group_by(subject.c.kind)
    return {row.kind: row.subjects for row in db.execute(query)}


def insert_subjects(db: Connection, site: str, rows: Iterable[NewSubject]) -> None:
    """Insert subjects; one that is there already is the same one (its id is random)."""
    values = [(r.id, site, r.kind, int(r.established), r.source, r.at_us, r.encounter) for r in rows]
    _insert_absent(db, subject, values)


def insert_identifiers(db: Connection, site: str, rows: Iterable[NewIdentifier]) -> None:
    """Insert identifiers; the caller looks afterwards whom those that were there already name."""
    values = [(site, r.hash, r.subject, r.scope, r.source, r.at_us) for r in rows]
    _insert_absent(db, identifier, values)


def establish(db: Connection, subjects: Iterable[str]) -> None:
    """Note that an authoritative source has spoken of these."""
    db.execute(
        update(subject)
        .where(subject.c.id.in_(sorted(subjects)), subject.c.established == 0)
        .values(established=1)
    )


def lock_edges(db: Connection, site: str) -> None:
    """Let one transaction at a time change edges; SQLite has one writer anyhow."""
    if db.dialect.name == "postgresql":
        db.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"oathward.subject_edge.{site}"))))


def insert_edges(db: Connection, site: str, edges: Iterable[Edge]) -> None:
    """Append edges."""
    rows = [
        {
            "id": e.id,
            "site": site,
            "kind": str(e.kind),
            "child": e.child,
            "parent": e.parent,
            "event": e.event,
            "source": e.source,
            "at_us": e.at_us,
            "undoes": e.undoes,
        }
        for e in edges
    ]
    if rows:
        db.execute(edge.insert(), rows)


def standing(db: Connection, children: Iterable[str]) -> set[tuple[EdgeKind, str, str]]:
    """List the followed edges of some children that were not undone: kind, child, parent."""
    undoing = edge.alias()
    query = select(edge.c.kind, edge.c.child, edge.c.parent).where(
        edge.c.child.in_(list(children)),
        edge.c.kind.in_([str(k) for k in FOLLOWED]),
        ~select(undoing.c.id).where(undoing.c.undoes == edge.c.id, undoing.c.undoes != "").exists(),
    )
    return {(EdgeKind(kind), child, parent) for kind, child, parent in db.execute(query)}


def named(db: Connection, site: str, subjects: Iterable[str]) -> set[str]:
    """Choose subjects that some identifier names; those of an erased person have none."""
    query = select(identifier.c.subject).where(
        identifier.c.site == site, identifier.c.subject.in_(list(subjects))
    )
    return set(db.execute(query).scalars())


def edges(db: Connection, site: str, *, since_us: int = 0) -> list[Edge]:
    """Read the edges of a site, or those made since a time."""
    rows = db.execute(select(edge).where(edge.c.site == site, edge.c.at_us >= since_us))
    return [_edge(row) for row in rows]


def edges_around(db: Connection, site: str, subjects: Iterable[str]) -> list[Edge]:
    """Read what says who is one person with some subjects: the followed edges that lead to them, and what undoes these.

    A statement for each step between subjects and one more, and only those rows: families are small, sites are not. The site
    is compared here: a database that is asked for it as well takes the index of the site, and reads all of its edges.
    """
    found: dict[str, Edge] = {}
    seen, new = set[str](), set(subjects)
    followed = edge.c.kind.in_([str(k) for k in FOLLOWED])
    while new:
        some = sorted(new)
        rows = db.execute(select(edge).where(followed, edge.c.child.in_(some) | edge.c.parent.in_(some)))
        found |= {row.id: _edge(row) for row in rows if row.site == site}
        seen |= new
        new = {s for e in found.values() for s in (e.child, e.parent)} - seen
    if not found:
        return []
    undone = db.execute(select(edge).where(edge.c.undoes.in_(sorted(found)), edge.c.undoes != ""))
    return [*found.values(), *map(_edge, undone)]


def _edge(row: Row[Any]) -> Edge:
    kind = EdgeKind(row.kind)
    return Edge(row.id, kind, row.child, row.parent, row.event, row.source, row.at_us, row.undoes)


def edge_count(db: Connection, site: str) -> int:
    """Count edges: another number means another graph, because none is ever removed."""
    return db.execute(select(func.count()).where(edge.c.site == site)).scalar_one()


def edge_mark(db: Connection, site: str) -> int:
    """Give a number that another edge makes another: as ``edge_count``, at the cost of one step where that is to be had."""
    if db.dialect.name != "sqlite":
        return edge_count(db, site)
    # Rows are numbered as they are committed, and none is ever removed; those of other sites do no harm.
    return db.execute(select(func.max(literal_column("rowid"))).select_from(edge)).scalar() or 0


def insert_words(db: Connection, site: str, rows: Iterable[tuple[str, bytes, WordKind]]) -> None:
    """Insert keyed words, those not there yet."""
    _insert_absent(db, word, [(site, s, h, str(k)) for s, h, k in rows])


def words_of(db: Connection, site: str, subjects: Sequence[str]) -> dict[bytes, WordKind]:
    """Read the keyed words of some subjects: hash -> kind."""
    query = select(word.c.hash, word.c.kind).where(word.c.site == site, word.c.subject.in_(subjects))
    return {bytes(h): WordKind(k) for h, k in db.execute(query)}


def identifier_tokens(db: Connection, site: str) -> list[bytes]:
    """Read every keyed identifier on any card."""
    query = select(word.c.hash).where(word.c.site == site, word.c.kind == str(WordKind.IDENTIFIER))
    return [bytes(h) for (h,) in db.execute(query)]


def owners_of(db: Connection, site: str, hashes: Sequence[bytes]) -> dict[bytes, set[str]]:
    """Find on whose cards keyed identifiers stand: hash -> subjects."""
    sql = "SELECT hash, subject FROM subject_word WHERE site = ? AND kind = ? AND hash IN (KEYS)"
    found: dict[bytes, set[str]] = {}
    for h, owner in _among(db, sql, (site, str(WordKind.IDENTIFIER)), hashes):
        found.setdefault(bytes(h), set()).add(owner)
    return found


def canary_words(db: Connection, site: str) -> frozenset[bytes]:
    """Read the whole values on the cards of invented patients: identifiers, names, numbers, dates."""
    strong = (str(WordKind.IDENTIFIER), str(WordKind.TOKEN))
    query = select(word.c.hash).join(
        canary, (canary.c.subject == word.c.subject) & (canary.c.site == word.c.site)
    )
    return frozenset(
        bytes(h) for (h,) in db.execute(query.where(word.c.site == site, word.c.kind.in_(strong)))
    )


def set_canary(db: Connection, site: str, subject_id: str, *, on: bool) -> None:
    """Make a subject an invented patient, or an ordinary one again."""
    db.execute(delete(canary).where(canary.c.site == site, canary.c.subject == subject_id))
    if on:
        db.execute(canary.insert().values(site=site, subject=subject_id))


def forget(db: Connection, site: str, subjects: Sequence[str]) -> int:
    """Delete identifiers, words and cards of subjects; gives the number of identifiers."""
    cards.forget(db, site, subjects)
    shown.forget(db, site, subjects)
    db.execute(delete(word).where(word.c.site == site, word.c.subject.in_(subjects)))
    gone = db.execute(delete(identifier).where(identifier.c.site == site, identifier.c.subject.in_(subjects)))
    db.execute(update(subject).where(subject.c.id.in_(subjects)).values(encounter=None))
    return gone.rowcount


def _insert_absent(db: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    if rows:
        db.exec_driver_sql(_absent_sql(table, db.dialect.name), list(rows))


@lru_cache
def _absent_sql(table: Table, dialect: str) -> str:
    names = ", ".join(column.name for column in table.columns)
    marks = ", ".join(["?" if dialect == "sqlite" else "%s"] * len(table.columns))
    return f"INSERT INTO {table.name} ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608  names from our own metadata


def _among(db: Connection, sql: str, first: tuple[str, ...], keys: Sequence[bytes]) -> Iterator[Any]:
    """Run a statement over any number of keys; the last is repeated up to the next of ``_SIZES``."""
    mark = "?" if db.dialect.name == "sqlite" else "%s"
    for start in range(0, len(keys), _SIZES[-1]):
        some = list(keys[start : start + _SIZES[-1]])
        size = next(n for n in _SIZES if n >= len(some))
        some += [some[-1]] * (size - len(some))
        text = sql.replace("?", mark).replace("KEYS", ",".join([mark] * size))
        yield from db.exec_driver_sql(text, (*first, *some))
