"""What holders report as wrong: kept sealed, opened by staff on record, settled with a code.

Rules:
- The words are sealed under the patient's own key, as those of a broken glass are; a row has codes, ids and times besides.
- A report may name one record, which must be about that very patient; any other is as one that never was.
- The holder sees the state of what they sent, and nobody else's; staff sees words only one by one, each time on record.
- Who is named by the record that a report is about neither reads nor settles it: another person does.
- Settling tells the holder by a letter, which says only that there is news.
- Erasing a patient forgets what was reported of them.

Deliberately absent: mending what is wrong (the pages for that), and words of staff: what it came to is a code.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from oathward import ledger
from oathward.core.db import read
from oathward.core.errors import KeeperError, LedgerError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.policy.access import Thing
from oathward.policy.reports import KINDS, OUTCOMES
from oathward.vault.keeper import allowing, asking, roles, subjects
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.operations import shapes
from oathward.vault.keeper.operations.operation import ID, WORD, Operation
from oathward.vault.keeper.portal import holders, letters, seats
from oathward.vault.keeper.portal.seats import Proof
from oathward.vault.keeper.proof import Caller
from oathward.vault.keeper.sign_in.sessions import Session
from oathward.vault.primitives import NONCE_BYTES, bind, decrypt

WORDS_MAX = 2_000
OPEN_MAX = 20
"""So many of one holder may wait to be settled."""

LISTED_MAX = 200
NO_RECORD = -1
_HOUR_US = 3_600_000_000
_FIELDS = "id, holder, subject, kind, about, at_us, state, by, taken_us, outcome, settled_us"


@dataclass(frozen=True, slots=True)
class Report:
    """One report, without its words.

    Args:
        kind: of ``policy.reports.KINDS``. about: number of a record; ``NO_RECORD``. by: who opened or settled it last.
        taken_us: first opened by staff. outcome: of ``policy.reports.OUTCOMES``; empty until it is settled.
    """

    id: str
    holder: str
    subject: str
    kind: str
    about: int
    at_us: int
    state: str
    by: str
    taken_us: int
    outcome: str
    settled_us: int


def report(
    keeper: Keeper,
    caller: Caller,
    *,
    subject: str,
    kind: str,
    about: int,
    words: str,
    once: str,
    proof: Proof,
) -> str:
    """Keep what a holder reports; gives its id. The same ``once`` again keeps nothing more.

    Raises:
        KeeperError: as ``seats.permit``; ``INPUT_INVALID``: no such kind, no words; ``LIMIT_EXCEEDED``: too many wait;
            ``NOT_FOUND``: the record it names is not about this patient.
    """
    session, holder = seats.session_of(keeper, caller, proof)
    access = seats.permit(keeper, session, "portal.report", subject)
    subjects.check_not_erased(keeper.store, keeper.site, subject)
    if kind not in KINDS:
        raise KeeperError("kind", f"must be one of {', '.join(KINDS)}", reason=Reason.INPUT_INVALID)
    if not words.strip():
        raise KeeperError("words", "say it in words too", reason=Reason.INPUT_INVALID)
    if about != NO_RECORD and _subject_of(keeper, about) != subject:
        raise seats.refused(keeper, session, "portal.report")
    store, now_us = keeper.store, keeper.now_us()
    with store.guard:
        known = store.one("SELECT id FROM report WHERE once = ? AND holder = ?", once, holder.id)
        if known:
            return str(known[0])
        (waiting,) = store.one(
            "SELECT COUNT(*) FROM report WHERE holder = ? AND outcome = ''", holder.id
        ) or (0,)
        if waiting >= OPEN_MAX:
            raise KeeperError("reports", "too many wait to be looked at", reason=Reason.LIMIT_EXCEEDED)
        id_ = uuid7(now_us // 1_000)
        body = {"about": about, "access": access.id, "id": id_, "kind": kind, "person": holder.id}
        keeper.note("portal.reported", body | {"session": session.id}, subject=subject)
        with store.transaction():
            store.rows(
                "INSERT INTO report VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'sent', '', 0, '', 0)",
                *(id_, once, holder.id, subject, kind, about, now_us, _seal(keeper, subject, id_, words)),
            )
    return id_


def reported(keeper: Keeper, caller: Caller, subject: str, proof: Proof) -> list[dict[str, Any]]:
    """List what this holder reported about a patient, newest first; raises as ``seats.permit``."""
    session, holder = seats.session_of(keeper, caller, proof)
    seats.permit(keeper, session, "portal.report", subject)
    rows = keeper.store.rows(
        f"SELECT {_FIELDS} FROM report WHERE holder = ? AND subject = ? ORDER BY id DESC LIMIT {LISTED_MAX}",  # noqa: S608  our own words
        *(holder.id, subject),
    )
    shown = ("id", "kind", "about", "at_us", "state", "outcome", "settled_us")
    return [{name: getattr(one, name) for name in shown} for one in (Report(*row) for row in rows)]


def listed(
    keeper: Keeper,
    caller: Caller,
    waiting: bool,  # noqa: FBT001  by name only, from the wire
    proof: Mapping[str, str],
) -> list[dict[str, Any]]:
    """List what was reported, newest first, without words; ``waiting``: only what is not settled."""
    asking.session(keeper, caller, proof, "reports.see", Thing("area"), looking=True)
    where = "outcome = ''" if waiting else "1 = 1"
    rows = keeper.store.rows(
        f"SELECT {_FIELDS} FROM report WHERE {where} ORDER BY id DESC LIMIT {LISTED_MAX}"  # noqa: S608  our own words
    )
    return [_shown(keeper, Report(*row)) for row in rows]


def one(keeper: Keeper, caller: Caller, id: str, proof: Mapping[str, str]) -> dict[str, Any]:  # noqa: A002  the argument's name on the wire
    """Show one with its words; recorded, and from now on the holder reads that it is looked at.

    Raises:
        KeeperError: as ``roles.permit``; ``NOT_FOUND``; ``ACCESS_OWN``: it is about what this person did.
    """
    session, found = _acting(keeper, caller, id, "report.open", proof)
    body = {"by": session.own, "id": id, "kind": found.kind, "session": session.id}
    keeper.note("portal.report-opened", body, subject=found.subject)
    keeper.store.rows(
        "UPDATE report SET state = 'looking', by = ?, taken_us = ? WHERE id = ? AND state = 'sent'",
        *(session.own, keeper.now_us(), id),
    )
    sealed = keeper.store.one("SELECT words FROM report WHERE id = ?", id)
    return _shown(keeper, _found(keeper, id) or found) | {"words": _open(keeper, found, sealed)}


def settle(
    keeper: Keeper,
    caller: Caller,
    id: str,  # noqa: A002  the argument's name on the wire
    outcome: str,
    proof: Mapping[str, str],
) -> None:
    """Say what a report came to, and tell its holder by a letter.

    Raises:
        KeeperError: as ``one``; ``INPUT_INVALID``; ``CONFLICT``: it is settled.
    """
    session, _ = _acting(keeper, caller, id, "report.settle", proof)
    if outcome not in OUTCOMES:
        raise KeeperError("outcome", f"must be one of {', '.join(OUTCOMES)}", reason=Reason.INPUT_INVALID)
    with keeper.store.guard:
        found = _found(keeper, id)
        if found is None or found.outcome:
            raise KeeperError("report", "is settled already", reason=Reason.CONFLICT)
        body = {"by": session.own, "id": id, "kind": found.kind, "outcome": outcome}
        keeper.note("portal.report-settled", body | {"session": session.id}, subject=found.subject)
        with keeper.store.transaction():
            keeper.store.rows(
                "UPDATE report SET state = 'done', by = ?, outcome = ?, settled_us = ? WHERE id = ?",
                *(session.own, outcome, keeper.now_us(), id),
            )
            if holders.of(keeper.store, found.holder) is not None:
                _tell(keeper, found.holder)


def _tell(keeper: Keeper, holder: str) -> None:
    """Queue the letter; where too many wait it is given up on record: what was settled stays settled."""
    try:
        letters.put(keeper, "notice", holder, {"about": "report"})
    except KeeperError:
        keeper.note("letter.given-up", {"kind": "notice"})


def counts(keeper: Keeper) -> dict[str, int]:
    """Count what is not settled, and what has not been for too long."""
    late_us = keeper.now_us() - int(keeper.settings.portal.report_hours * _HOUR_US)
    found = keeper.store.one(
        "SELECT COUNT(*), COUNT(*) FILTER (WHERE at_us < ?) FROM report WHERE outcome = ''", late_us
    ) or (0, 0)
    return dict(zip(("waiting", "overdue"), found, strict=True))


def forget(keeper: Keeper, subject: str) -> None:
    """Forget what was reported of a patient whose keys are destroyed."""
    keeper.store.rows("DELETE FROM report WHERE subject = ?", subject)


def keep_up(keeper: Keeper) -> None:
    """Forget what an old copy of the store brought back of erased patients."""
    for (subject,) in keeper.store.rows("SELECT DISTINCT subject FROM report"):
        if subjects.is_erased(keeper.store, keeper.site, subject):
            forget(keeper, subject)


def _acting(
    keeper: Keeper, caller: Caller, id_: str, action: str, proof: Mapping[str, str]
) -> tuple[Session, Report]:
    session = allowing.acting(keeper, caller, proof)
    found = _found(keeper, id_)
    roles.permit(keeper, session, action, Thing("patient", found.subject if found else id_))
    if found is None:
        raise KeeperError("report", "there is none of this id", reason=Reason.NOT_FOUND)
    if session.own in _whose(keeper, found.about):
        why = "is about what you did; another person looks at it"
        raise KeeperError("report", why, reason=Reason.ACCESS_OWN)
    return session, found


def _whose(keeper: Keeper, about: int) -> frozenset[str]:
    """Name who did what the record says that a report is about; nobody where it names none, or is gone."""
    if about == NO_RECORD:
        return frozenset()
    try:
        with read(keeper.engine) as db:
            body = ledger.entry(db, keeper.site, about).body
    except LedgerError:
        return frozenset()
    return frozenset(str(body[name]) for name in ("by", "person") if body.get(name))


def _found(keeper: Keeper, id_: str) -> Report | None:
    row = keeper.store.one(f"SELECT {_FIELDS} FROM report WHERE id = ?", id_)  # noqa: S608  our own words
    return Report(*row) if row else None


def _shown(keeper: Keeper, found: Report) -> dict[str, Any]:
    named = roles.person_of(keeper, found.by) if found.by else None
    due_us = found.at_us + int(keeper.settings.portal.report_hours * _HOUR_US)
    row = asdict(found)
    del row["holder"]  # who stands in for whom is not told here
    return row | {"due_us": due_us, "name": named.name if named else ""}


def _subject_of(keeper: Keeper, index: int) -> str:
    try:
        with read(keeper.engine) as db:
            return ledger.entry(db, keeper.site, index).subject
    except LedgerError:
        return ""


def _seal(keeper: Keeper, subject: str, id_: str, words: str) -> bytes:
    key, nonce = subjects.own_key(keeper.store, keeper.site, subject), os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, words.encode(), _context(keeper, subject, id_))


def _open(keeper: Keeper, found: Report, row: tuple[Any, ...] | None) -> str | None:
    """Open the words; None where the patient's keys were destroyed meanwhile."""
    if row is None or subjects.is_erased(keeper.store, keeper.site, found.subject):
        return None
    key = AESGCM(subjects.own_key(keeper.store, keeper.site, found.subject))
    context = _context(keeper, found.subject, found.id)
    sealed: bytes = row[0]
    return decrypt(key, sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context, "report words").decode()


def _context(keeper: Keeper, subject: str, id_: str) -> bytes:
    return bind("oathward report 1", keeper.site, subject, id_)


PORTAL: Mapping[str, Operation] = {
    "portal_report": Operation(
        report,
        shapes.table(
            subject=ID,
            kind=WORD,
            about=shapes.number(NO_RECORD, 2**53),
            words=shapes.anything(WORDS_MAX),
            once=ID,
            proof=shapes.proof,
        ),
    ),
    "portal_reports": Operation(reported, shapes.table(subject=ID, proof=shapes.proof)),
}
"""Of the portal's socket."""

STAFF: Mapping[str, Operation] = {
    "reports_list": Operation(listed, shapes.table(waiting=shapes.flag, proof=shapes.proof)),
    "report_one": Operation(one, shapes.table(id=ID, proof=shapes.proof)),
    "report_settle": Operation(settle, shapes.table(id=ID, outcome=WORD, proof=shapes.proof)),
}
"""Of the app's and the admin's socket, for people who are signed in."""
