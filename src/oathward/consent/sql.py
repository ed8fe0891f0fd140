"""The tables of consent and the only SQL on them.

| table | holds |
|---|---|
| ``consent_fact`` | each signed version of what a subject said; the newest stands, older ones are history |
| ``consent_arrival`` | Consents that came as messages: what they may take away, and whether a person has looked at them |
| ``consent_change`` | a counter: what changed since a process last looked |
| ``consent_changed`` | of whom the newest of those changes were; a count without a row is of anybody |
| ``consent_effect`` | when a narrowing was in effect on a link in a process, and what it took away there |
| ``consent_person`` | one row a patient who said something: what a list is sorted and cut by, kept by a follower; a hint, never authority |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Index,
    LargeBinary,
    Row,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from oathward.consent.model import KIND, EffectRow
from oathward.core.db import METADATA
from oathward.vault.authority import Document

consent_fact = Table(
    "consent_fact",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Index("consent_fact_at", "site", "at_us"),
)

effect = Table(
    "consent_effect",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("link", Text, primary_key=True),
    Column("process", Text, primary_key=True),
    Column("committed_us", BigInteger, nullable=False),
    Column("effective_us", BigInteger, nullable=False),
    Column("withdrawn", BigInteger, nullable=False),
    Column("in_flight", BigInteger, nullable=False),
    Column("answered", BigInteger, nullable=False),
    Column("away", Boolean, nullable=False),
    Index("consent_effect_at", "site", "committed_us"),
)

arrival = Table(
    "consent_arrival",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("message", Text, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("consents", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Index("consent_arrival_subject", "site", "state", "subject"),
)
"""``state``: ``waiting``, ``imported`` or ``dismissed``."""

change = Table(
    "consent_change",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("n", BigInteger, nullable=False),
)

changed = Table(
    "consent_changed",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("n", BigInteger, primary_key=True),
    Column("subject", Text, primary_key=True),
)

CHANGED_KEPT = 1_000
"""Changes of which it is kept whose they were; who looks less often takes it that everybody's are others now."""


person = Table(
    "consent_person",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("said", BigInteger, nullable=False),
    Column("permits", BigInteger, nullable=False),
    Column("denials", BigInteger, nullable=False),
    Column("until_us", BigInteger, nullable=False),
    Column("next_us", BigInteger, nullable=False),
    Column("contradictions", BigInteger, nullable=False),
    Column("contradicts_us", BigInteger, nullable=False),
    Column("sure", BigInteger, nullable=False),
    Index("consent_person_at", "site", "at_us", "subject"),
    Index("consent_person_next", "site", "next_us", "subject"),
    Index("consent_person_until", "site", "until_us", "subject"),
    Index("consent_person_contradicts", "site", "contradicts_us", "subject"),
    Index("consent_person_said", "site", "said", "subject"),
    Index("consent_person_sure", "site", "sure", "subject"),
)
"""``said``: how many subjects of the patient said something. ``until_us``: when the last statement ends; ``next_us``: when the
next one does; ``contradicts_us``: when the last contradiction does. ``NEVER`` where nothing ends, 0 where there is nothing.
``sure``: 1 where every signature verified."""

NEVER = 2**62


@dataclass(frozen=True, slots=True)
class Cut:
    """Some of the list: what holds, and by which column it is in order, downwards or upwards."""

    holds: tuple[ColumnElement[bool], ...]
    by: Column[Any]
    down: bool = True


def cuts(now_us: int, soon_us: int) -> Mapping[str, Cut]:
    """Give every cut of the list by name."""
    c = person.c
    return {
        "": Cut((), c.at_us),
        "stands": Cut((c.until_us + 0 > now_us,), c.at_us),  # most do: read in order, not by that index
        "soon": Cut((c.next_us > now_us, c.next_us <= soon_us), c.next_us, down=False),
        "ended": Cut((c.until_us <= now_us,), c.until_us),
        "contradictory": Cut((c.contradicts_us > now_us,), c.contradicts_us),
        "merged": Cut((c.said > 1,), c.said),
        "unsure": Cut((c.sure == 0,), c.sure),
    }


def change_count(db: Connection, site: str) -> int:
    """Read the counter of changes."""
    return db.execute(select(change.c.n).where(change.c.site == site)).scalar() or 0


def bump(db: Connection, site: str, subjects: Iterable[str] = ()) -> None:
    """Count one more change.

    Args:
        subjects: of whom alone it is; of anybody where nobody is named.
    """
    values = {"site": site, "n": 1}
    statement = (sqlite if db.dialect.name == "sqlite" else postgresql).insert(change).values(values)
    more = statement.on_conflict_do_update(index_elements=["site"], set_={"n": change.c.n + 1})
    n = int(db.execute(more.returning(change.c.n)).scalar_one())
    if rows := [{"site": site, "n": n, "subject": one} for one in sorted({*subjects})]:
        db.execute(insert(changed), rows)
    db.execute(delete(changed).where(changed.c.site == site, changed.c.n <= n - CHANGED_KEPT))


