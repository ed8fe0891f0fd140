"""The tables of the register and the only SQL on them.

| table | holds |
|---|---|
| ``register_entry`` | each entry as it stands |
| ``register_agreement`` | each agreement as it stands |
| ``register_assessment`` | every assessment |
| ``register_connection`` | each external connection as it stands |
| ``register_change`` | one row for each field that changed: the history people read; the ledger has the proof |
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Index, Row, Table, Text, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from oathward.core.db import METADATA
from oathward.governance.model import (
    Acceptability,
    AgreementKind,
    AgreementRow,
    AssessedKind,
    AssessmentRow,
    Authentication,
    ChangeRow,
    ConnectionRow,
    EntryKind,
    EntryRow,
    Lifecycle,
    PartyRole,
)

register_entry = Table(
    "register_entry",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("steward", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("classification", Text, nullable=False),  # a word a line
    Column("review_due_us", BigInteger, nullable=False),
    Column("changed_us", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
)

register_agreement = Table(
    "register_agreement",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("party", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("purposes", Text, nullable=False),  # a word a line, as all sets here
    Column("destinations", Text, nullable=False),
    Column("classes", Text, nullable=False),
    Column("sub_recipients", Text, nullable=False),
    Column("country", Text, nullable=False),
    Column("safeguards", Text, nullable=False),
    Column("from_us", BigInteger, nullable=False),
    Column("until_us", BigInteger, nullable=True),
    Column("review_due_us", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("added_us", BigInteger, nullable=False),
    Column("ended_us", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
)

register_assessment = Table(
    "register_assessment",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("about_digest", Text, nullable=False),
    Column("privacy", Text, nullable=False),
    Column("security", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("approver", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("approved_us", BigInteger, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("measures", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("valid_until_us", BigInteger, nullable=False),
    Column("reopened_us", BigInteger, nullable=False),
)
Index(
    "register_assessment_about",
    register_assessment.c.site,
    register_assessment.c.kind,
    register_assessment.c.about,
)

register_connection = Table(
    "register_connection",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("party", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("agreement", Text, nullable=False),
    Column("hosts", Text, nullable=False),  # a word a line, as networks and ports
    Column("networks", Text, nullable=False),
    Column("ports", Text, nullable=False),
    Column("transport", Text, nullable=False),
    Column("retention_days", BigInteger, nullable=False),
    Column("tls_min", Text, nullable=False),
    Column("authentication", Text, nullable=False),
    Column("certificate_days_min", BigInteger, nullable=False),
    Column("from_us", BigInteger, nullable=False),
    Column("until_us", BigInteger, nullable=True),
    Column("by", Text, nullable=False),
    Column("added_us", BigInteger, nullable=False),
    Column("ended_us", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
)

register_change = Table(
    "register_change",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("by", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
)
Index(
    "register_change_about",
    register_change.c.site,
    register_change.c.kind,
    register_change.c.about,
    register_change.c.id,
)

_SETS = ("purposes", "destinations", "classes", "sub_recipients")
_WHERE = ("hosts", "networks", "ports")


def entry_row(db: Connection, site: str, kind: str, id_: str) -> EntryRow | None:
    """Read one entry."""
    query = select(register_entry).where(
        register_entry.c.site == site, register_entry.c.kind == kind, register_entry.c.id == id_
    )
    found = db.execute(query).first()
    return _entry(found) if found else None


def entries(db: Connection, site: str) -> list[EntryRow]:
    """Read every entry, by kind and id."""
    query = (
        select(register_entry)
        .where(register_entry.c.site == site)
        .order_by(register_entry.c.kind, register_entry.c.id)
    )
    return [_entry(row) for row in db.execute(query)]


def put_entry(db: Connection, site: str, row: EntryRow) -> None:
    """Write an entry as it stands now."""
    values = _plain(row) | {"classification": "\n".join(row.classification)}
    _put(db, register_entry, {"site": site, "kind": values.pop("kind"), "id": values.pop("id")}, values)


def agreement_row(db: Connection, site: str, id_: str) -> AgreementRow | None:
    """Read one agreement."""
    found = db.execute(
        select(register_agreement).where(register_agreement.c.site == site, register_agreement.c.id == id_)
    ).first()
    return _agreement(found) if found else None


def agreements(db: Connection, site: str) -> list[AgreementRow]:
    """Read every agreement, by id."""
    query = (
        select(register_agreement).where(register_agreement.c.site == site).order_by(register_agreement.c.id)
    )
    return [_agreement(row) for row in db.execute(query)]


def put_agreement(db: Connection, site: str, row: AgreementRow) -> None:
    """Write an agreement as it stands now."""
    values = _plain(row) | {name: "\n".join(sorted(getattr(row, name))) for name in _SETS}
    _put(db, register_agreement, {"site": site, "id": values.pop("id")}, values)


def assessment_row(db: Connection, site: str, id_: str) -> AssessmentRow | None:
    """Read one assessment."""
    found = db.execute(
        select(register_assessment).where(register_assessment.c.site == site, register_assessment.c.id == id_)
    ).first()
    return _assessment(found) if found else None


def assessments(db: Connection, site: str, *, kind: str = "", about: str = "") -> list[AssessmentRow]:
    """Read assessments, the newest first: all, or those of one thing."""
    query = (
        select(register_assessment)
        .where(register_assessment.c.site == site)
        .order_by(register_assessment.c.id.desc())
    )
    if kind:
        query = query.where(register_assessment.c.kind == kind, register_assessment.c.about == about)
    return [_assessment(row) for row in db.execute(query)]


def put_assessment(db: Connection, site: str, row: AssessmentRow) -> None:
    """Write an assessment as it stands now."""
    values = _plain(row)
    _put(db, register_assessment, {"site": site, "id": values.pop("id")}, values)


def connection_row(db: Connection, site: str, id_: str) -> ConnectionRow | None:
    """Read one external connection."""
    found = db.execute(
        select(register_connection).where(register_connection.c.site == site, register_connection.c.id == id_)
    ).first()
    return _connection(found) if found else None


def connections(db: Connection, site: str) -> list[ConnectionRow]:
    """Read every external connection, by id."""
    query = select(register_connection).where(register_connection.c.site == site)
    return [_connection(row) for row in db.execute(query.order_by(register_connection.c.id))]


def put_connection(db: Connection, site: str, row: ConnectionRow) -> None:
    """Write an external connection as it stands now."""
    values = _plain(row) | {name: "\n".join(sorted(getattr(row, name))) for name in _WHERE}
    _put(db, register_connection, {"site": site, "id": values.pop("id")}, values)


def add_changes(db: Connection, site: str, rows: Iterable[ChangeRow]) -> None:
    """Add to the history."""
    values = [{"site": site} | _plain(row) for row in rows]
    if values:
        db.execute(insert(register_change), values)


def changes(db: Connection, site: str, kind: str, about: str, limit: int) -> list[ChangeRow]:
    """Read the history of one thing, the newest first."""
    query = select(register_change).where(
        register_change.c.site == site, register_change.c.kind == kind, register_change.c.about == about
    )
    rows = db.execute(query.order_by(register_change.c.id.desc()).limit(limit))
    return [ChangeRow(**_without_site(row)) for row in rows]


def _put(db: Connection, table: Table, keys: dict[str, Any], values: dict[str, Any]) -> None:
    statement = (sqlite if db.dialect.name == "sqlite" else postgresql).insert(table).values(**keys, **values)
    db.execute(statement.on_conflict_do_update(index_elements=list(keys), set_=values))


def _plain(row: Any) -> dict[str, Any]:
    """Give a row's fields; words of an enumeration are plain words to a driver."""
    found = {field.name: getattr(row, field.name) for field in fields(row)}
    return {name: str(value) if isinstance(value, str) else value for name, value in found.items()}


def _without_site(row: Row[Any]) -> dict[str, Any]:
    values = row._asdict()
    del values["site"]
    return values


def _entry(row: Row[Any]) -> EntryRow:
    values = _without_site(row)
    values |= {"kind": EntryKind(row.kind), "state": Lifecycle(row.state)}
    return EntryRow(**values | {"classification": tuple(row.classification.splitlines())})


def _agreement(row: Row[Any]) -> AgreementRow:
    sets = {name: frozenset(getattr(row, name).splitlines()) for name in _SETS}
    return AgreementRow(**_without_site(row) | sets | {"kind": AgreementKind(row.kind)})


def _connection(row: Row[Any]) -> ConnectionRow:
    sets = {name: frozenset(getattr(row, name).splitlines()) for name in _WHERE}
    enums = {"role": PartyRole(row.role), "authentication": Authentication(row.authentication)}
    return ConnectionRow(**_without_site(row) | sets | enums)


def _assessment(row: Row[Any]) -> AssessmentRow:
    enums = {"kind": AssessedKind(row.kind), "outcome": Acceptability(row.outcome)}
    return AssessmentRow(**_without_site(row) | enums)
