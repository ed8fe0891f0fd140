"""A patient, or who may choose for them, answers one choice: drafted, signed and stored by the keeper itself.

Steps: 1 whose session, and by which access · 2 the bundle in force · 3 what they say from then on, drafted where consents are
read (``papers.Register``) · 4 signed · 5 stored with ``consent.recorded`` and ``portal.chose``, in one commit.

Rules:
- Who asks names a choice and says yes or no; no statement, and no other consent, can be had signed here.
- An answer to what they did not see is refused, and nothing is written (``choosing.Board.seen``).
- What a proxy chose the patient is told.

Deliberately absent: what an answer means (``consent.choices``), words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oathward import bundles, ledger
from oathward.core.db import write
from oathward.core.errors import KeeperError, PolicyError
from oathward.core.reasons import Reason
from oathward.ledger import Record
from oathward.policy.bundle import Bundle
from oathward.policy.files import unpack
from oathward.policy.portal import Access
from oathward.vault.keeper import roles, signing
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.portal import seats, telling
from oathward.vault.keeper.portal.seats import Proof
from oathward.vault.keeper.proof import Caller, Person

CONSENT = "consent"
"""Kind of the signed document, as ``consent.model`` writes it."""


def choose(
    keeper: Keeper, caller: Caller, subject: str, choice: Mapping[str, str], proof: Proof
) -> dict[str, Any]:
    """Answer one choice; gives whether anything new was said, and the version that stands.

    Args:
        choice: ``purpose`` and ``recipient`` name it; ``answer`` is ``allowed`` or ``not-allowed``; ``seen``: what the page
            showed of it (``choosing.Board.seen``).

    Raises:
        KeeperError: as ``seats.permit``. InputError: ``not-found``: no such choice; ``conflict``: it is not as it was shown, or
            another version came first: nothing is written. AuthorityError: what stands cannot be read.
    """
    session, holder = seats.session_of(keeper, caller, proof)
    access = seats.permit(keeper, session, "portal.choose", subject)
    register = keeper.register
    if register is None:
        raise KeeperError("choice", "cannot be looked up by this keeper", reason=Reason.KEEPER_UNAVAILABLE)
    bundle = _in_force(keeper)
    _learn(keeper, register.family(keeper, subject))
    drafted = register.chosen(keeper, bundle, subject, choice)
    if not drafted.documents:
        return {"changed": False, "version": 0}
    wanted = [signing.Wanted(CONSENT, one.id, 0, one.body) for one, _ in drafted.documents]
    signed = signing.sign(keeper, wanted, [Person(holder.id, f"session {session.id}")])
    now_us = keeper.now_us()
    version = next((one.version for one in signed if one.id == subject), 0)
    said = {name: choice[name] for name in ("answer", "purpose", "recipient")} | {"version": version}
    leaf = ledger.prepare(Record("portal.chose", _who(access) | said, now_us, subject))
    with write(keeper.engine) as db:
        register.store_chosen(db, keeper.site, drafted, signed, by=holder.id, now_us=now_us)
        ledger.append(db, keeper.site, [leaf])
    signing.confirm_stored(keeper)
    if not access.own:
        telling.tell(keeper, subject, "choice", but=holder.id)
    return {"changed": True, "version": version}


def _who(access: Access) -> dict[str, str]:
    return {"access": access.id, "basis": access.basis, "by": access.holder}


def _in_force(keeper: Keeper) -> Bundle:
    """Read the bundle in force.

    Raises:
        KeeperError: ``NOT_FOUND``: none is; ``BUNDLE_INVALID``. AuthorityError: it does not verify.
    """
    body = roles.body_of(keeper, "bundle", "active")
    if body is None:
        raise KeeperError("choice", "there is no such", reason=Reason.NOT_FOUND)
    try:
        return bundles.check(unpack(body))
    except PolicyError as error:
        raise KeeperError("bundle", "is none that could be used", reason=Reason.BUNDLE_INVALID) from error


def _learn(keeper: Keeper, together: tuple[str, ...]) -> None:
    """Know the newest versions that were stored of what is read now: an older one is then refused."""
    marks = ", ".join("?" * len(together))
    sql = f"SELECT kind, id, stored FROM signed WHERE kind = 'merge' OR (kind = ? AND id IN ({marks}))"  # noqa: S608  marks only
    rows = keeper.store.rows(sql, CONSENT, *together)
    keeper.seen.learn({(kind, id_): version for kind, id_, version in rows})
