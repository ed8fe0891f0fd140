"""The tables of changes and the only SQL on them.

| table | holds |
|---|---|
| ``change_file`` | bundles, dry runs and attachments by SHA-256 |
| ``change_proposal`` | each proposal as it stands |
| ``change_attachment`` | what is attached to it |
| ``change_event`` | its steps: the history people read; the ledger has the proof |
| ``change_edit`` | what each person is writing in the editor |
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Boolean,
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
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from oathward.changes.model import AttachmentRow, EditRow, EventRow, ProposalRow, ProposalState
from oathward.core.db import METADATA

file_table = Table(
    "change_file",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("at_us", BigInteger, nullable=False),
)

proposal_table = Table(
    "change_proposal",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("base_version", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("base_body", Text, nullable=False),
    Column("proposer", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("emergency", Boolean, nullable=False),
    Column("dry_run", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("approver", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("changed_us", BigInteger, nullable=False),
    Column("due_us", BigInteger, nullable=False),
    Column("assessed_us", BigInteger, nullable=False),
    Column("rebased_from", Text, nullable=False),
)
Index("change_proposal_state", proposal_table.c.site, proposal_table.c.state, proposal_table.c.id)

attachment_table = Table(
    "change_attachment",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("proposal", Text, primary_key=True),
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
)

event_table = Table(
    "change_event",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("proposal", Text, primary_key=True),
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("words", Text, nullable=False),
)

edit_table = Table(
    "change_edit",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("person", Text, primary_key=True),
    Column("base_version", BigInteger, nullable=False),
    Column("files", LargeBinary, nullable=False),
    Column("changed_us", BigInteger, nullable=False),
)

_NAMES = tuple(f.name for f in fields(ProposalRow))


def put_file(db: Connection, site: str, digest: str, body: bytes, at_us: int) -> None:
    """Store bytes under their name; the same bytes again change nothing."""
    values = {"site": site, "digest": digest, "body": body, "at_us": at_us}
    statement = _dialect(db).insert(file_table).values(values)
    db.execute(statement.on_conflict_do_nothing(index_elements=["site", "digest"]))


def file_body(db: Connection, site: str, digest: str) -> bytes | None:
    """Read bytes by their name; whether they fit it is not checked here."""
    body = db.execute(
        select(file_table.c.body).where(file_table.c.site == site, file_table.c.digest == digest)
    ).scalar()
    return body if isinstance(body, bytes) or body is None else bytes(str(body), "utf-8", "replace")


def put(db: Connection, site: str, row: ProposalRow) -> None:
    """Store a new proposal."""
    db.execute(insert(proposal_table).values(site=site, **{name: getattr(row, name) for name in _NAMES}))


def one(db: Connection, site: str, id_: str) -> ProposalRow | None:
    """Read one proposal."""
    row = db.execute(
        select(proposal_table).where(proposal_table.c.site == site, proposal_table.c.id == id_)
    ).first()
    return _proposal(row) if row else None


def listed(
    db: Connection, site: str, *, states: Iterable[ProposalState] = (), after: str = "", limit: int
) -> list[ProposalRow]:
    """Read proposals, the newest first: in these states or in all; ``after`` pages."""
    query = select(proposal_table).where(proposal_table.c.site == site)
    if wanted := [str(state) for state in states]:
        query = query.where(proposal_table.c.state.in_(wanted))
    if after:
        query = query.where(proposal_table.c.id < after)
    return [_proposal(row) for row in db.execute(query.order_by(proposal_table.c.id.desc()).limit(limit))]


def unassessed(db: Connection, site: str) -> list[ProposalRow]:
    """Read emergencies in force that nobody else has looked at, the one due first at the top."""
    query = select(proposal_table).where(
        proposal_table.c.site == site,
        proposal_table.c.state == str(ProposalState.ACTIVE),
        proposal_table.c.emergency,
        proposal_table.c.assessed_us == 0,
    )
    return [_proposal(row) for row in db.execute(query.order_by(proposal_table.c.due_us))]


def of_version(db: Connection, site: str, version: int) -> ProposalRow | None:
    """Read the proposal that came into force as a version."""
    query = select(proposal_table).where(proposal_table.c.site == site, proposal_table.c.version == version)
    row = db.execute(query.order_by(proposal_table.c.changed_us.desc()).limit(1)).first()
    return _proposal(row) if row else None


def move(db: Connection, site: str, id_: str, was: Iterable[ProposalState], values: dict[str, Any]) -> bool:
    """Change a proposal that is in one of these states; says whether it was."""
    named = (proposal_table.c.site == site) & (proposal_table.c.id == id_)
    states = [str(state) for state in was]
    done = db.execute(update(proposal_table).where(named, proposal_table.c.state.in_(states)).values(values))
    return bool(done.rowcount)


def attach(db: Connection, site: str, id_: str, row: AttachmentRow) -> None:
    """Store one more attachment."""
    values = {f.name: getattr(row, f.name) for f in fields(row)}
    db.execute(
        insert(attachment_table).values(
            site=site, proposal=id_, n=_next(db, attachment_table, site, id_), **values
        )
    )


def detach(db: Connection, site: str, id_: str, kinds: Iterable[str]) -> None:
    """Take attachments of these kinds away: they are collected anew."""
    named = (attachment_table.c.site == site) & (attachment_table.c.proposal == id_)
    db.execute(delete(attachment_table).where(named, attachment_table.c.kind.in_(list(kinds))))


def attachments(db: Connection, site: str, id_: str) -> list[AttachmentRow]:
    """Read what is attached, in order."""
    query = select(attachment_table).where(
        attachment_table.c.site == site, attachment_table.c.proposal == id_
    )
    return [
        AttachmentRow(r.kind, r.name, r.digest, r.about, r.by, r.at_us)
        for r in db.execute(query.order_by(attachment_table.c.n))
    ]


def note(db: Connection, site: str, id_: str, row: EventRow) -> None:
    """Store one more step."""
    values = {f.name: getattr(row, f.name) for f in fields(row)}
    db.execute(
        insert(event_table).values(site=site, proposal=id_, n=_next(db, event_table, site, id_), **values)
    )


def events(db: Connection, site: str, id_: str) -> list[EventRow]:
    """Read the steps, in order."""
    query = (
        select(event_table)
        .where(event_table.c.site == site, event_table.c.proposal == id_)
        .order_by(event_table.c.n)
    )
    return [EventRow(r.kind, r.by, r.at_us, r.words) for r in db.execute(query)]


def put_edit(db: Connection, site: str, row: EditRow) -> None:
    """Keep what somebody is writing, in the place of what they wrote before."""
    changed = {
        "base_version": row.base_version,
        "files": orjson.dumps(dict(row.files), option=orjson.OPT_SORT_KEYS),
        "changed_us": row.changed_us,
    }
    statement = _dialect(db).insert(edit_table).values(site=site, person=row.person, **changed)
    db.execute(statement.on_conflict_do_update(index_elements=["site", "person"], set_=changed))


def edit_of(db: Connection, site: str, person: str) -> EditRow | None:
    """Read what somebody is writing."""
    row = db.execute(
        select(edit_table).where(edit_table.c.site == site, edit_table.c.person == person)
    ).first()
    return EditRow(row.person, row.base_version, orjson.loads(row.files), row.changed_us) if row else None


def drop_edit(db: Connection, site: str, person: str) -> None:
    """Forget what somebody was writing."""
    db.execute(delete(edit_table).where(edit_table.c.site == site, edit_table.c.person == person))


def _next(db: Connection, table: Table, site: str, id_: str) -> int:
    query = select(func.max(table.c.n)).where(table.c.site == site, table.c.proposal == id_)
    return (db.execute(query).scalar() or 0) + 1


def _dialect(db: Connection) -> Any:
    return sqlite if db.dialect.name == "sqlite" else postgresql


def _proposal(row: Row[Any]) -> ProposalRow:
    values = {name: getattr(row, name) for name in _NAMES}
    return ProposalRow(**{**values, "state": ProposalState(row.state), "emergency": bool(row.emergency)})