def changed_since(db: Connection, site: str, last: int, count: int) -> set[str] | None:
    """Give of whom the changes after ``last`` up to ``count`` were; None where that is not known of each of them."""
    query = select(changed.c.n, changed.c.subject).where(
        changed.c.site == site, changed.c.n > last, changed.c.n <= count
    )
    rows = db.execute(query).all()
    return {row.subject for row in rows} if len({row.n for row in rows}) == count - last else None


def newest(db: Connection, site: str, subject: str) -> Document | None:
    """Read the newest version of what a subject said; its signature is not checked here."""
    query = select(consent_fact).where(consent_fact.c.site == site, consent_fact.c.subject == subject)
    row = db.execute(query.order_by(consent_fact.c.version.desc()).limit(1)).first()
    return _document(row) if row else None


def history(db: Connection, site: str, subject: str) -> list[Document]:
    """Read every version of what a subject said, newest first."""
    query = select(consent_fact).where(consent_fact.c.site == site, consent_fact.c.subject == subject)
    return [_document(row) for row in db.execute(query.order_by(consent_fact.c.version.desc()))]


def all_newest(db: Connection, site: str, limit: int) -> list[Document]:
    """Read the newest version of every subject that said something, latest first."""
    top = (
        select(consent_fact.c.subject, func.max(consent_fact.c.version).label("version"))
        .where(consent_fact.c.site == site)
        .group_by(consent_fact.c.subject)
        .subquery()
    )
    joined = (consent_fact.c.subject == top.c.subject) & (consent_fact.c.version == top.c.version)
    query = select(consent_fact).join(top, joined).where(consent_fact.c.site == site)
    rows = db.execute(query.order_by(consent_fact.c.at_us.desc(), consent_fact.c.subject).limit(limit))
    return [_document(row) for row in rows]


def latest_since(db: Connection, site: str, at_us: int) -> dict[str, int]:
    """Give the subjects whose newest version is of a time or later, each with that time."""
    last = func.max(consent_fact.c.at_us)
    query = select(consent_fact.c.subject, last).where(consent_fact.c.site == site)
    rows = db.execute(query.group_by(consent_fact.c.subject).having(last >= at_us))
    return {row[0]: row[1] for row in rows}


def signed_since(db: Connection, site: str, at_us: int, limit: int) -> list[tuple[str, int, int]]:
    """List (subject, version, time) of what was signed at a time or later, newest first."""
    one = consent_fact.c
    query = select(one.subject, one.version, one.at_us).where(one.site == site, one.at_us >= at_us)
    rows = db.execute(query.order_by(one.at_us.desc(), one.subject, one.version.desc()).limit(limit))
    return [(row.subject, row.version, row.at_us) for row in rows]


def signed_us(db: Connection, site: str, subject: str, version: int) -> int:
    """Give when a version was signed; 0 where there is none."""
    one = consent_fact.c
    query = select(one.at_us).where(one.site == site, one.subject == subject, one.version == version)
    return db.execute(query).scalar() or 0


def bodies_until(db: Connection, site: str, subject: str, version: int) -> list[bytes]:
    """Read a version of what a subject said and the one before it; nothing where there is no such version.

    Their signatures are not checked here.
    """
    one = consent_fact.c
    mine = (one.site == site) & (one.subject == subject) & (one.version <= version)
    query = select(one.version, one.body).where(mine).order_by(one.version.desc()).limit(2)
    found = [(row.version, _raw(row.body)) for row in db.execute(query)]
    return [body for _, body in found] if found and found[0][0] == version else []


def effect_known(db: Connection, row: EffectRow) -> bool:
    """Say whether a process noted what a version did on a link."""
    one = effect.c
    mine = (one.site == row.site) & (one.subject == row.subject) & (one.version == row.version)
    query = select(one.link).where(mine, one.link == row.link, one.process == row.process)
    return db.execute(query).first() is not None


def put_effects(db: Connection, rows: Sequence[EffectRow]) -> None:
    """Store what versions did, link by link."""
    db.execute(insert(effect), [asdict(row) for row in rows])


def effects(
    db: Connection, site: str, *, since_us: int = 0, subject: str = "", version: int = 0, limit: int = 10_000
) -> list[EffectRow]:
    """Read what versions did since a time, latest first; of one subject's, or of one version alone."""
    one = effect.c
    query = select(effect).where(one.site == site, one.committed_us >= since_us)
    if subject:
        query = query.where(one.subject == subject)
    if version:
        query = query.where(one.version == version)
    ordered = query.order_by(one.committed_us.desc(), one.subject, one.version.desc(), one.link, one.process)
    return [EffectRow(*row) for row in db.execute(ordered.limit(limit))]


