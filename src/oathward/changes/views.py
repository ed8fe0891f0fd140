"""Read changes: proposals, one with everything about it, kept files whose bytes fit their name, overdue emergencies.

Deliberately absent: names of persons (signed documents have them).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from oathward.changes import sql
from oathward.changes.model import AttachmentRow, EditRow, EventRow, ProposalRow, ProposalState, plain_id
from oathward.core.errors import InputError, StorageError
from oathward.core.reasons import Reason


@dataclass(frozen=True, slots=True)
class ProposalView:
    """One proposal with what is attached to it and its steps."""

    row: ProposalRow
    attachments: tuple[AttachmentRow, ...]
    events: tuple[EventRow, ...]


def proposals(
    db: Connection, site: str, *, states: Iterable[ProposalState] = (), after: str = "", limit: int = 50
) -> list[ProposalRow]:
    """List proposals, the newest first."""
    return sql.listed(db, site, states=states, after=after, limit=limit)


def one(db: Connection, site: str, id_: str) -> ProposalView:
    """Read one proposal whole.

    Raises:
        InputError: ``not-found``.
    """
    row = sql.one(db, site, plain_id(id_))
    if row is None:
        raise InputError(f"proposal {id_}", "there is no such proposal", reason=Reason.NOT_FOUND)
    return ProposalView(row, tuple(sql.attachments(db, site, id_)), tuple(sql.events(db, site, id_)))


def of_version(db: Connection, site: str, version: int) -> ProposalRow | None:
    """Give the proposal that came into force as a version; nothing where there was none."""
    return sql.of_version(db, site, version)


def pairs(db: Connection, site: str, since_us: int) -> list[tuple[str, str]]:
    """Say who proposed and who approved what came into force since, and is in force or was."""
    found = sql.listed(db, site, states=[ProposalState.ACTIVE], limit=_PAIRS_MAX)
    return [(row.proposer, row.approver) for row in found if row.approver and row.changed_us >= since_us]


_PAIRS_MAX = 1_000


def file(db: Connection, site: str, digest: str) -> bytes:
    """Give kept bytes.

    Raises:
        InputError: ``not-found``.
        StorageError: ``proposal.altered``: they are not those that were kept under this name.
    """
    body = sql.file_body(db, site, digest)
    if body is None:
        raise InputError(f"file {digest[:16]}", "is not kept here", reason=Reason.NOT_FOUND)
    if hashlib.sha256(body).hexdigest() != digest:
        why = "its bytes are not those that were kept under this name"
        raise StorageError(f"file {digest[:16]}", why, reason=Reason.PROPOSAL_ALTERED)
    return body


def unassessed(db: Connection, site: str) -> list[ProposalRow]:
    """List emergencies in force that nobody else has assessed, the one due first at the top."""
    return sql.unassessed(db, site)


def overdue(db: Connection, site: str, now_us: int) -> list[ProposalRow]:
    """List those of them whose time is over."""
    return [row for row in sql.unassessed(db, site) if row.due_us <= now_us]


def edit_of(db: Connection, site: str, person: str) -> EditRow | None:
    """Give what somebody is writing."""
    return sql.edit_of(db, site, person)
