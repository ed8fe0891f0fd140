"""Give and end accesses to a patient's portal: invitations by staff, ends by staff, by the patient, with the patient's keys.

Rules:
- An access is signed and stored by the keeper itself, with its record in one commit.
- A patient has one access of their own at a time; who gives it is on record, and the address confirms it by a code.
- Whoever may see that patient's portal already hears by a letter that there is news: access given in secret is what an
  ex-partner, or who bribed a clerk, would want.
- Whoever has enrolled already gets no new invitation: the next seat is theirs at once, and a letter says so.
- A holder ends their own seats, and every proxy of themselves; staff ends all.
- When the last seat of a holder has ended, everything that is kept of them is forgotten; erasing a patient forgets the
  seats too. A seat that is only hidden, or not yet begun, keeps its holder; so does one that
  is past its end by a clock that nobody can believe.

Deliberately absent: whether who asks may (``asking``, ``seats``), words of letters.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from oathward import ledger
from oathward.core.db import write
from oathward.core.errors import KeeperError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.ledger import Record
from oathward.policy.access import Thing
from oathward.policy.portal import ACCESS, Access, State, standing, unfit
from oathward.vault import authority
from oathward.vault.keeper import asking, signing, subjects
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.portal import holders, letters, seats, telling
from oathward.vault.keeper.portal.entering import hash_of
from oathward.vault.keeper.portal.holders import Card, SeatRow
from oathward.vault.keeper.portal.seats import Proof
from oathward.vault.keeper.proof import Caller, Person

WHY = ("staff", "death", "mistake")
OVER = frozenset({"ended", "late", "of-age"})
_DAY_US = 86_400_000_000
_ADDRESS = re.compile(r"[^@\s\x00-\x20\x7f]{1,64}@[A-Za-z0-9.-]{1,190}", re.UNICODE)
_LANGUAGE = re.compile(r"[a-z]{2,3}")


def invite(
    keeper: Keeper,
    caller: Caller,
    subject: str,
    holder: Mapping[str, str],
    access: Mapping[str, Any],
    born: str,
    proof: Proof,
) -> str:
    """Give somebody access to a patient's portal and queue their letter; gives the id of the access.

    Args:
        holder: ``name``, ``address``, ``language``. access: ``basis``, ``scope``, ``until_us`` (0: without an end).
        born: the patient's day of birth, where it matters.

    Raises:
        KeeperError: ``INPUT_INVALID``; ``CONFLICT``: the patient has an access of their own already. As ``asking.person``.
    """
    by = asking.person(keeper, caller, proof, "portal.invite", Thing("patient", subject))
    subjects.check_not_erased(keeper.store, keeper.site, subject)
    now_us, store = keeper.now_us(), keeper.store
    card = Card(holder["name"], holder["address"].strip(), holder["language"])
    day = _checked(keeper, card, born, access["basis"])
    with store.transaction():
        known = holders.by_login(store, holders.login_of(store, card.address))
        new = Access(
            id=uuid7(now_us // 1_000),
            holder=known.id if known is not None else uuid7(now_us // 1_000),
            subject=subject,
            basis=access["basis"],
            scope=frozenset(access["scope"]),
            start_us=now_us,
            end_us=access["until_us"] or None,
            by=by.name,
        )
        why = unfit(new)
        if why:
            raise KeeperError("access", why, reason=Reason.INPUT_INVALID)
        years = keeper.settings.portal.adult_years
        if standing(new, now_us, born=day, adult_years=years) == "of-age":
            why = "the patient is of age: invite them, or give it on another basis"
            raise KeeperError("born", why, reason=Reason.INPUT_INVALID)
        _check_alone(keeper, new)
        if known is None:
            holders.make(store, new.holder, card, now_us)
        holders.add_seat(store, SeatRow(new.id, new.holder, subject, day))
        if known is not None and known.used_us:
            letters.put(keeper, "notice", known.id, {"about": "seat"})
        else:
            _invitation(keeper, new.holder)
        telling.tell(keeper, subject, "access", but=new.holder)
        _keep(keeper, [new], by, "portal.invited", {"basis": new.basis})
    signing.confirm_stored(keeper)
    return new.id


def invite_again(keeper: Keeper, caller: Caller, access: str, proof: Proof) -> None:
    """Send an invitation once more, with another key; the one before is good for nothing any more.

    Raises:
        KeeperError: ``NOT_FOUND``: no such access, or it is over; ``CONFLICT``: they have enrolled, and sign in by their
            address. As ``asking.person``.
    """
    row = next(iter(holders.seat_rows(keeper.store, access=access)), None)
    by = asking.person(
        keeper, caller, proof, "portal.invite", Thing("patient", row.subject if row else access)
    )
    found = seats.read(keeper, row) if row is not None else None
    holder = holders.of(keeper.store, row.holder) if row is not None else None
    if row is None or found is None or holder is None or seats.stands(keeper, row, found) in OVER:
        raise KeeperError("access", "there is no such, or it is over", reason=Reason.NOT_FOUND)
    if holder.used_us:
        why = "they have enrolled: they sign in by their address"
        raise KeeperError("access", why, reason=Reason.CONFLICT)
    with keeper.store.transaction():
        _invitation(keeper, holder.id)
        body = {"access": found.id, "by": by.name, "holder": holder.id}
        keeper.note("portal.invited-again", body, subject=found.subject)


def given(keeper: Keeper, caller: Caller, subject: str, proof: Proof) -> list[dict[str, Any]]:
    """List the accesses to a patient's portal, or all; raises as ``asking.session``."""
    asking.person(keeper, caller, proof, "portal.list", Thing("patient", subject))
    found = []
    for row in holders.seat_rows(keeper.store, subject=subject):
        access = seats.read(keeper, row)
        if access is not None:
            holder = holders.of(keeper.store, row.holder)
            found.append(
                {
                    "access": access.id,
                    "basis": access.basis,
                    "enrolled": holder is not None and bool(holder.used_us),
                    "holder": access.holder,
                    "own": access.own,
                    "scope": sorted(access.scope),
                    "standing": seats.stands(keeper, row, access),
                    "start_us": access.start_us,
                    "subject": access.subject,
                    "until_us": access.end_us,
                }
            )
    return found


