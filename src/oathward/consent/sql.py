"""The tables of consent and the only SQL on them.

| table | holds |
|---|---|
| ``consent_fact`` | each signed version of what a subject said; the newest stands, older ones are history |
| ``consent_change`` | a counter: what changed since a process last looked |
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Connection, LargeBinary, Row, Table, Text, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from oathward.consent.model import KIND
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
)

change = Table(
    "consent_change",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("n", BigInteger, nullable=False),
)


def change_count(db: Connection, site: str) -> int:
    """Read the counter of changes."""
    return db.execute(select(change.c.n).where(change.c.site == site)).scalar() or 0


def bump(db: Connection, site: str) -> None:
    """Count one more change."""
    values = {"site": site, "n": 1}
    statement = (sqlite if db.dialect.name == "sqlite" else postgresql).insert(change).values(values)
    db.execute(statement.on_conflict_do_update(index_elements=["site"], set_={"n": change.c.n + 1}))


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


def _document(r: Row[Any]) -> Document:
    return Document(r.site, KIND, r.subject, r.version, _raw(r.body), _raw(r.signature), r.at_us)


def _raw(value: object) -> bytes:
    """Give a column's bytes; SQLite stores whatever somebody writes, and what is not bytes verifies as nothing."""
    return bytes(value) if isinstance(value, bytes | bytearray | memoryview) else b""
