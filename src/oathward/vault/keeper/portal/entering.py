"""How a holder signs in: an invitation or a login, a code by mail; or a passkey.

Rules:
- Whatever is wrong is one refusal, made by the same work: a login that nobody has is given a code too, queued like any
  other, and sent to nobody.
- A code has six digits, is good for one sign-in within ``[portal] code_minutes_max``, and has five tries. Wrong tries wait as staff's do:
  of one login over all its codes (``waits``), and of one address (``entrance``).
- So many codes are sent for one login; then it waits too. A right code, or a passkey, begins again.
- An invitation's key comes by mail; it is used up by the code that went to the same address, not by looking at it.
- A passkey is checked as staff's are, for the portal's own name: one of the console signs nobody in here.

Deliberately absent: whom a holder may see (``seats``); passwords.

Source: NIST SP 800-63B-4 §3.1.3 (out-of-band by mail is for low risk: a passkey is offered), §3.2.2 (throttling).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from typing import Any

from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.portal import holders, letters, seats
from oathward.vault.keeper.portal.desk import Waiting
from oathward.vault.keeper.portal.seats import Proof
from oathward.vault.keeper.proof import Caller, secret_of
from oathward.vault.keeper.sign_in import accounts, passkeys, waits
from oathward.vault.keeper.sign_in.entrance import Ceremony, refusal
from oathward.vault.keeper.sign_in.passkeys import Place, Wrong

TRIES_MAX = 5
CODES_MAX = 5
CODE_DIGITS = 6
CHALLENGE_BYTES = 32
_CODE, _LETTER = "portal-code", "portal-letter"


def enrol_begin(keeper: Keeper, _caller: Caller, key: str, origin: str) -> dict[str, Any]:
    """Take the key of an invitation, and have a code sent to where it was sent.

    Raises:
        KeeperError: ``INVITATION_ENDED``: used, replaced, too old, or never made. ``SIGN_IN_TOO_MANY``.
    """
    keeper.entrance.check_address(origin)
    keeper.desk.ask(origin)
    store, now_us = keeper.store, keeper.now_us()
    sql = "SELECT id, holder FROM holder_invitation WHERE id = ? AND until_us > ?"
    row = store.one(sql, hash_of(key).hex(), now_us)
    holder = holders.of(store, row[1]) if row else None
    if row is None or holder is None:
        keeper.entrance.refused(origin, "portal-invitation", "", "invitation.ended")
        why = "was used already, was replaced or is too old: ask for another one"
        raise KeeperError("invitation", why, reason=Reason.INVITATION_ENDED)
    return _send(keeper, holder.id, holder.login, invitation=row[0])


def sign_in_begin(keeper: Keeper, _caller: Caller, login: str, origin: str) -> dict[str, Any]:
    """Have a code sent to a holder, if this is one's address.

    Raises:
        KeeperError: ``SIGN_IN_TOO_MANY``.
    """
    keeper.entrance.check_address(origin)
    keeper.desk.ask(origin)
    hashed = holders.login_of(keeper.store, login)
    holder = holders.by_login(keeper.store, hashed)
    return _send(keeper, holder.id if holder is not None and holder.used_us else "", hashed)


def sign_in_code(keeper: Keeper, _caller: Caller, pending: str, code: str, origin: str) -> dict[str, Any]:
    """Take the code that was sent; gives the session.

    Raises:
        KeeperError: ``SIGN_IN_REFUSED``, ``SIGN_IN_TOO_MANY``; ``INVITATION_ENDED``: it was replaced meanwhile.
    """
    keeper.entrance.check_address(origin)
    store, waiting = keeper.store, keeper.desk.waiting.get(pending)
    if waiting is None:
        raise refusal()  # too old: nothing was compared, and nothing counts
    count = waits.name_of(_CODE, waiting.login)
    judged = waits.reserve(store, count, keeper.now_us(), TRIES_MAX)
    fits = hmac.compare_digest(hash_of(code), waiting.code)
    known = holders.of(store, waiting.holder) is not None
    if not (judged and fits and known):
        waiting.tries += 1
        if waiting.tries >= TRIES_MAX:
            keeper.desk.waiting.take(pending)
        why = "code.wrong" if judged else "account.waits"
        raise keeper.entrance.refused(origin, _CODE, waiting.holder, why)
    if keeper.desk.waiting.take(pending) is None:
        raise refusal()  # somebody finished it first
    if waiting.invitation:
        _enrolled(keeper, waiting)
    return _signed_in(keeper, waiting.holder, waiting.login, "code", origin)


def passkey_begin(keeper: Keeper, _caller: Caller) -> dict[str, Any]:
    """Give out a challenge for signing in.

    Raises:
        KeeperError: ``FACTOR_MISSING``: passkeys are good nowhere here.
    """
    challenge = os.urandom(CHALLENGE_BYTES)
    ceremony = keeper.desk.ceremonies.put(Ceremony(challenge, "sign-in"))
    return {"ceremony": ceremony, "options": passkeys.options_to_show(_place(keeper), challenge, [])}


def passkey_finish(
    keeper: Keeper, _caller: Caller, ceremony: str, credential: str, origin: str
) -> dict[str, Any]:
    """Take what the browser shows; gives the session; raises as ``sign_in_code``."""
    keeper.entrance.check_address(origin)
    given = keeper.desk.ceremonies.take(ceremony)
    if given is None or given.use != "sign-in":
        raise refusal()
    store, now_us, who = keeper.store, keeper.now_us(), ""
    try:
        ref, handle = passkeys.shown(credential)
        factor = accounts.by_ref(store, ref)
        holder = holders.of(store, factor.person) if factor is not None and factor.kind == "passkey" else None
        if factor is None or holder is None or handle != holder.handle:
            raise Wrong("passkey.unknown")
        who = holder.id
        _, public = passkeys.parts_of(factor.secret)
        counter = passkeys.verified(_place(keeper), given.challenge, credential, public, factor.counter)
        if not accounts.used(store, factor, now_us, counter=counter):
            raise Wrong("passkey.counter")
    except Wrong as error:
        raise keeper.entrance.refused(origin, "portal-passkey", who, error.why) from error
    return _signed_in(keeper, holder.id, holder.login, "passkey", origin)


def passkey_enrol_begin(keeper: Keeper, caller: Caller, proof: Proof) -> dict[str, Any]:
    """Give out a challenge for a new passkey of a holder who is signed in.

    Raises:
        KeeperError: as ``passkey_begin`` and ``seats.session_of``.
    """
    session, holder = seats.session_of(keeper, caller, proof)
    seats.permit_own(keeper, session)
    challenge, place = os.urandom(CHALLENGE_BYTES), _place(keeper)
    ceremony = keeper.desk.ceremonies.put(Ceremony(challenge, "enrol", holder.id, secret_of(proof)))
    card = holder.card.reveal()
    held = [one.secret for one in accounts.factors(keeper.store, holder.id, "passkey")]
    options = passkeys.options_to_enrol(
        place, keeper.site, challenge, holder.handle, card.address, card.name, held
    )
    return {"ceremony": ceremony, "options": options}


def passkey_enrol_finish(
    keeper: Keeper, caller: Caller, ceremony: str, credential: str, label: str, proof: Proof
) -> None:
    """Keep the passkey a browser made; the holder's other sessions end.

    Raises:
        KeeperError: ``PASSKEY_REFUSED``; as ``passkey_enrol_begin``.
    """
    session, holder = seats.session_of(keeper, caller, proof)
    seats.permit_own(keeper, session)
    given = keeper.desk.ceremonies.take(ceremony)
    if given is None or (given.use, given.person, given.proof) != ("enrol", holder.id, secret_of(proof)):
        raise passkeys.refused("begin again: this took too long")
    try:
        made = passkeys.enrolled(_place(keeper), given.challenge, credential)
    except Wrong as error:
        raise passkeys.refused() from error
    id_ = accounts.add(
        *(keeper.store, holder.id, "passkey", made.secret, keeper.now_us()),
        label=label,
        ref=made.ref,
        counter=made.count,
    )
    keeper.note("factor.enrolled", {"factor": id_, "kind": "passkey", "person": holder.id})
    seats.end_all(keeper, holder.id, "factor.enrolled", but=session.id)


def hash_of(secret: str) -> bytes:
    """Give the form in which a key or code is kept."""
    return hashlib.sha256(secret.encode()).digest()


def _send(keeper: Keeper, holder: str, login: str, invitation: str = "") -> dict[str, Any]:
    """Queue a code's letter; the same work whether or not there is anybody to send it to."""
    store, minutes = keeper.store, keeper.settings.portal.code_minutes_max
    code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
    with store.transaction():
        room = waits.reserve(store, waits.name_of(_LETTER, login), keeper.now_us(), CODES_MAX)
        to = holder if room else ""
        values = {"code": code, "minutes": f"{minutes:g}"}
        letters.put(keeper, "code", to, values, live_us=int(minutes * 60_000_000))
    waiting = Waiting(holder if room else "", login, hash_of(code), invitation)
    return {"pending": keeper.desk.waiting.put(waiting), "state": "code"}


def _enrolled(keeper: Keeper, waiting: Waiting) -> None:
    store = keeper.store
    with store.transaction():
        row = store.one("SELECT holder FROM holder_invitation WHERE id = ?", waiting.invitation)
        if row is None:
            raise KeeperError("invitation", "was replaced or used", reason=Reason.INVITATION_ENDED)
        store.rows("DELETE FROM holder_invitation WHERE id = ?", waiting.invitation)
        keeper.note("portal.enrolled", {"holder": waiting.holder})


def _signed_in(keeper: Keeper, holder: str, login: str, by: str, origin: str) -> dict[str, Any]:
    store = keeper.store
    with store.transaction():
        holders.used(store, holder, keeper.now_us())
        waits.clear(store, waits.name_of(_CODE, login), waits.name_of(_LETTER, login))
    return seats.begin(keeper, holder, by, origin)


def _place(keeper: Keeper) -> Place:
    place = passkeys.place_under(keeper.settings.portal.url)
    if place is None:
        raise KeeperError("[portal] url", "passkeys need a host name", reason=Reason.FACTOR_MISSING)
    return place
