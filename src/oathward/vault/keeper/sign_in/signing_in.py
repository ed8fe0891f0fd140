"""How a person signs in with what this site keeps of them, and proves it again: password, code, passkey.

Steps with a password: 1 the address was not wrong too often · 2 the password is compared, or a dummy where there is no
such account · 3 the account does not wait · 4 a second factor is asked for, or enrolled where there is none · 5 a session.

Rules:
- A password or a code alone signs nobody in; a passkey does, for it is two factors.
- Whatever is wrong while signing in is one answer, after the same work; the record has the code, the answer has not.
- A code counts once, a challenge is for one use, an unfinished sign-in for few tries.
- Each sign-in makes a new session. What a person proves again goes to their own session alone.

Deliberately absent: enrolling (``enrolling``), sign-in by a provider (``provider``), sessions (``visiting``).

Source: OWASP ASVS 5.0 V6.3, V6.5; OWASP Authentication Cheat Sheet.
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
from oathward.vault.keeper.sign_in import accounts, passkeys, persons, totp, visiting, waits
from oathward.vault.keeper.sign_in.entrance import TRIES_MAX, Ceremony, Pending, refusal
from oathward.vault.keeper.sign_in.sessions import Session, Visitor

CHALLENGE_BYTES = 32


def password(keeper: Keeper, _caller: Caller, login: str, password: str, origin: str) -> dict[str, Any]:
    """Take a login and a password; gives the next step.

    Raises:
        KeeperError: ``SIGN_IN_REFUSED``, whatever is wrong. ``SIGN_IN_TOO_MANY``: this address must wait.
    """
    keeper.entrance.check_address(origin)
    store, login = keeper.store, accounts.fold(login)
    account = accounts.by_login(store, login)
    person = persons.person_of(keeper, account.person if account else "")
    kept = accounts.factors(store, account.person, "password") if account and person else []
    count = waits.name_of("password", login)
    judged = waits.reserve(store, count, keeper.now_us(), keeper.settings.people.wrong_per_hour_max)
    try:
        fits = keeper.entrance.hashes.verify(password, kept[0].secret.decode() if kept else None)
    except KeeperError:
        waits.give_back(store, count)
        raise
    if not judged or not fits or account is None:
        why = "account.waits" if not judged else "password.wrong" if kept else "account.unknown"
        raise keeper.entrance.refused(origin, "password", account.person if account else "", why)
    waits.clear(store, count)
    accounts.shown(store, kept[0], keeper.now_us())
    if keeper.entrance.hashes.old(kept[0].secret.decode()):
        accounts.replace_hash(store, kept[0], keeper.entrance.hashes.make(password).encode())
    return next_step(keeper, Pending(account.person, ("password",), enrols=False, origin=origin, login=login))


def second(keeper: Keeper, _caller: Caller, pending: str, code: str, origin: str) -> dict[str, Any]:
    """Take the code that finishes a sign-in; raises as ``password``."""
    keeper.entrance.check_address(origin)
    waiting = keeper.entrance.pending.get(pending)
    if waiting is None or waiting.enrols:
        raise refusal()  # too old: nothing was compared, and nothing counts
    try:
        check_code(keeper, waiting.person, code, origin)
    except KeeperError:
        waiting.tries += 1
        if waiting.tries >= TRIES_MAX:
            keeper.entrance.pending.take(pending)
        raise
    return finish(keeper, pending, "totp")


def passkey_begin(keeper: Keeper, caller: Caller, proof: Mapping[str, str]) -> dict[str, Any]:
    """Give out a challenge: for signing in (no proof), as a second factor, or to prove it again.

    Raises:
        KeeperError: ``FACTOR_MISSING``: passkeys are good nowhere here, or this person has none. As ``session_of``.
    """
    place, secret = _place(keeper), proving.secret_of(proof)
    use, person = "sign-in", ""
    if proof.get("kind") == "pending":
        waiting = keeper.entrance.pending.get(secret)
        if waiting is None or waiting.enrols:
            raise refusal()
        use, person = "second", waiting.person
    elif proof:
        use, person = "step-up", _own(visiting.session_of(keeper, caller, proof))
    held = [one.secret for one in accounts.factors(keeper.store, person, "passkey")] if person else []
    if person and not held:
        raise KeeperError("passkey", "this account has none", reason=Reason.FACTOR_MISSING)
    challenge = os.urandom(CHALLENGE_BYTES)
    ceremony = keeper.entrance.ceremonies.put(Ceremony(challenge, use, person, secret))
    return {"ceremony": ceremony, "options": passkeys.options_to_show(place, challenge, held)}


def passkey_finish(
    keeper: Keeper, caller: Caller, ceremony: str, credential: str, origin: str, proof: Mapping[str, str]
) -> dict[str, Any]:
    """Take what the browser shows; gives the session it signs in to, or its new secret.

    Raises:
        KeeperError: as ``password``; as ``session_of`` where it was to prove it again.
    """
    keeper.entrance.check_address(origin)
    secret = proving.secret_of(proof)
    given = keeper.entrance.ceremonies.take(ceremony)
    if given is None or given.use == "enrol" or given.proof != secret:
        raise refusal()  # unknown or used: nothing was compared
    session = visiting.session_of(keeper, caller, proof) if given.use == "step-up" else None
    person = _shown_by(keeper, given, credential, origin)
    if session is not None:
        return stepped_up(keeper, session, secret, "passkey", both=True)
    if given.use == "second":
        return finish(keeper, secret, "passkey")
    return signed_in(keeper, Pending(person, (), enrols=False, origin=origin), "passkey")


def step_up_code(
    keeper: Keeper, caller: Caller, code: str, proof: Mapping[str, str], password: str = ""
) -> dict[str, Any]:
    """Prove it again within a session, by a code, and with both factors where the password comes too; raises as ``password`` and ``session_of``.

    The password is compared first: a code that nobody compared may be used again.
    """
    session = visiting.session_of(keeper, caller, proof)
    origin, own = session.visitor.origin, _own(session)
    keeper.entrance.check_address(origin)
    if password:
        check_password(keeper, own, password, origin)
    check_code(keeper, own, code, origin)
    by = "password+totp" if password else "totp"
    return stepped_up(keeper, session, proving.secret_of(proof), by, both=bool(password))


def check_password(keeper: Keeper, person: str, password: str, origin: str) -> None:
    """Compare the password of somebody who is signed in.

    Raises:
        KeeperError: ``SIGN_IN_REFUSED``: it is wrong, the account waits, or has none.
    """
    store, account = keeper.store, accounts.of(keeper.store, person)
    count = waits.name_of("password", (account.login if account else None) or person)
    judged = waits.reserve(store, count, keeper.now_us(), keeper.settings.people.wrong_per_hour_max)
    kept = accounts.factors(store, person, "password")
    fits = keeper.entrance.hashes.verify(password, kept[0].secret.decode() if kept else None)
    if not (judged and fits):
        raise keeper.entrance.refused(
            origin, "password", person, "password.wrong" if judged else "account.waits"
        )
    waits.clear(store, count)
    accounts.shown(store, kept[0], keeper.now_us())


def check_code(keeper: Keeper, person: str, code: str, origin: str) -> None:
    """Compare a code with every secret of a person, and use its step up.

    Raises:
        KeeperError: ``SIGN_IN_REFUSED``.
    """
    store, now_us = keeper.store, keeper.now_us()
    now_s, count = now_us / 1_000_000, waits.name_of("code", person)
    judged = waits.reserve(store, count, now_us, keeper.settings.people.wrong_per_hour_max)
    for factor in accounts.factors(store, person, "totp") if judged else []:
        around = keeper.settings.people.clocks_may_differ
        step = totp.step_of(
            code, factor.secret, now_s, last=factor.counter, drift=factor.drift, around=around
        )
        if step is not None and accounts.used(
            store, factor, now_us, counter=step, drift=totp.drift_of(step, now_s)
        ):
            waits.clear(store, count)
            return
    raise keeper.entrance.refused(origin, "totp", person, "code.wrong" if judged else "account.waits")


def next_step(keeper: Keeper, pending: Pending) -> dict[str, Any]:
    """Say what somebody who has shown a first factor must do next: show a second one, or enrol one."""
    kinds = {one.kind for one in accounts.factors(keeper.store, pending.person, *accounts.SECOND)}
    pending.enrols = not kinds
    offers = sorted(kinds) if kinds else list(accounts.SECOND)
    if passkeys.place_of(keeper.settings) is None and "passkey" in offers:
        offers.remove("passkey")
    return {
        "login": pending.login if pending.enrols else "",
        "offers": offers,
        "pending": keeper.entrance.pending.put(pending),
        "person": _name(keeper, pending.person) if pending.enrols else "",
        "state": "enrol" if pending.enrols else "second",
    }


def finish(keeper: Keeper, pending: str, factor: str) -> dict[str, Any]:
    """End an unfinished sign-in with its second factor: once.

    Raises:
        KeeperError: ``SIGN_IN_REFUSED``: somebody finished it first.
    """
    waiting = keeper.entrance.pending.take(pending)
    if waiting is None:
        raise refusal()
    return signed_in(keeper, waiting, factor)


def signed_in(keeper: Keeper, pending: Pending, *factors: str) -> dict[str, Any]:
    """Begin the session of somebody who has shown two factors, or one that is two."""
    person = persons.person_of(keeper, pending.person)
    if person is None:
        raise keeper.entrance.refused(pending.origin, "person", pending.person, "person.left")
    by = "+".join((*pending.factors, *factors))
    visitor = Visitor(name=person.name, by=by, person_id=person.id, origin=pending.origin)
    secret, session = visiting.begin(keeper, visitor)
    return _signed_in(keeper, session, secret)


def stepped_up(keeper: Keeper, session: Session, secret: str, by: str, *, both: bool) -> dict[str, Any]:
    """Give a session its new secret: the person has just proved who they are again."""
    return _signed_in(keeper, session, visiting.prove_again(keeper, session, secret, by, both=both))


def _shown_by(keeper: Keeper, given: Ceremony, credential: str, origin: str) -> str:
    """Check what a browser shows; gives the person whose passkey it is."""
    factor = None
    try:
        ref, handle = passkeys.shown(credential)
        factor = accounts.by_ref(keeper.store, ref)
        if factor is None or (given.person and factor.person != given.person):
            raise passkeys.Wrong("passkey.unknown")
        account = accounts.of(keeper.store, factor.person)
        if account is None or (handle != account.handle if handle or not given.person else False):
            raise passkeys.Wrong("passkey.unknown")
        if persons.person_of(keeper, factor.person) is None:
            raise passkeys.Wrong("person.left")
        _, public = passkeys.parts_of(factor.secret)
        count = passkeys.verified(_place(keeper), given.challenge, credential, public, factor.counter)
        if not accounts.used(keeper.store, factor, keeper.now_us(), counter=count):
            raise passkeys.Wrong("passkey.counter")
    except passkeys.Wrong as wrong:
        whose = factor.person if factor else given.person
        raise keeper.entrance.refused(origin, "passkey", whose, wrong.why) from None
    return factor.person


def _signed_in(keeper: Keeper, session: Session, secret: str) -> dict[str, Any]:
    visit = visiting.shown(keeper, session)
    return {"person": session.person, "secret": secret, "state": "signed-in", "visit": visit}


def _own(session: Session) -> str:
    if not session.own:
        raise KeeperError("session", "is of nobody who has a factor", reason=Reason.FACTOR_MISSING)
    return session.own


def _name(keeper: Keeper, person_id: str) -> str:
    person = persons.person_of(keeper, person_id)
    return person.name if person is not None else ""


def _place(keeper: Keeper) -> passkeys.Place:
    place = passkeys.place_of(keeper.settings)
    if place is None:
        raise KeeperError("[console] url", "passkeys need a host name", reason=Reason.FACTOR_MISSING)
    return place
