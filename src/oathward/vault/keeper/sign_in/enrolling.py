"""How a person enrols: an invitation, then a password and a second factor, or a passkey alone; and changes them later.

Rules:
- Without a session a factor is enrolled only within an unfinished sign-in or an invitation; with one, only by somebody
  who has just proved who they are again, with two factors: a code alone is not enough.
- An invitation is used up when the account has what it needs; begun twice, the first is left where it stands.
- A TOTP secret counts once a code of it was shown; it is told once.
- Who changes a factor is signed out everywhere else.

Deliberately absent: who may invite (``roles``), what fits (``passwords``, ``totp``, ``passkeys``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason
from oathward.vault.keeper import proof as proving
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.proof import Caller
from oathward.vault.keeper.sign_in import (
    accounts,
    leaked,
    passkeys,
    passwords,
    persons,
    signing_in,
    totp,
    visiting,
)
from oathward.vault.keeper.sign_in.entrance import Ceremony, NewTotp, Pending, refusal
from oathward.vault.keeper.sign_in.sessions import Session

Evidence = Mapping[str, str]


def begin(keeper: Keeper, _caller: Caller, key: str, origin: str) -> dict[str, Any]:
    """Begin to enrol with an invitation's key.

    Raises:
        KeeperError: ``INVITATION_ENDED``: used, too old, or never made. ``SIGN_IN_TOO_MANY``.
    """
    keeper.entrance.check_address(origin)
    found = accounts.invitation(keeper.store, key, keeper.now_us())
    person = persons.person_of(keeper, found.person) if found else None
    if found is None or person is None:
        keeper.entrance.refused(origin, "invitation", found.person if found else "", "invitation.ended")
        raise KeeperError("invitation", "was used, is too old, or never was", reason=Reason.INVITATION_ENDED)
    keeper.entrance.pending.drop(lambda one: one.invitation == found.id)
    return _step(
        keeper,
        Pending(
            person.id, ("invitation",), enrols=True, origin=origin, login=found.login, invitation=found.id
        ),
    )


def password(keeper: Keeper, _caller: Caller, password: str, pending: str) -> dict[str, Any]:
    """Set the password of an account that is being enrolled; a second factor is next.

    Raises:
        KeeperError: ``SIGN_IN_REFUSED``: it took too long. ``PASSWORD_REFUSED``.
    """
    waiting = keeper.entrance.pending.get(pending)
    if waiting is None or not waiting.invitation or "password" in waiting.factors:
        raise refusal()
    _check_password(keeper, waiting.person, password, waiting.login)
    hashed = keeper.entrance.hashes.make(password)
    taken = keeper.entrance.pending.take(pending)
    with keeper.store.transaction():
        if taken is None or not accounts.still_good(keeper.store, taken.invitation, keeper.now_us()):
            raise refusal()
        _account(keeper, taken)
        _add(keeper, taken.person, "password", hashed.encode())
    taken.factors += ("password",)
    return _step(keeper, taken)


def totp_begin(keeper: Keeper, caller: Caller, proof: Evidence) -> dict[str, str]:
    """Make a TOTP secret; gives it and its address for a phone. Raises as ``_who``."""
    person, _, _ = _who(keeper, caller, proof)
    secret = totp.new_secret()
    keeper.entrance.totps.put(NewTotp(person, secret), secret=_about(proof))
    account = accounts.of(keeper.store, person)
    found = persons.person_of(keeper, person)
    login = (account.login if account else None) or (found.name if found else person)
    return {"secret": totp.base32(secret), "uri": totp.address(secret, login, keeper.site)}


def totp_finish(keeper: Keeper, caller: Caller, code: str, label: str, proof: Evidence) -> dict[str, Any]:
    """Confirm a TOTP secret by a code of it.

    Raises:
        KeeperError: ``CODE_REFUSED``: try again. As ``_who``.
    """
    person, pending, session = _who(keeper, caller, proof)
    new = keeper.entrance.totps.get(_about(proof))
    now_s = keeper.now_us() / 1_000_000
    around = keeper.settings.people.clocks_may_differ
    mine = new is not None and new.person == person
    step = totp.step_of(code, new.secret, now_s, last=0, around=around) if new is not None and mine else None
    if new is None or step is None or keeper.entrance.totps.take(_about(proof)) is None:
        raise KeeperError("code", "does not fit the secret", reason=Reason.CODE_REFUSED)
    return _enrolled(keeper, proof, pending, session, "totp", secret=new.secret, label=label, counter=step)


def passkey_begin(keeper: Keeper, caller: Caller, proof: Evidence) -> dict[str, Any]:
    """Give out a challenge for a new passkey. Raises as ``_who``; ``FACTOR_MISSING``: passkeys are good nowhere here."""
    person, pending, _ = _who(keeper, caller, proof)
    place, found = _place(keeper), persons.person_of(keeper, person)
    account = _account(keeper, pending) if pending else accounts.make(keeper.store, person, keeper.now_us())
    name = found.name if found is not None else person
    challenge = os.urandom(signing_in.CHALLENGE_BYTES)
    held = [one.secret for one in accounts.factors(keeper.store, person, "passkey")]
    ceremony = keeper.entrance.ceremonies.put(Ceremony(challenge, "enrol", person, proving.secret_of(proof)))
    options = passkeys.options_to_enrol(
        place, keeper.site, challenge, account.handle, account.login or name, name, held
    )
    return {"ceremony": ceremony, "options": options}


def passkey_finish(
    keeper: Keeper, caller: Caller, ceremony: str, credential: str, label: str, proof: Evidence
) -> dict[str, Any]:
    """Take a passkey that a browser made.

    Raises:
        KeeperError: ``PASSKEY_REFUSED``. As ``_who``.
    """
    person, pending, session = _who(keeper, caller, proof)
    given = keeper.entrance.ceremonies.take(ceremony)
    if given is None or (given.use, given.person, given.proof) != ("enrol", person, proving.secret_of(proof)):
        raise passkeys.refused("answers a question that was not asked, or too late")
    try:
        made = passkeys.enrolled(_place(keeper), given.challenge, credential)
    except passkeys.Wrong:
        raise passkeys.refused() from None
    return _enrolled(
        keeper,
        proof,
        pending,
        session,
        "passkey",
        secret=made.secret,
        label=label,
        ref=made.ref,
        counter=made.count,
    )


def change_password(keeper: Keeper, caller: Caller, current: str, password: str, proof: Evidence) -> None:
    """Change one's own password; every other session of the person ends.

    Raises:
        KeeperError: ``SIGN_IN_REFUSED``: the current one is wrong. ``PASSWORD_REFUSED``. As ``_who``.
    """
    person, _, session = _who(keeper, caller, proof)
    account = accounts.of(keeper.store, person)
    if session is None or account is None or not account.login:
        raise KeeperError("password", "this account has none", reason=Reason.FACTOR_MISSING)
    keeper.entrance.check_address(session.visitor.origin)
    signing_in.check_password(keeper, person, current, session.visitor.origin)
    _check_password(keeper, person, password, account.login)
    _add(keeper, person, "password", keeper.entrance.hashes.make(password).encode())
    visiting.end_others(keeper, person, session.id, "password.changed")


def remove(keeper: Keeper, caller: Caller, id: str, proof: Evidence) -> None:  # noqa: A002  the argument's name on the wire
    """Remove one of one's own factors; every other session of the person ends. Raises as ``accounts.remove``, ``_who``."""
    person, _, session = _who(keeper, caller, proof)
    if session is None:
        raise refusal()
    found = persons.person_of(keeper, person)
    accounts.remove(keeper, person, id, first=found is not None and bool(found.sign_ins))
    visiting.end_others(keeper, person, session.id, "factor.removed")


