"""What changes consent: draft, have the keeper sign, store.

Rules:
- Three steps, because no transaction waits for the keeper: ``draft`` reads and adds, the keeper signs,
  ``store`` writes and records. A draft rests on a verified document.
- ``store`` appends ``consent.recorded`` last; ids, versions and counts only. The sealed originals that a document names
  are stored in the same transaction, by the caller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from oathward.consent import sql
from oathward.consent.arrived import Arrived
from oathward.consent.model import (
    ARRIVED,
    KIND,
    STATEMENTS_MAX,
    Statement,
    canonical,
    check_subject,
    from_canonical,
    originals_of,
)
from oathward.consent.views import facts_of, times_of
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.ledger import Record, append, prepare
from oathward.vault import kept
from oathward.vault.authority import Document, Seen, put_all
from oathward.vault.sign import Verifier

_NO_ORIGINALS: Mapping[str, str] = {}
_NO_VERSIONS: Mapping[str, int] = {}
_NOTHING: Mapping[str, int | None] = {}


def draft(
    db: Connection,
    site: str,
    subject: str,
    statements: Sequence[Statement],
    *,
    authority: Verifier,
    seen: Seen,
    replaces: bool = False,
    instead_of: Mapping[str, int | None] = _NOTHING,
    originals: Mapping[str, str] = _NO_ORIGINALS,
) -> Document | None:
    """Write the unsigned next version of what a subject says; None where nothing new is said.

    Args:
        replaces: these are all that stands from now on; else they come to what stood.
        instead_of: origins, each with the time in microseconds of what is said under it now, None where nobody says; what was
            said under one of them stands no longer. The time is kept also where nothing is said any more.
        originals: SHA-256 -> id that the sealed original would have; what the document names is to be sealed.

    Raises:
        AuthorityError: what stands does not verify; only a replacement can follow it.
        InputError: ``message.limit-exceeded``.
    """
    check_subject(subject)
    stood: tuple[Statement, ...] = ()
    named: dict[str, str] = {}
    document = sql.newest(db, site, subject)
    times = times_of(document)
    if not replaces:
        _, stood = facts_of(db, site, subject, authority, seen)
        named = originals_of(document.body) if document else {}
    kept = [
        s for s in stood if s.origins.isdisjoint(instead_of) or _said(s) in {_said(new) for new in statements}
    ]
    known = {_said(s) for s in kept}
    fresh = [s for s in statements if _said(s) not in known]
    whole = [*kept, *fresh]
    needed = {one.digest for one in whole}
    named = {digest: id_ for digest, id_ in named.items() if digest in needed}
    later = {
        one: at_us for one, at_us in instead_of.items() if at_us is not None and at_us > times.get(one, -1)
    }
    taken_back = bool(later) and not statements  # what it takes back may only come after it
    changed = fresh or len(kept) != len(stood) or replaces or taken_back
    if not changed and not (needed & originals.keys() - named.keys()):
        return None
    if len(whole) > STATEMENTS_MAX:
        raise InputError(
            "statements", f"at most {STATEMENTS_MAX} of one patient", reason=Reason.LIMIT_EXCEEDED
        )
    if not changed:
        originals = {digest: id_ for digest, id_ in originals.items() if digest in needed}
    return Document(
        site, KIND, subject, 0, canonical(subject, whole, {**originals, **named}, times | later), b""
    )


def version_of(db: Connection, site: str, subject: str) -> int:
    """Give the version that a draft is made upon, for ``store``: read it before; 0 for none."""
    document = sql.newest(db, site, subject)
    return document.version if document is not None else 0


def store(
    db: Connection,
    site: str,
    documents: Sequence[Document],
    *,
    by: str,
    now_us: int,
    after: Mapping[str, int] = _NO_VERSIONS,
) -> None:
    """Store signed versions and record them; the last call before the caller's commit.

    Args:
        after: subject -> the version a draft was made on, 0 for none; what came meanwhile is then a conflict, however it is
            numbered.

    Raises:
        InputError: ``conflict``; another version came first: draft again.
    """
    leaves = []
    for document in documents:
        last = sql.newest(db, site, document.id)
        stands = last.version if last is not None else 0
        if stands >= document.version or after.get(document.id, stands) != stands:
            raise InputError("consent", "another version came first", reason=Reason.CONFLICT)
        sql.put(db, document)
        statements = from_canonical(document.body, document.id)
        body = {
            "by": by,
            "denials": sum(not s.fact.permit for s in statements),
            "ids": [s.fact.id for s in statements],
            "permits": sum(s.fact.permit for s in statements),
            "version": document.version,
        }
        if originals := originals_of(document.body):
            body["originals"] = sorted(originals.values())
        leaves.append(prepare(Record("consent.recorded", body, now_us, document.id)))
    if leaves:
        sql.bump(db, site, [document.id for document in documents])
        put_all(db, documents)  # where the keeper sees that they arrived: from then on none may be missing
        append(db, site, leaves)


def _said(one: Statement) -> Statement:
    """Give a statement without its id, to see whether it was said before."""
    return replace(one, fact=replace(one.fact, id=""))


def arrive(
    db: Connection, site: str, message: str, *, subject: str, device: str, found: Arrived, at_us: int
) -> None:
    """Note that Consents came as a message, inside its transaction; what they may take away pends from now on."""
    values = {"message": message, "subject": subject, "device": device, "consents": found.consents}
    sql.put_arrival(db, site, values | {"body": found.body(), "at_us": at_us})
    sql.bump(db, site, [subject])


def attribute(db: Connection, site: str, message: str, *, subject: str) -> None:
    """Note whose Consents are that came as a message, inside the transaction of its release."""
    sql.move_arrival(db, site, message, subject)
    sql.bump(db, site)


def settle(db: Connection, site: str, message: str, *, state: str, by: str, reason: str, now_us: int) -> None:
    """Note what a person made of an arrival (``imported``, ``dismissed``); the last call before the caller's commit.

    Nothing of it pends any more, and what lay sealed of it for that person goes.

    Raises:
        InputError: ``not-found``; nothing of this message waits.
    """
    if not sql.settle(db, site, message, state):
        raise InputError("message", "no consent of it waits", reason=Reason.NOT_FOUND)
    kept.drop(db, message, ARRIVED)
    sql.bump(db, site)
    body = {"by": by, "reason": reason, "state": state}
    append(db, site, [prepare(Record("consent.settled", body, now_us, "", (), message))])
