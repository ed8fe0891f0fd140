"""The tables of people and the only SQL on them.

| table | holds |
|---|---|
| ``person`` | the newest signed document of each person, with columns to list and filter by |
| ``person_identity`` | numbers, addresses, staff numbers, sign-ins -> person, one person each; derived |
| ``person_unit`` | units -> people who always work there; derived |
| ``person_role`` | every role that was ever granted, with its dates, who proposed and who approved it |
| ``person_use`` | when a role was last used for an action, to the hour |
| ``service`` | the newest signed document of each service |

Columns are for reading; what counts is the signed document.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    LargeBinary,
    Row,
    Table,
    Text,
    delete,
    func,
    insert,
    or_,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from oathward.core.db import METADATA
from oathward.policy.people import PERSON, SERVICE, Person, Service
from oathward.vault.authority import Document

person = Table(
    "person",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("words", Text, nullable=False),  # name and number, for searching
    Column("sort", Text, nullable=False),
    Column("party", Text, nullable=False),
    Column("gone", BigInteger, nullable=False),  # 1: a directory deleted it, and does not want to see it
    Column("since_us", BigInteger, nullable=False),
    Column("changed_us", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("at_us", BigInteger, nullable=False),
)
Index("person_sorted", person.c.site, person.c.sort)
Index("person_state", person.c.site, person.c.state)

identity = Table(
    "person_identity",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("person", Text, nullable=False),
)
Index("person_identity_person", identity.c.site, identity.c.person)

unit = Table(
    "person_unit",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("unit", Text, primary_key=True),
    Column("person", Text, primary_key=True),
)
Index("person_unit_person", unit.c.site, unit.c.person)

role = Table(
    "person_role",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("person", Text, primary_key=True),
    Column("role", Text, primary_key=True),
    Column("from_us", BigInteger, primary_key=True, autoincrement=False),
    Column("until_us", BigInteger),
    Column("why", Text, nullable=False),
    Column("proposer", Text, nullable=False),
    Column("approver", Text, nullable=False),
    Column("proposal", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
)
Index("person_role_role", role.c.site, role.c.role)

use = Table(
    "person_use",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("person", Text, primary_key=True),
    Column("role", Text, primary_key=True),
    Column("action", Text, primary_key=True),
    Column("last_us", BigInteger, nullable=False),
)

service = Table(
    "service",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("proposer", Text, nullable=False),
    Column("approver", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("at_us", BigInteger, nullable=False),
)
Index("service_owner", service.c.site, service.c.owner)


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


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """One stored service: the signed document, and who brought it."""

    document: Document
    proposer: str
    approver: str

    @property
    def service(self) -> Service:
        """What the document says; believe it only after its signature was checked.

        Raises:
            ValueError: the body is not a service.
        """
        return Service.from_body(self.document.body)


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
    db: Connection,
    document: Document,
    one: Person,
    identities: Sequence[tuple[str, str]],
    *,
    now_us: int,
    gone: bool,
) -> None:
    """Store the newest document of a person; ``let_go`` has taken away what it had."""
    values = {
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
    site = document.site
    _upsert(db, person, {"site": site, "id": one.id}, values)
    if identities:
        db.execute(
            insert(identity),
            [{"site": site, "kind": k, "value": v, "person": one.id} for k, v in identities],
        )
    if one.units:
        db.execute(insert(unit), [{"site": site, "unit": u, "person": one.id} for u in sorted(one.units)])


def let_go(db: Connection, site: str, ids: Iterable[str]) -> None:
    """Take away what is derived of these people, so that one may get what another had."""
    for id_ in ids:
        db.execute(delete(identity).where(identity.c.site == site, identity.c.person == id_))
        db.execute(delete(unit).where(unit.c.site == site, unit.c.person == id_))


def put_role(db: Connection, site: str, id_: str, key: tuple[str, int], values: Mapping[str, Any]) -> None:
    """Store one role of a person; who brought it stays as it was first said."""
    mine = {"site": site, "person": id_, "role": key[0], "from_us": key[1]}
    _upsert(db, role, mine, dict(values), {"until_us": values["until_us"]})


def roles(db: Connection, site: str, ids: Iterable[str] | None = None) -> list[Row[Any]]:
    """Read every role that was granted to these people, or to anybody, oldest first."""
    query = select(role).where(role.c.site == site)
    if ids is not None:
        query = query.where(role.c.person.in_(sorted(set(ids))))
    return list(db.execute(query.order_by(role.c.person, role.c.from_us, role.c.role)))


def note_use(db: Connection, site: str, id_: str, action: str, roles: Iterable[str], now_us: int) -> None:
    """Note that somebody used roles for an action; an older time never replaces a newer one."""
    for one in roles:
        keys = {"site": site, "person": id_, "role": one, "action": action}
        _upsert(db, use, keys, {"last_us": now_us}, where=use.c.last_us < now_us)


def uses(db: Connection, site: str, ids: Iterable[str] | None = None) -> dict[tuple[str, str], int]:
    """Read when each role was last used, by anybody or by these: (person, role) -> microseconds UTC."""
    query = select(use.c.person, use.c.role, func.max(use.c.last_us)).where(use.c.site == site)
    if ids is not None:
        query = query.where(use.c.person.in_(sorted(set(ids))))
    return {(r[0], r[1]): r[2] for r in db.execute(query.group_by(use.c.person, use.c.role))}


def last_of(db: Connection, site: str, id_: str, action: str) -> int:
    """Read when somebody last did something; 0 for never."""
    query = select(func.max(use.c.last_us)).where(
        use.c.site == site, use.c.person == id_, use.c.action == action
    )
    return db.execute(query).scalar() or 0


def put_service(db: Connection, document: Document, one: Service, *, proposer: str, approver: str) -> None:
    """Store the newest document of a service."""
    values = {
        "version": document.version,
        "state": one.state,
        "owner": one.owner,
        "proposer": proposer,
        "approver": approver,
        "body": document.body,
        "signature": document.signature,
        "at_us": document.at_us,
    }
    _upsert(db, service, {"site": document.site, "id": one.id}, values)


def services(db: Connection, site: str) -> list[ServiceRow]:
    """Read every service, by id."""
    query = select(service).where(service.c.site == site).order_by(service.c.id)
    return [ServiceRow(_document(r, SERVICE), r.proposer, r.approver) for r in db.execute(query)]


_IDS_MAX = 500


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


def _upsert(
    db: Connection,
    table: Table,
    keys: Mapping[str, Any],
    values: Mapping[str, Any],
    changes: Mapping[str, Any] | None = None,
    where: Any = None,
) -> None:
    statement = (sqlite if db.dialect.name == "sqlite" else postgresql).insert(table).values(**keys, **values)
    set_ = dict(values if changes is None else changes)
    db.execute(statement.on_conflict_do_update(index_elements=list(keys), set_=set_, where=where))


def _row(r: Row[Any]) -> PersonRow:
    return PersonRow(_document(r, PERSON), bool(r.gone))


def _document(r: Row[Any], kind: str) -> Document:
    return Document(r.site, kind, r.id, r.version, _raw(r.body), _raw(r.signature), r.at_us)


def _raw(value: object) -> bytes:
    """Give a column's bytes; SQLite stores whatever somebody writes, and what is not bytes verifies as nothing."""
    return bytes(value) if isinstance(value, bytes | bytearray | memoryview) else b""