def _who(keeper: Keeper, caller: Caller, proof: Evidence) -> tuple[str, Pending | None, Session | None]:
    """Say whose factors may be changed with a proof, and whether it is an unfinished sign-in or a session.

    Raises:
        KeeperError: ``SIGN_IN_REFUSED``: an unfinished sign-in that is over, or has a factor to show instead.
            ``ACCESS_PROVE_BOTH``: a session whose person must prove it again first, with two factors. As
            ``visiting.session_of``.
    """
    if proof.get("kind") == "pending":
        waiting = keeper.entrance.pending.get(proving.secret_of(proof))
        if waiting is None or not waiting.enrols or persons.person_of(keeper, waiting.person) is None:
            raise refusal()
        return waiting.person, waiting, None
    session = visiting.session_of(keeper, caller, proof)
    visiting.check_acts(session)
    if not session.own:
        raise KeeperError("session", "is of nobody who has an account", reason=Reason.FACTOR_MISSING)
    visiting.check_both(keeper, session)
    return session.own, None, session


def _enrolled(
    keeper: Keeper,
    proof: Evidence,
    pending: Pending | None,
    session: Session | None,
    kind: accounts.Kind,
    **row: Any,
) -> dict[str, Any]:
    """Keep a new second factor; who was enrolling is signed in with that, once."""
    if session is not None:
        person = session.own
        accounts.make(keeper.store, person, keeper.now_us())
        _add(keeper, person, kind, **row)
        visiting.end_others(keeper, person, session.id, "factor.enrolled")
        return {"state": "done"}
    taken = keeper.entrance.pending.take(proving.secret_of(proof))
    if taken is None or pending is None:
        raise refusal()
    if kind == "totp" and not {"password", "provider"} & set(taken.factors):
        raise refusal()  # a code alone would sign in
    if taken.invitation and not accounts.use_up(keeper, taken.invitation):
        raise KeeperError("invitation", "was replaced or used", reason=Reason.INVITATION_ENDED)
    _account(keeper, taken)
    _add(keeper, taken.person, kind, **row)
    return signing_in.signed_in(keeper, taken, kind)


