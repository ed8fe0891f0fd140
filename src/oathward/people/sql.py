"""People's rows: the only SQL on ``person`` and what is derived of it (``tables``)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update

from oathward.people.model import identities_of
from oathward.people.tables import document as document_of
from oathward.people.tables import identity, person, role, unit
from oathward.policy.people import PERSON, Person
from oathward.vault.authority import Document


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One stored person: the signed document, and whether a directory deleted it."""

    document: Document
    gone: bool

    @property
    def person(self) -> Person:
        """What the document says; believe it only after its signature was checked.

        Raises:
            ValueError: the body is not a person.
        """
        return Person.from_body(self.document.body)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which people. ``words`` stand in name or number; ``role`` holds at ``holds_us``; ``party`` empty is this site.

    ``gone``: with those a directory deleted.
    """

    holds_us: int
    words: str = ""
    state: str = ""
    role: str = ""
    unit: str = ""
    party: str | None = None
    gone: bool = True


def row(db: Connection, site: str, id_: str) -> PersonRow | None:
    """Read one person."""
    found = db.execute(select(person).where(person.c.site == site, person.c.id == id_)).first()
    return _row(found) if found else None


def rows(db: Connection, site: str) -> list[PersonRow]:
    """Read every person, by name."""
    return [_row(r) for r in db.execute(select(person).where(person.c.site == site).order_by(person.c.sort))]


def some(db: Connection, site: str, ids: Iterable[str]) -> dict[str, PersonRow]:
    """Read the people of these ids; those there are."""
    found: dict[str, PersonRow] = {}
    wanted = sorted(set(ids))
    for start in range(0, len(wanted), _IDS_MAX):
        query = select(person).where(person.c.site == site, person.c.id.in_(wanted[start : start + _IDS_MAX]))
        found |= {r.id: _row(r) for r in db.execute(query)}
    return found


def standings(db: Connection, site: str) -> dict[str, tuple[str, int]]:
    """Read where everybody stands: id -> state, and since when; for a review, which reads no documents."""
    query = select(person.c.id, person.c.state, person.c.since_us).where(person.c.site == site)
    return {r[0]: (r[1], r[2]) for r in db.execute(query)}


def page(
    db: Connection, site: str, wanted: Wanted, *, after: str = "", limit: int = 50, skip: int = 0
) -> list[PersonRow]:
    """Read some people by name; ``after``: the last id of the page before."""
    where = _where(site, wanted)
    if after:
        last = select(person.c.sort).where(person.c.site == site, person.c.id == after).scalar_subquery()
        where.append(person.c.sort > last)
    query = select(person).where(*where).order_by(person.c.sort).offset(skip).limit(limit)
    return [_row(r) for r in db.execute(query)]


def count(db: Connection, site: str, wanted: Wanted) -> int:
    """Count people."""
    return db.execute(select(func.count()).select_from(person).where(*_where(site, wanted))).scalar_one()


def state_counts(db: Connection, site: str) -> dict[str, int]:
    """Count people by state."""
    query = select(person.c.state, func.count()).where(person.c.site == site).group_by(person.c.state)
    return {r[0]: r[1] for r in db.execute(query)}


def identities(db: Connection, site: str) -> dict[tuple[str, str], str]:
    """Read whose every number, address, staff number and sign-in is: (column, value) -> person."""
    return {(r.kind, r.value): r.person for r in db.execute(select(identity).where(identity.c.site == site))}


def owners(db: Connection, site: str, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Find whose these are: (column, value) -> person."""
    found: dict[tuple[str, str], str] = {}
    for kind, value in wanted:
        query = select(identity.c.person).where(
            identity.c.site == site, identity.c.kind == kind, identity.c.value == value
        )
        owner = db.execute(query).scalar()
        if owner is not None:
            found[kind, value] = owner
    return found


def units(db: Connection, site: str) -> list[str]:
    """List the units somebody works at."""
    return list(
        db.execute(select(unit.c.unit).where(unit.c.site == site).distinct().order_by(unit.c.unit)).scalars()
    )


def parties(db: Connection, site: str) -> list[str]:
    """List whom people work for; an empty one is this site."""
    query = select(person.c.party).where(person.c.site == site).distinct().order_by(person.c.party)
    return list(db.execute(query).scalars())


def put(
    db: Connection, site: str, rows: Sequence[tuple[Document, Person]], *, now_us: int, gone: bool
) -> None:
    """Store the newest document of each of these people; what they had is let go first, so that two may change it."""
    ids = [one.id for _, one in rows]
    for start in range(0, len(ids), _IDS_MAX):
        some = ids[start : start + _IDS_MAX]
        db.execute(delete(person).where(person.c.site == site, person.c.id.in_(some)))
        for table in (identity, unit):
            db.execute(delete(table).where(table.c.site == site, table.c.person.in_(some)))
    db.execute(insert(person), [_values(site, document, one, now_us, gone=gone) for document, one in rows])
    pairs = [(key, one.id) for _, one in rows for key in identities_of(one)]
    if pairs:
        rows_ = [{"site": site, "kind": key[0], "value": key[1], "person": id_} for key, id_ in pairs]
        db.execute(insert(identity), rows_)
    places = [{"site": site, "unit": u, "person": one.id} for _, one in rows for u in sorted(one.units)]
    if places:
        db.execute(insert(unit), places)


def set_gone(db: Connection, site: str, id_: str) -> None:
    """Note that a directory deleted somebody, who has left already."""
    db.execute(update(person).where(person.c.site == site, person.c.id == id_).values(gone=1))


_IDS_MAX = 500


def _values(site: str, document: Document, one: Person, now_us: int, *, gone: bool) -> dict[str, Any]:
    return {
        "site": site,
        "id": one.id,
        "version": document.version,
        "state": one.state,
        "number": one.number,
        "words": f"{one.name} {one.number}".casefold(),
        "sort": f"{one.name.casefold()} {one.id}",
        "party": one.party,
        "gone": int(gone),
        "since_us": one.since_us,
        "changed_us": now_us,
        "body": document.body,
        "signature": document.signature,
        "at_us": document.at_us,
    }


def _where(site: str, wanted: Wanted) -> list[Any]:
    where: list[Any] = [person.c.site == site]
    if wanted.words:
        where.append(person.c.words.contains(wanted.words.casefold(), autoescape=True))
    if wanted.state:
        where.append(person.c.state == wanted.state)
    if wanted.party is not None:
        where.append(person.c.party == wanted.party)
    if not wanted.gone:
        where.append(person.c.gone == 0)
    if wanted.unit:
        there = select(unit.c.person).where(unit.c.site == site, unit.c.unit == wanted.unit)
        where.append(person.c.id.in_(there))
    if wanted.role:
        ends = or_(role.c.until_us.is_(None), role.c.until_us > wanted.holds_us)
        begun = role.c.from_us.between(person.c.since_us, wanted.holds_us)
        mine = role.c.person == person.c.id
        held = select(role.c.person).where(role.c.site == site, role.c.role == wanted.role, mine, begun, ends)
        where += [held.exists(), person.c.state == "active"]
    return where


def _row(r: Row[Any]) -> PersonRow:
    return PersonRow(document_of(r, PERSON), bool(r.gone))