def end(keeper: Keeper, caller: Caller, access: str, why: str, proof: Proof) -> None:
    """End an access for staff; ``death`` ends every access to that patient.

    Raises:
        KeeperError: ``NOT_FOUND``; ``INPUT_INVALID``; as ``asking.person``.
    """
    by = asking.person(keeper, caller, proof, "portal.end", Thing("patient", access))
    if why not in WHY:
        raise KeeperError("why", f"must be one of {', '.join(WHY)}", reason=Reason.INPUT_INVALID)
    rows = holders.seat_rows(keeper.store, access=access)
    if not rows:
        raise KeeperError("access", "there is no such", reason=Reason.NOT_FOUND)
    if why == "death":
        rows = holders.seat_rows(keeper.store, subject=rows[0].subject)
    _move(keeper, rows, "ended", by, why)


def end_own(keeper: Keeper, caller: Caller, access: str, proof: Proof) -> None:
    """End an access by its holder's, or its patient's, own word.

    Raises:
        KeeperError: ``NOT_FOUND``: it is neither theirs nor a proxy of theirs. As ``seats.session_of``.
    """
    session, holder = seats.session_of(keeper, caller, proof)
    seats.permit_own(keeper, session)
    mine = {one.subject for one in seats.in_force(keeper, holder.id) if one.own}
    rows = holders.seat_rows(keeper.store, access=access)
    if not rows or not (rows[0].holder == holder.id or rows[0].subject in mine):
        raise seats.refused(keeper, session, "portal.own")
    _move(keeper, rows, "ended", Person(holder.id, f"session {session.id}"), "own-word")


def hide(keeper: Keeper, caller: Caller, access: str, proof: Proof) -> None:
    """Show a holder nothing of their own record any more, by their own word; raises as ``end_own``."""
    session, holder = seats.session_of(keeper, caller, proof)
    seats.permit_own(keeper, session)
    rows = holders.seat_rows(keeper.store, access=access)
    if not rows or access not in {one.id for one in seats.in_force(keeper, holder.id) if one.own}:
        raise seats.refused(keeper, session, "portal.own")
    _move(keeper, rows, "hidden", Person(holder.id, f"session {session.id}"), "own-word")


def forget_subject(keeper: Keeper, subject: str, by: Person) -> None:
    """End every access to a patient whose keys are destroyed, and forget the seats; again does nothing more."""
    rows = holders.seat_rows(keeper.store, subject=subject)
    if rows:
        _move(keeper, rows, "ended", by, "erased")
        with keeper.store.transaction():
            holders.remove_seats(keeper.store, subject)
            keeper.store.set_meta("vacuum_due", "1")


def end_given_before(keeper: Keeper, subject: str, at_us: int, by: Person, why: str) -> None:
    """End every access to a patient that was given before a time; again does nothing more."""
    rows = [
        row
        for row in holders.seat_rows(keeper.store, subject=subject)
        if (access := seats.read(keeper, row)) is not None
        and access.start_us <= at_us
        and access.state != "ended"
    ]
    if rows:
        _move(keeper, rows, "ended", by, why)


