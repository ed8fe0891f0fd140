"""What happens to a proposal here: written down, attached to, moved on, noted; and what somebody is writing.

Rules:
- A step goes where ``TRANSITIONS`` lets it, once: of two at the same time one is told ``conflict``.
- What is drafted, attached and put in force is a record of the caller's transaction; what people decided is the keeper's.
- Files are kept by the digest of what they are, never under a name somebody gave.

Deliberately absent: who may (the keeper), and what a change requires (``policy.requirements``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from oathward.changes import sql
from oathward.changes.model import (
    ATTACHED,
    ATTACHMENTS_MAX,
    FILE_BYTES_MAX,
    NAME_LENGTH_MAX,
    OPEN,
    REASON_LENGTH_MAX,
    TRANSITIONS,
    AttachmentRow,
    EditRow,
    EventRow,
    ProposalRow,
    ProposalState,
    plain_id,
)
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.ledger import Record, append, prepare


def keep_file(db: Connection, site: str, body: bytes, *, now_us: int) -> str:
    """Keep bytes; gives their SHA-256 in hex.

    Raises:
        InputError: ``message.limit-exceeded``.
    """
    if len(body) > FILE_BYTES_MAX:
        raise InputError("file", f"larger than {FILE_BYTES_MAX} bytes", reason=Reason.LIMIT_EXCEEDED)
    digest = hashlib.sha256(body).hexdigest()
    sql.put_file(db, site, digest, body, now_us)
    return digest


def draft(db: Connection, site: str, row: ProposalRow) -> None:
    """Write a new proposal down and record it. The last call before commit.

    Raises:
        InputError: its reason is none.
    """
    sql.put(db, site, row)
    _note(db, site, row.id, "drafted", row.proposer, row.created_us, checked_reason(row.reason))
    body = {
        "base_version": row.base_version,
        "by": row.proposer,
        "digest": row.body,
        "emergency": row.emergency,
        "kind": row.kind,
        "proposal": row.id,
        "rebased_from": row.rebased_from,
    }
    append(db, site, [prepare(Record("proposal.drafted", body, row.created_us))])


def attach(db: Connection, site: str, id_: str, row: AttachmentRow) -> None:
    """Attach something to a draft and record it. The last call before commit.

    Raises:
        InputError: not of that form; too many; or it is no draft any more.
    """
    known = proposal_of(db, site, id_)
    if known.state is not ProposalState.DRAFT:
        why = f"is {known.state}: what was proposed does not change; withdraw it and propose again"
        raise InputError(f"proposal {id_}", why, reason=Reason.CONFLICT)
    if row.kind not in ATTACHED or not 0 < len(row.name) <= NAME_LENGTH_MAX or not row.name.isprintable():
        raise InputError("attachment", f"a name of 1 to {NAME_LENGTH_MAX} printable characters")
    if len(sql.attachments(db, site, id_)) >= ATTACHMENTS_MAX:
        raise InputError("attachment", f"at most {ATTACHMENTS_MAX}", reason=Reason.LIMIT_EXCEEDED)
    sql.attach(db, site, id_, row)
    _note(db, site, id_, "attached", row.by, row.at_us, f"{row.kind} {row.name}")
    body = {"by": row.by, "digest": row.digest, "kind": row.kind, "proposal": id_}
    append(db, site, [prepare(Record("proposal.attached", body, row.at_us))])


def collect(db: Connection, site: str, id_: str, rows: list[AttachmentRow]) -> None:
    """Put what the register has now in the place of what it had when this was last collected."""
    sql.detach(db, site, id_, [kind for kind in ATTACHED if kind != "note"])
    for row in rows:
        sql.attach(db, site, id_, row)


def tried(db: Connection, site: str, id_: str, digest: str, *, by: str, words: str, now_us: int) -> None:
    """Note the dry run of a proposal that is not with the keeper yet, or of an emergency that is looked at afterwards.

    Raises:
        InputError: ``conflict``: what was proposed does not change.
    """
    known = proposal_of(db, site, id_)
    if known.state is not ProposalState.DRAFT and not known.unassessed:
        raise InputError(f"proposal {id_}", f"is {known.state} already", reason=Reason.CONFLICT)
    sql.move(db, site, id_, [known.state], {"dry_run": digest, "changed_us": now_us})
    _note(db, site, id_, "tried", by, now_us, words)


def add(db: Connection, site: str, row: ProposalRow, kind: str) -> None:
    """Write a row down that nobody drafted: a step back."""
    sql.put(db, site, row)
    _note(db, site, row.id, kind, row.proposer, row.created_us, row.reason)


def move(
    db: Connection,
    site: str,
    id_: str,
    state: ProposalState,
    *,
    by: str,
    words: str,
    now_us: int,
    values: Mapping[str, Any] | None = None,
) -> ProposalRow:
    """Bring a proposal into its next state.

    Raises:
        InputError: ``not-found``; ``conflict``: it does not go there from where it stands.
    """
    known = proposal_of(db, site, id_)
    if state not in TRANSITIONS[known.state]:
        raise InputError(f"proposal {id_}", f"is {known.state} already", reason=Reason.CONFLICT)
    changed = {**(values or {}), "state": str(state), "changed_us": now_us}
    if not sql.move(db, site, id_, [known.state], changed):
        raise InputError(f"proposal {id_}", "was changed meanwhile", reason=Reason.CONFLICT)
    _note(db, site, id_, str(state), by, now_us, words)
    return proposal_of(db, site, id_)


def assessed(db: Connection, site: str, id_: str, *, by: str, now_us: int) -> None:
    """Note that another person looked at an emergency and agreed.

    Raises:
        InputError: ``conflict``: it is none that waits for that.
    """
    known = proposal_of(db, site, id_)
    if not known.unassessed:
        raise InputError(f"proposal {id_}", "waits for no assessment", reason=Reason.CONFLICT)
    values = {"assessed_us": now_us, "approver": by, "changed_us": now_us}
    sql.move(db, site, id_, [ProposalState.ACTIVE], values)
    _note(db, site, id_, "assessed", by, now_us, "")


def stale(db: Connection, site: str, *, version: int, now_us: int) -> int:
    """Mark every open proposal that starts from another version than this one; says how many."""
    found = [
        row for row in sql.listed(db, site, states=OPEN, limit=_STALE_MAX) if row.base_version != version
    ]
    for row in found:
        move(
            db,
            site,
            row.id,
            ProposalState.STALE,
            by="",
            words=f"version {version} came into force",
            now_us=now_us,
        )
    return len(found)


_STALE_MAX = 1_000


def proposal_of(db: Connection, site: str, id_: str) -> ProposalRow:
    """Read one proposal.

    Raises:
        InputError: ``not-found``.
    """
    found = sql.one(db, site, plain_id(id_))
    if found is None:
        raise InputError(f"proposal {id_}", "there is no such proposal", reason=Reason.NOT_FOUND)
    return found


def save_edit(db: Connection, site: str, row: EditRow) -> None:
    """Keep what somebody is writing.

    Raises:
        InputError: ``message.limit-exceeded``.
    """
    if sum(len(text) for text in row.files.values()) > FILE_BYTES_MAX:
        raise InputError("editor", f"more than {FILE_BYTES_MAX} bytes", reason=Reason.LIMIT_EXCEEDED)
    sql.put_edit(db, site, row)


def drop_edit(db: Connection, site: str, person: str) -> None:
    """Forget what somebody was writing."""
    sql.drop_edit(db, site, person)


def checked_reason(text: str) -> str:
    """Give a person's words for why: short, printable, not empty.

    Raises:
        InputError: they are not.
    """
    words = " ".join(text.split())
    if not words or len(words) > REASON_LENGTH_MAX or not words.isprintable():
        why = f"say why, in 1 to {REASON_LENGTH_MAX} characters; it goes into the ledger, so no patient data"
        raise InputError("why", why, reason=Reason.INPUT_INVALID)
    return words


def _note(db: Connection, site: str, id_: str, kind: str, by: str, at_us: int, words: str) -> None:
    sql.note(db, site, id_, EventRow(kind, by, at_us, words))