def _add(keeper: Keeper, person: str, kind: accounts.Kind, secret: bytes, **row: Any) -> None:
    id_ = accounts.add(keeper.store, person, kind, secret, keeper.now_us(), **row)
    keeper.note("factor.enrolled", {"factor": id_, "kind": kind, "person": person})


def _account(keeper: Keeper, pending: Pending) -> accounts.Account:
    """Make the account of somebody who enrols, with the login and inviter of the invitation."""
    store, now_us = keeper.store, keeper.now_us()
    row = store.one("SELECT invited_by FROM invitation WHERE id = ?", pending.invitation)
    return accounts.make(
        store, pending.person, now_us, login=pending.login or None, invited_by=row[0] if row else ""
    )


def _step(keeper: Keeper, pending: Pending) -> dict[str, Any]:
    """Say what may be enrolled next: a password or a passkey, then a second factor."""
    offers = ["totp"] if "password" in pending.factors else ["password"]
    if passkeys.place_of(keeper.settings) is not None:
        offers.append("passkey")
    person = persons.person_of(keeper, pending.person)
    return {
        "login": pending.login,
        "offers": offers,
        "pending": keeper.entrance.pending.put(pending),
        "person": person.name if person is not None else "",
        "state": "enrol",
    }


def _check_password(keeper: Keeper, person_id: str, password: str, login: str) -> None:
    person = persons.person_of(keeper, person_id)
    names = [person.name, person.mail, person.number, person.party] if person is not None else []
    known = [*names, login, keeper.site]
    passwords.check_new(password, keeper.settings.people.password_length_min, known)
    leaked.check(keeper.settings, passwords.normal(password), known)


def _place(keeper: Keeper) -> passkeys.Place:
    place = passkeys.place_of(keeper.settings)
    if place is None:
        raise KeeperError("[console] url", "passkeys need a host name", reason=Reason.FACTOR_MISSING)
    return place


def _about(proof: Evidence) -> str:
    """Name the TOTP secret that is being enrolled with a proof: one at a time."""
    return f"totp {proving.secret_of(proof)}"