def keep_up(keeper: Keeper) -> None:
    """Forget what an old copy of the store brought back of erased patients, holders whose last seat is over, old invitations."""
    store = keeper.store
    for subject in sorted({row.subject for row in holders.seat_rows(store)}):
        if subjects.is_erased(store, keeper.site, subject):
            forget_subject(keeper, subject, Person("keeper", "erasure"))
    with store.transaction():
        store.rows("DELETE FROM holder_invitation WHERE until_us <= ?", keeper.now_us())
    for (holder,) in store.rows("SELECT id FROM holder"):
        _forget_if_done(keeper, holder)
    store.forget_deleted()


def _checked(keeper: Keeper, card: Card, born: str, basis: str) -> date | None:
    if not keeper.settings.mail.sender or not keeper.settings.portal.url:
        why = "and [portal] url must be set: codes and invitations go by mail"
        raise KeeperError("[mail] sender", why, reason=Reason.INPUT_INVALID)
    if not _ADDRESS.fullmatch(card.address):
        raise KeeperError("address", "must be a mail address", reason=Reason.INPUT_INVALID)
    if not _LANGUAGE.fullmatch(card.language):
        raise KeeperError("language", "must be a code such as `en`", reason=Reason.INPUT_INVALID)
    try:
        day = date.fromisoformat(born) if born else None
    except ValueError as error:
        raise KeeperError("born", "must be a day, YYYY-MM-DD", reason=Reason.INPUT_INVALID) from error
    if basis == "parent" and day is None:
        why = "the patient's day of birth is needed: a parent's access ends when they come of age"
        raise KeeperError("born", why, reason=Reason.INPUT_INVALID)
    return day


def _check_alone(keeper: Keeper, access: Access) -> None:
    for row in holders.seat_rows(keeper.store, subject=access.subject):
        other = seats.read(keeper, row)
        if other is None or seats.stands(keeper, row, other) in OVER:
            continue
        if (other.own and access.own and other.state != "hidden") or (
            other.holder == access.holder and other.state == "active"
        ):
            why = "this patient's portal has one for this already: end it first"
            raise KeeperError("access", why, reason=Reason.CONFLICT)


def _invitation(keeper: Keeper, holder: str) -> None:
    store, live_us = keeper.store, int(keeper.settings.portal.invitation_days_max * _DAY_US)
    key = secrets.token_urlsafe(32)
    store.rows("DELETE FROM holder_invitation WHERE holder = ?", holder)
    store.rows(
        "INSERT INTO holder_invitation VALUES (?, ?, ?)",
        *(hash_of(key).hex(), holder, keeper.now_us() + live_us),
    )
    letters.put(keeper, "invitation", holder, {"key": key}, live_us=live_us)


def _move(keeper: Keeper, rows: Sequence[SeatRow], state: State, by: Person, why: str) -> None:
    moved = [
        access.in_state(state, by.name)
        for access in (seats.read(keeper, row) for row in rows)
        if access is not None and access.state not in {"ended", state}
    ]
    if moved:
        with keeper.store.transaction():
            _keep(keeper, moved, by, f"portal.access-{state}", {"why": why})
        signing.confirm_stored(keeper)
    for holder in sorted({row.holder for row in rows}):
        _forget_if_done(keeper, holder)
    keeper.store.forget_deleted()


def _keep(keeper: Keeper, accesses: Sequence[Access], by: Person, kind: str, more: dict[str, str]) -> None:
    """Sign accesses and store them with their records."""
    wanted = [signing.Wanted(ACCESS, one.id, 0, one.body()) for one in accesses]
    documents, now_us = signing.sign(keeper, wanted, [by]), keeper.now_us()
    leaves = [
        ledger.prepare(
            Record(kind, {"access": one.id, "by": by.name, "holder": one.holder} | more, now_us, one.subject)
        )
        for one in accesses
    ]
    with write(keeper.engine) as db:
        authority.put_all(db, documents)
        ledger.append(db, keeper.site, leaves)


def _forget_if_done(keeper: Keeper, holder: str) -> None:
    for row in holders.seat_rows(keeper.store, holder=holder):
        access = seats.read(keeper, row)
        if access is None:
            continue
        by_time = access.state == "active" and not keeper.clock.sure()
        if by_time or seats.stands(keeper, row, access) not in OVER:
            return
    if holders.of(keeper.store, holder) is not None:
        with keeper.store.transaction():
            holders.forget(keeper.store, holder)
            keeper.note("portal.holder-forgotten", {"holder": holder})
        seats.end_all(keeper, holder, "holder.gone")
