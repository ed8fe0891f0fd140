"""A holder's own sign-in: what there is of it, the language, passkeys taken away; and who else may see the holder's record.

Rules:
- Names of those who act for a patient are shown to that patient alone.
- A passkey that is taken away ends the holder's other sessions; a code by mail is always left to sign in with.

Deliberately absent: adding a passkey (``entering``), ending and hiding accesses (``giving``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.portal import holders, seats
from oathward.vault.keeper.portal.holders import Card, Holder
from oathward.vault.keeper.portal.seats import Proof
from oathward.vault.keeper.proof import Caller
from oathward.vault.keeper.sign_in import accounts


def told(keeper: Keeper, caller: Caller, proof: Proof) -> dict[str, Any]:
    """Say what there is of a holder's own sign-in, and who may see their record; raises as ``seats.session_of``."""
    session, holder = seats.session_of(keeper, caller, proof)
    seats.permit_own(keeper, session)
    return {
        "address": holder.card.reveal().address,
        "passkeys": [
            {"id": one.id, "label": one.label, "made_us": one.made_us, "used_us": one.used_us}
            for one in accounts.factors(keeper.store, holder.id, "passkey")
        ],
        "proxies": list(_proxies(keeper, holder)),
        "sessions": [
            {"begun_us": one.begun_us, "own": one.id == session.id, "seen_us": one.seen_us}
            for one in keeper.holders.listed(holder.id)
        ],
    }


def passkey_remove(keeper: Keeper, caller: Caller, passkey: str, proof: Proof) -> None:
    """Take a passkey of one's own away.

    Raises:
        KeeperError: ``NOT_FOUND``: there is no such. As ``seats.session_of``.
    """
    session, holder = seats.session_of(keeper, caller, proof)
    seats.permit_own(keeper, session)
    with keeper.store.transaction():
        if passkey not in {one.id for one in accounts.factors(keeper.store, holder.id, "passkey")}:
            raise KeeperError("passkey", "there is no such", reason=Reason.NOT_FOUND)
        keeper.store.rows("DELETE FROM factor WHERE id = ?", passkey)
        keeper.note("factor.removed", {"factor": passkey, "kind": "passkey", "person": holder.id})
    seats.end_all(keeper, holder.id, "factor.removed", but=session.id)


def language(keeper: Keeper, caller: Caller, language: str, proof: Proof) -> None:
    """Choose the language of pages and letters; raises as ``seats.session_of``."""
    session, holder = seats.session_of(keeper, caller, proof)
    seats.permit_own(keeper, session)
    card = holder.card.reveal()
    with keeper.store.transaction():
        holders.change(keeper.store, holder.id, Card(card.name, card.address, language))


def _proxies(keeper: Keeper, holder: Holder) -> Iterator[dict[str, Any]]:
    """List who acts for a patient now: those of the holder's own record."""
    for own in [one for one in seats.in_force(keeper, holder.id) if one.own]:
        for row in holders.seat_rows(keeper.store, subject=own.subject):
            access = seats.read(keeper, row)
            if (
                access is None
                or access.own
                or seats.stands(keeper, row, access) not in {"in-force", "early", "unsure"}
            ):
                continue
            other = holders.of(keeper.store, row.holder)
            yield {
                "access": access.id,
                "basis": access.basis,
                "name": other.card.reveal().name if other is not None else "",
                "scope": sorted(access.scope),
                "until_us": access.end_us,
            }