def put_person(db: Connection, site: str, values: Mapping[str, Any]) -> None:
    """Store what the list says of one patient, in place of what it said."""
    statement = (sqlite if db.dialect.name == "sqlite" else postgresql).insert(person)
    row = {"site": site, **values}
    rest = {name: row[name] for name in row if name not in {"site", "subject"}}
    db.execute(statement.values(row).on_conflict_do_update(index_elements=["site", "subject"], set_=rest))


def drop_persons(db: Connection, site: str, subjects: Sequence[str]) -> None:
    """Take subjects off the list."""
    db.execute(delete(person).where(person.c.site == site, person.c.subject.in_(list(subjects))))


def person_row(db: Connection, site: str, subject: str) -> Row[Any] | None:
    """Read what the list says of one patient."""
    query = select(person).where(person.c.site == site, person.c.subject == subject)
    return db.execute(query).first()


def persons(
    db: Connection, site: str, cut: Cut, *, after: tuple[int, str] | None, limit: int
) -> list[Row[Any]]:
    """Read a page of the list, in the cut's order."""
    query = select(person).where(person.c.site == site, *cut.holds)
    if after is not None:
        key = tuple_(cut.by, person.c.subject)
        query = query.where(key < after if cut.down else key > after)
    order = (cut.by.desc(), person.c.subject.desc()) if cut.down else (cut.by, person.c.subject)
    return list(db.execute(query.order_by(*order).limit(limit)))


def persons_count(db: Connection, site: str, cut: Cut, most: int) -> int:
    """Count what a cut holds, up to a number."""
    some = select(person.c.subject).where(person.c.site == site, *cut.holds).limit(most).subquery()
    return db.execute(select(func.count()).select_from(some)).scalar_one()


def due(db: Connection, site: str, now_us: int, limit: int) -> list[str]:
    """List patients of whom something ended since the list last looked."""
    query = select(person.c.subject).where(
        person.c.site == site, person.c.next_us > 0, person.c.next_us <= now_us
    )
    return list(db.execute(query.order_by(person.c.next_us).limit(limit)).scalars())


def put(db: Connection, document: Document) -> None:
    """Store a new version."""
    db.execute(
        insert(consent_fact).values(
            site=document.site,
            subject=document.id,
            version=document.version,
            body=document.body,
            signature=document.signature,
            at_us=document.at_us,
        )
    )


def put_arrival(db: Connection, site: str, values: Mapping[str, Any]) -> None:
    """Store that Consents arrived."""
    db.execute(insert(arrival).values(site=site, state="waiting", **values))


def arrival_known(db: Connection, site: str, message: str) -> bool:
    """Say whether Consents of a message were noted before."""
    query = select(arrival.c.message).where(arrival.c.site == site, arrival.c.message == message)
    return db.execute(query).first() is not None


def move_arrival(db: Connection, site: str, message: str, subject: str) -> None:
    """Note whose the Consents of a message are, now that this is known."""
    one = (arrival.c.site == site) & (arrival.c.message == message)
    db.execute(update(arrival).where(one).values(subject=subject))


def waiting(
    db: Connection,
    site: str,
    *,
    subjects: Sequence[str] = (),
    limit: int = 1_000,
    after: tuple[int, str] | None = None,
) -> list[Row[Any]]:
    """Read arrivals that nobody has looked at, oldest first: of these subjects, or of all; after a time and message."""
    query = select(arrival).where(arrival.c.site == site, arrival.c.state == "waiting")
    if after is not None:
        query = query.where(tuple_(arrival.c.at_us, arrival.c.message) > after)
    if subjects:
        query = query.where(arrival.c.subject.in_(list(subjects)))
    return list(db.execute(query.order_by(arrival.c.at_us, arrival.c.message).limit(limit)))


def waiting_count(db: Connection, site: str) -> int:
    """Count arrivals that nobody has looked at."""
    query = select(func.count()).select_from(arrival)
    return db.execute(query.where(arrival.c.site == site, arrival.c.state == "waiting")).scalar_one()


def settle(db: Connection, site: str, message: str, state: str) -> bool:
    """Note what became of an arrival; says whether it was waiting."""
    one = (arrival.c.site == site) & (arrival.c.message == message) & (arrival.c.state == "waiting")
    return bool(db.execute(update(arrival).where(one).values(state=state)).rowcount)


def _document(r: Row[Any]) -> Document:
    return Document(r.site, KIND, r.subject, r.version, _raw(r.body), _raw(r.signature), r.at_us)


def _raw(value: object) -> bytes:
    """Give a column's bytes; SQLite stores whatever somebody writes, and what is not bytes verifies as nothing."""
    return bytes(value) if isinstance(value, bytes | bytearray | memoryview) else b""
