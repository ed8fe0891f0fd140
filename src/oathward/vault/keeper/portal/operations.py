"""What may be asked about the patient portal, socket by socket.

| socket | for whom | operations |
|---|---|---|
| ``portal`` | a holder | enrol, sign in and out, who, choose, open, end and hide; ask for a copy (``requests``), report (``reports``) |
| ``app``, ``admin`` | staff | invite, list, end |
| ``app`` | the process that sends mail | take letters, settle them |

Rules:
- Nothing else is known at the portal's socket: a captured portal has no operation of staff.
- What is opened is for the patient's own use (purpose ``PATRQT``), of that one subject, counted, and a record like any opening.
- Of consents nothing can be had signed but an answer to one choice, which the keeper drafts itself (``choosing``).

Deliberately absent: reading what was opened (the portal).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from oathward.core.db import read
from oathward.core.errors import KeeperError, OathwardError
from oathward.core.labels import Purpose
from oathward.core.reasons import Reason
from oathward.vault import kept
from oathward.vault.keeper import allowing, opening, withheld
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.operations import plain, shapes
from oathward.vault.keeper.operations.operation import ID, WORD, Operation
from oathward.vault.keeper.portal import (
    choosing,
    entering,
    giving,
    letters,
    mine,
    reports,
    requests,
    seats,
)
from oathward.vault.keeper.portal.seats import Proof
from oathward.vault.keeper.proof import Caller, secret_of
from oathward.vault.keeper.sign_in import accounts
from oathward.vault.kept import Kept

MESSAGES_MAX = 200
"""So many messages are opened at a time."""


def who(keeper: Keeper, caller: Caller, used: bool, proof: Proof) -> dict[str, Any]:  # noqa: FBT001  the argument's name on the wire
    """Say who is signed in and whom they may see now; raises as ``seats.session_of``."""
    session, holder = seats.session_of(keeper, caller, proof, used=used)
    card = holder.card.reveal()
    return {
        "by": session.by,
        "holder": holder.id,
        "id": session.id,
        "language": card.language,
        "left_s": int(keeper.holders.left_s(session)),
        "name": card.name,
        "passkeys": len(accounts.factors(keeper.store, holder.id, "passkey")),
        "renew": keeper.holders.due(secret_of(proof), session),
        "seats": [
            {
                "access": one.id,
                "basis": one.basis,
                "own": one.own,
                "scope": sorted(one.scope),
                "subject": one.subject,
                "until_us": one.end_us,
            }
            for one in seats.in_force(keeper, holder.id)
        ],
    }


def renew(keeper: Keeper, caller: Caller, proof: Proof) -> str:
    """Give the session another secret where one is due; raises as ``seats.session_of``."""
    seats.session_of(keeper, caller, proof)
    return keeper.holders.renew(secret_of(proof))


def sign_out(keeper: Keeper, caller: Caller, everywhere: bool, proof: Proof) -> None:  # noqa: FBT001  the argument's name on the wire
    """End this session, or every one of this holder; raises as ``seats.session_of``."""
    session, holder = seats.session_of(keeper, caller, proof)
    if everywhere:
        seats.end_all(keeper, holder.id, "own-word")
        return
    keeper.holders.end(secret_of(proof))
    keeper.note("session.ended", {"person": holder.id, "session": session.id})


def open_own(
    keeper: Keeper, caller: Caller, subject: str, messages: Sequence[str], proof: Proof
) -> dict[str, Any]:
    """Open some of a patient's originals, oldest first; where not all fit an answer, those that are named first.

    Raises:
        KeeperError: as ``seats.permit``; refused, with the reason; recorded. VaultError, StorageError: as ``opening.open_rows``.
    """
    session, holder = seats.session_of(keeper, caller, proof)
    access = seats.permit(keeper, session, "portal.values", subject)
    with read(keeper.engine) as db:
        own = kept.among(db, keeper.site, subject, messages)
    if not access.own:  # to a proxy no more than to who cares for the patient
        closed, _ = withheld.from_proxy(keeper, subject, [row.message for row in own])
        own = [row for row in own if row.message not in closed]
    fitting = _fitting(own)
    said = {
        "access": access.id,
        "basis": access.basis,
        "person": holder.id,
        "process": f"{caller.role} uid {caller.uid}",
        "purpose": Purpose.PATRQT.value,
        "session": session.id,
    }
    try:
        if not keeper.confirmed:
            why = "has not been asked since the start"
            raise KeeperError("witness", why, reason=Reason.KEEPER_UNAVAILABLE)
        allowing.count_holder(keeper, holder.id)
        originals = [plain.original(one) for one in opening.open_rows(keeper, fitting)]
    except OathwardError as error:
        keeper.note("keeper.refused", said | {"why": error.reason.code}, subject=subject)
        raise
    ids = [row.message for row in fitting]
    span = {"first": min(ids, default=""), "last": max(ids, default=""), "opened": len(ids)}
    keeper.note("keeper.opened", said | span, subject=subject)
    return {
        "more": len(fitting) < len(own),
        "originals": sorted(originals, key=lambda one: one["message"]),
    }


def _fitting(rows: Sequence[Kept]) -> list[Kept]:
    found, room = [], opening.BYTES_MAX
    for row in rows:
        room -= row.body.length
        if room < 0:
            break
        found.append(row)
    return found


_ORIGIN = shapes.text(64, empty=True)
_PROOF = shapes.table(proof=shapes.proof)
_ENDED = shapes.table(access=ID, proof=shapes.proof)

PORTAL: Mapping[str, Operation] = {
    "portal_enrol_begin": Operation(entering.enrol_begin, shapes.table(key=shapes.text(), origin=_ORIGIN)),
    "portal_sign_in_begin": Operation(
        entering.sign_in_begin, shapes.table(login=shapes.anything(254), origin=_ORIGIN)
    ),
    "portal_sign_in_code": Operation(
        entering.sign_in_code,
        shapes.table(pending=shapes.text(), code=shapes.anything(32), origin=_ORIGIN),
    ),
    "portal_passkey_begin": Operation(entering.passkey_begin, shapes.table()),
    "portal_passkey_finish": Operation(
        entering.passkey_finish,
        shapes.table(ceremony=shapes.text(), credential=shapes.anything(20_000), origin=_ORIGIN),
    ),
    "portal_who": Operation(who, shapes.table(used=shapes.flag, proof=shapes.proof)),
    "portal_renew": Operation(renew, _PROOF),
    "portal_sign_out": Operation(sign_out, shapes.table(everywhere=shapes.flag, proof=shapes.proof)),
    "portal_passkey_enrol_begin": Operation(entering.passkey_enrol_begin, _PROOF),
    "portal_passkey_enrol_finish": Operation(
        entering.passkey_enrol_finish,
        shapes.table(
            ceremony=shapes.text(),
            credential=shapes.anything(20_000),
            label=shapes.text(accounts.LABEL_LENGTH_MAX),
            proof=shapes.proof,
        ),
    ),
    "portal_choose": Operation(
        choosing.choose,
        shapes.table(
            subject=ID,
            choice=shapes.table(purpose=WORD, recipient=WORD, answer=WORD, seen=shapes.text()),
            proof=shapes.proof,
        ),
    ),
    "portal_open": Operation(
        open_own,
        shapes.table(subject=ID, messages=shapes.listed(ID, MESSAGES_MAX), proof=shapes.proof),
    ),
    **requests.PORTAL,
    **reports.PORTAL,
    "portal_access_end": Operation(giving.end_own, _ENDED),
    "portal_access_hide": Operation(giving.hide, _ENDED),
    "portal_language": Operation(mine.language, shapes.table(language=shapes.text(3), proof=shapes.proof)),
    "portal_mine": Operation(mine.told, _PROOF),
    "portal_passkey_remove": Operation(mine.passkey_remove, shapes.table(passkey=ID, proof=shapes.proof)),
}
"""Of the portal's socket."""

STAFF: Mapping[str, Operation] = {
    "portal_invite": Operation(
        giving.invite,
        shapes.table(
            subject=ID,
            holder=shapes.table(name=shapes.text(100), address=shapes.text(254), language=shapes.text(3)),
            access=shapes.table(
                basis=WORD, scope=shapes.listed(WORD, 3, least=1), until_us=shapes.number(0, 2**53)
            ),
            born=shapes.text(10, empty=True),
            proof=shapes.proof,
        ),
    ),
    "portal_given": Operation(
        giving.given, shapes.table(subject=shapes.text(empty=True), proof=shapes.proof)
    ),
    "portal_invite_again": Operation(giving.invite_again, _ENDED),
    "portal_end": Operation(giving.end, shapes.table(access=ID, why=WORD, proof=shapes.proof)),
}
"""Of the app's and the admin's socket, for people who are signed in."""

LETTERS: Mapping[str, Operation] = {
    "letters_take": Operation(letters.take, shapes.table()),
    "letter_settle": Operation(letters.settle, shapes.table(id=ID, sent=shapes.flag)),
}
"""Of the app's socket."""
