"""The tables of people.

| table | holds |
|---|---|
| ``person`` | the newest signed document of each person, with columns to list and filter by |
| ``person_identity`` | numbers, addresses, staff numbers, sign-ins -> person, one person each; derived |
| ``person_unit`` | units -> people who always work there; derived |
| ``person_role`` | every role that was ever granted, with its dates, who proposed and who approved it |
| ``person_use`` | when a role was last used for an action, to the hour |
| ``person_proposal`` | bodies of grants and services that are proposed, until they are signed or given up |
| ``service`` | the newest signed document of each service |
| ``saved_view`` | filters of lists that somebody saved under a name |
| ``saved_view_role`` | those that are shared with everybody who has a role |

Columns are for reading; what counts is the signed document.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Index, LargeBinary, Row, Table, Text
from sqlalchemy.dialects import postgresql, sqlite

from oathward.core.db import METADATA
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

saved_view = Table(
    "saved_view",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("page", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("shared", BigInteger, nullable=False),  # 1: everybody who may open the page is shown it
    Column("changed_us", BigInteger, nullable=False),
)
Index(
    "saved_view_named",
    *(saved_view.c.site, saved_view.c.owner, saved_view.c.page, saved_view.c.name),
    unique=True,
)
Index("saved_view_shared", saved_view.c.site, saved_view.c.shared)
saved_view_role = Table(
    "saved_view_role",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("view", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Index("saved_view_role_shared", "site", "role"),
)

proposal = Table(
    "person_proposal",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
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


def upsert(
    db: Connection,
    table: Table,
    keys: Mapping[str, Any],
    values: Mapping[str, Any],
    changes: Mapping[str, Any] | None = None,
    where: Any = None,
) -> None:
    """Insert a row, or change the one that is there: to ``values``, or to ``changes`` alone."""
    statement = (sqlite if db.dialect.name == "sqlite" else postgresql).insert(table).values(**keys, **values)
    set_ = dict(values if changes is None else changes)
    db.execute(statement.on_conflict_do_update(index_elements=list(keys), set_=set_, where=where))


def document(r: Row[Any], kind: str) -> Document:
    """Give the signed document of a row."""
    return Document(r.site, kind, r.id, r.version, raw(r.body), raw(r.signature), r.at_us)


def raw(value: object) -> bytes:
    """Give a column's bytes; SQLite stores whatever somebody writes, and what is not bytes verifies as nothing."""
    return bytes(value) if isinstance(value, bytes | bytearray | memoryview) else b""
