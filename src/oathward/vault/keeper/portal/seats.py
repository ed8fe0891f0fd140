"""What a holder may do now: their session, the accesses in force, and the policy; asked anew for each operation.

Steps: 1 whose session it is · 2 the signed access to this very subject, verified · 3 in force now · 4 its scope ·
5 the policy, with the role that follows from it.

Rules:
- Sessions of holders are a book of their own: no secret of one is good at the console, none of staff's here.
- No access, one that is over, another's subject and one that never was are one answer: there is no such.
- A merge moves no access: it is for the subject it names.

Deliberately absent: a role or an access remembered in a session.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from oathward.core.errors import AuthorityError, KeeperError
from oathward.core.reasons import Reason
from oathward.ledger import Record
from oathward.policy import access as policy
from oathward.policy.access import Actor, Around, Permitted, Thing
from oathward.policy.portal import ACCESS, NEEDS, Access, Standing, standing
from oathward.vault.keeper import proof as proving
from oathward.vault.keeper import roles, subjects
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.portal import holders
from oathward.vault.keeper.portal.holders import Holder, SeatRow
from oathward.vault.keeper.proof import Caller
from oathward.vault.keeper.sign_in.sessions import Session, Visitor

Proof = Mapping[str, Any]


def session_of(keeper: Keeper, caller: Caller, proof: Proof, *, used: bool = True) -> tuple[Session, Holder]:
    """Find the session a proof shows, and whose it is.

    Raises:
        KeeperError: ``NOT_PERMITTED``: it has ended, or there is no such holder any more. ``SESSION_REUSED``.
    """
    try:
        session = proving.session_of(proof, caller, keeper.holders, used=used, now_us=keeper.now_us())
    except KeeperError as error:
        if error.reason is Reason.SESSION_REUSED:
            flush(keeper)
        raise
    holder = holders.of(keeper.store, session.visitor.person_id)
    if holder is None:
        end_all(keeper, session.visitor.person_id, "holder.gone")
        raise KeeperError("session", "has ended", reason=Reason.NOT_PERMITTED)
    return session, holder


def begin(keeper: Keeper, holder: str, by: str, origin: str) -> dict[str, Any]:
    """Begin the session of a holder who proved who they are."""
    visitor = Visitor(
        name=holder, by=by, person_id=holder, kind="holder", strong=by == "passkey", origin=origin
    )
    secret, session = keeper.holders.open(visitor, keeper.now_us())
    try:
        keeper.note("session.begun", {**_of(session), "acts": True, "by": by, "kind": "holder"})
    except BaseException:
        keeper.holders.revoke(session.id)
        raise
    return {"left_s": int(keeper.holders.left_s(session)), "secret": secret, "state": "signed-in"}


def end_all(keeper: Keeper, holder: str, why: str, *, but: str = "") -> None:
    """End every session of a holder, but one; each is a record."""
    ended = keeper.holders.revoke_all(holder, but=but)
    if ended:
        now_us = keeper.now_us()
        keeper.record([Record("session.revoked", _of(one) | {"why": why}, now_us) for one in ended])


def flush(keeper: Keeper) -> None:
    """Record which sessions ended by themselves since the last time."""
    over = keeper.holders.take_over()
    if over:
        now_us = keeper.now_us()
        try:
            keeper.record([Record("session.ended", _of(one) | {"why": one.why}, now_us) for one in over])
        except BaseException:
            keeper.holders.put_back(over)
            raise


def in_force(keeper: Keeper, holder: str) -> Iterator[Access]:
    """Give the accesses of a holder that are in force now."""
    for row in holders.seat_rows(keeper.store, holder=holder):
        access = read(keeper, row)
        if access is not None and stands(keeper, row, access) == "in-force":
            yield access


def read(keeper: Keeper, row: SeatRow) -> Access | None:
    """Read the signed access of a seat, verified; none where it is not stored.

    Raises:
        AuthorityError: it does not verify, is older than one that was signed, or is about something else.
    """
    body = roles.body_of(keeper, ACCESS, row.access)
    if body is None:
        return None
    where = f"{ACCESS}/{row.access}"
    try:
        access = Access.from_body(body)
    except ValueError as error:
        raise AuthorityError(where, "is no access") from error
    if (access.id, access.holder, access.subject) != (row.access, row.holder, row.subject):
        raise AuthorityError(where, "is about somebody else")
    return access


def stands(keeper: Keeper, row: SeatRow, access: Access) -> Standing:
    """Say how an access stands now; one to an erased patient has ended."""
    if subjects.is_erased(keeper.store, keeper.site, access.subject):
        return "ended"
    years = keeper.settings.portal.adult_years
    sure = keeper.clock.sure()
    return standing(access, keeper.now_us(), born=row.born, adult_years=years, clock_sure=sure)


def permit(keeper: Keeper, session: Session, action: str, subject: str) -> Access:
    """Say by which access a holder may do something with a patient's portal now.

    Raises:
        KeeperError: ``NOT_FOUND``: by none; recorded.
        AuthorityError: it cannot be told.
    """
    holder = session.visitor.person_id
    for access in in_force(keeper, holder):
        if access.subject == subject and NEEDS[action] in access.scope:
            actor = Actor("holder", holder, frozenset({access.role}))
            thing, around = Thing("patient", subject), Around(strong=session.visitor.strong)
            if isinstance(policy.decide(roles.rules(keeper), actor, action, thing, around), Permitted):
                return access
    raise refused(keeper, session, action)


def permit_own(keeper: Keeper, session: Session) -> None:
    """See that a holder may change their own sign-in; raises as ``permit``."""
    holder = session.visitor.person_id
    thing, around = Thing("account", holder, owner=holder), Around(strong=session.visitor.strong)
    answer = policy.decide(
        roles.rules(keeper), Actor("holder", holder, frozenset()), "portal.own", thing, around
    )
    if not isinstance(answer, Permitted):
        raise refused(keeper, session, "portal.own")


def refused(keeper: Keeper, session: Session, action: str) -> KeeperError:
    """Record that a holder was refused, and make the one answer to it."""
    body = {"action": action, "person": session.visitor.person_id, "session": session.id}
    keeper.note("access.denied", body | {"thing": "patient", "why": Reason.NOT_FOUND.code})
    return KeeperError("subject", "there is no such", reason=Reason.NOT_FOUND)


def _of(session: Session) -> dict[str, Any]:
    return {"person": session.visitor.person_id, "session": session.id}
