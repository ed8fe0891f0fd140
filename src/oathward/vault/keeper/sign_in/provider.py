"""Sign-in by the hospital's OpenID Connect provider, as far as the keeper has to do with it: what is believed of it.

Steps of ``finish``, each with its reason:
1. the state is one this keeper made, for this browser, taken once before: PROVIDER_STATE;
2. the ID token is a compact JWS, signed with one of ``ALGORITHMS``: PROVIDER_TOKEN, PROVIDER_ALGORITHM;
3. one key of the provider signed it, found by ``kid`` among keys that fit the algorithm: PROVIDER_KEY, PROVIDER_TOKEN;
4. it is of our issuer, for our client and no other (``aud``, ``azp``): PROVIDER_AUDIENCE;
5. it is not over, was made after the sign-in began and not in a time to come: PROVIDER_EXPIRED;
6. it answers this sign-in (``nonce``): PROVIDER_NONCE;
7. its ``iss`` and ``sub`` stand in the record of one person who is here: PERSON_UNKNOWN.

Rules:
- State, nonce and PKCE verifier are made here and bound to a value that only this browser's cookie has.
- Keys pinned in ``[oidc] keys_file`` are the only ones where it is set. Else those the console's process was shown count,
  and each one that signs for the first time is a record, of which a day takes a few: a captured console could show its own.
- What the provider says of factors (``acr``, ``amr``) counts as two where the settings say which word does; else a second
  factor of ours is asked for, or enrolled.
- To prove it again the provider must say when it last asked (``auth_time``), and that with two factors.

Deliberately absent: HTTP (``web/provider``), access and refresh tokens, claims about names, groups or roles.

Source: OpenID Connect Core 1.0 §3.1.3.7, §2, §3.1.2.1; RFC 7636; RFC 9700 §2.1, §4.7; RFC 8725.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason
from oathward.policy.people import Person
from oathward.vault.keeper import proof as proving
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.proof import Caller
from oathward.vault.keeper.sign_in import jose, persons, signing_in, visiting
from oathward.vault.keeper.sign_in.entrance import Pending, ProviderState
from oathward.vault.keeper.sign_in.sessions import Session

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
TOKEN_LENGTH_MAX = 16_384
KEYS_KNOWN_MAX = 200
"""So many keys that have signed are remembered; the oldest is forgotten, and on record again when it signs again."""
KEYS_NEW_MAX = 20
"""So many new ones in a day, where none are pinned: providers change theirs once in weeks. Each is a record."""
_DAY_US = 86_400_000_000
SUBJECT_LENGTH_MAX = 255
SKEW_S = 60.0


class _Wrong(Exception):  # noqa: N818  it is what an answer is, and never leaves this module
    def __init__(self, reason: Reason, where: str, why: str) -> None:
        self.reason, self.where, self.why = reason, where, why
        super().__init__(reason.code)


def begin(keeper: Keeper, caller: Caller, browser: str, proof: Mapping[str, str]) -> dict[str, str]:
    """Begin a sign-in at the provider for one browser, or prove it again for a session.

    Args:
        browser: hash of a value in a cookie of this browser.

    Raises:
        KeeperError: ``PROVIDER_STATE``: there is no provider. As ``visiting.session_of``.
    """
    if not keeper.settings.oidc.issuer or not keeper.settings.oidc.client_id:
        raise KeeperError("[oidc] issuer", "there is no provider", reason=Reason.PROVIDER_STATE)
    session = visiting.session_of(keeper, caller, proof).id if proof else ""
    nonce, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    state = keeper.entrance.states.put(ProviderState(browser, nonce, verifier, keeper.now_us(), session))
    digest = hashlib.sha256(verifier.encode()).digest()
    return {
        "challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "nonce": nonce,
        "state": state,
    }


def take(keeper: Keeper, _caller: Caller, state: str, browser: str) -> str:
    """Give the PKCE verifier of a sign-in this browser began: once.

    Raises:
        KeeperError: ``PROVIDER_STATE``: unknown, another browser's, taken before, or too old.
    """
    found = keeper.entrance.states.take(state)
    if found is None or found.taken or not secrets.compare_digest(found.browser, browser):
        raise _refused(Reason.PROVIDER_STATE, "state", "is of no sign-in this browser began")
    keeper.entrance.states.put(replace(found, taken=True), secret=state)
    return found.verifier


def finish(
    keeper: Keeper,
    caller: Caller,
    *,
    state: str,
    browser: str,
    id_token: str,
    keys: str,
    origin: str,
    proof: Mapping[str, str],
) -> dict[str, Any]:
    """Take the provider's ID token; gives the next step, as a password does.

    Args:
        keys: the key set the provider shows, as JSON; looked at only where none is pinned.

    Raises:
        KeeperError: with a reason of the steps above. ``SIGN_IN_TOO_MANY``: this address must wait.
    """
    keeper.entrance.check_address(origin)
    session = visiting.session_of(keeper, caller, proof) if proof else None
    try:
        began = _state(keeper, state, browser, session.id if session else "")
        claims = _claims(keeper, id_token, keys)
        _check(keeper, claims, began)
        person = _person(keeper, claims)
        strong = _strong(keeper.settings.oidc.acr, claims)
        if session is not None:
            _check_again(session, person, claims, began, strong=strong)
    except _Wrong as wrong:
        keeper.entrance.refused(origin, "provider", "", wrong.reason.code)
        raise _refused(wrong.reason, wrong.where, wrong.why) from None
    if session is not None:
        return signing_in.stepped_up(keeper, session, proving.secret_of(proof), "provider", both=True)
    pending = Pending(person.id, ("provider",), enrols=False, origin=origin)
    return signing_in.signed_in(keeper, pending) if strong else signing_in.next_step(keeper, pending)


def _state(keeper: Keeper, state: str, browser: str, session: str) -> ProviderState:
    began = keeper.entrance.states.take(state)
    if began is None or not began.taken or not secrets.compare_digest(began.browser, browser):
        raise _Wrong(Reason.PROVIDER_STATE, "state", "is of no sign-in this browser began")
    if began.session != session:
        raise _Wrong(Reason.PROVIDER_STATE, "state", "was begun for something else")
    return began


def _claims(keeper: Keeper, token: str, shown: str) -> dict[str, Any]:
    """Find the key that signed the token and check its signature (steps 2 and 3)."""
    try:
        header = jose.header_of(token, TOKEN_LENGTH_MAX)
    except jose.Unreadable:
        raise _Wrong(Reason.PROVIDER_TOKEN, "ID token", "is not well formed") from None
    if header.algorithm not in ALGORITHMS:
        raise _Wrong(Reason.PROVIDER_ALGORITHM, "ID token", "is signed in a way that is not taken")
    pinned = _pinned(keeper)
    try:
        keys = jose.fitting(jose.keys_of(shown if pinned is None else pinned), header)
    except jose.Unreadable:
        raise _Wrong(Reason.PROVIDER_KEY, "keys", "are no key set") from None
    if not keys:
        raise _Wrong(Reason.PROVIDER_KEY, "ID token", "is signed by no key of the provider")
    for key in keys:
        try:
            claims = jose.verified(token, key, header.algorithm)
        except jose.Unreadable:
            continue
        _note_key(keeper, jose.thumbprint(key), pinned=pinned is not None)
        return claims
    raise _Wrong(Reason.PROVIDER_TOKEN, "ID token", "has a signature that does not fit")


def _check(keeper: Keeper, claims: Mapping[str, Any], began: ProviderState) -> None:
    """See from whom, for whom, when, and in answer to what (steps 4 to 6)."""
    ours, now_s = keeper.settings.oidc, keeper.now_us() / 1_000_000
    audience, party = jose.audiences(claims), claims.get("azp")
    if claims.get("iss") != ours.issuer:
        raise _Wrong(Reason.PROVIDER_AUDIENCE, "ID token iss", "is another issuer")
    if ours.client_id not in audience or (party is not None and party != ours.client_id):
        raise _Wrong(Reason.PROVIDER_AUDIENCE, "ID token aud", "is meant for another client")
    if len(audience) > 1 and party is None:
        raise _Wrong(Reason.PROVIDER_AUDIENCE, "ID token azp", "does not say for which of several it is")
    ends, made = jose.seconds(claims, "exp"), jose.seconds(claims, "iat")
    if ends is None or made is None or ends <= now_s - SKEW_S:
        raise _Wrong(Reason.PROVIDER_EXPIRED, "ID token exp", "is over")
    begins = jose.seconds(claims, "nbf") if "nbf" in claims else made
    if begins is None or max(made, begins) > now_s + SKEW_S or made < began.began_us / 1_000_000 - SKEW_S:
        raise _Wrong(Reason.PROVIDER_EXPIRED, "ID token iat", "is of another time")
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not secrets.compare_digest(nonce.encode(), began.nonce.encode()):
        raise _Wrong(Reason.PROVIDER_NONCE, "ID token nonce", "answers another sign-in")


def _person(keeper: Keeper, claims: Mapping[str, Any]) -> Person:
    subject = claims.get("sub")
    person = None
    if isinstance(subject, str) and 0 < len(subject) <= SUBJECT_LENGTH_MAX:
        person = persons.by_sign_in(keeper, keeper.settings.oidc.issuer, subject)
    if person is None:
        raise _Wrong(Reason.PERSON_UNKNOWN, "sign-in", "no person here has it in their record")
    return person


def _strong(word: str, claims: Mapping[str, Any]) -> bool:
    """Say whether the provider asked for two factors, in the word the settings name."""
    methods = claims.get("amr")
    return bool(word) and (claims.get("acr") == word or (isinstance(methods, list) and word in methods))


def _check_again(
    session: Session, person: Person, claims: Mapping[str, Any], began: ProviderState, *, strong: bool
) -> None:
    """See that it is the same person, and that the provider asked them just now."""
    if person.id != session.own:
        raise _Wrong(Reason.PROVIDER_STATE, "sign-in", "is another person's")
    asked = jose.seconds(claims, "auth_time")
    if not strong or asked is None or asked < began.began_us / 1_000_000 - SKEW_S:
        raise _Wrong(Reason.ACCESS_STEP_UP, "provider", "did not ask for two factors again")


def _pinned(keeper: Keeper) -> bytes | None:
    name = keeper.settings.oidc.keys_file
    if not name:
        return None
    try:
        with (keeper.settings.data / name).open("rb") as file:
            return file.read(jose.KEYS_BYTES_MAX + 1)
    except OSError as error:
        raise KeeperError("[oidc] keys_file", "cannot be read", reason=Reason.SETTINGS_INVALID) from error


def _note_key(keeper: Keeper, key: str, *, pinned: bool) -> None:
    """Record a key that signs for the first time."""
    with keeper.store.transaction():
        if keeper.store.one("SELECT 1 FROM provider_key WHERE id = ?", key) is not None:
            return
        since_us = keeper.now_us() - _DAY_US
        (new,) = keeper.store.one("SELECT COUNT(*) FROM provider_key WHERE seen_us > ?", since_us) or (0,)
        if new >= KEYS_NEW_MAX and not pinned:
            raise _Wrong(Reason.PROVIDER_KEY, "keys", "are other ones too often")
        kept = "SELECT id FROM provider_key ORDER BY seen_us DESC, id LIMIT ?"
        keeper.store.rows(f"DELETE FROM provider_key WHERE id NOT IN ({kept})", KEYS_KNOWN_MAX - 1)  # noqa: S608  our own words
        keeper.note("provider.key-seen", {"key": key, "pinned": pinned})
        keeper.store.rows("INSERT INTO provider_key VALUES (?, ?)", key, keeper.now_us())


def _refused(reason: Reason, where: str, why: str) -> KeeperError:
    return KeeperError(where, why, reason=reason)
