"""What the console may ask of the keeper about people: signing in, enrolling, sessions, accounts, tokens of services.

Rules:
- What needs nobody signed in is bounded and limited by address; all else carries a proof.
- Who may do something to somebody else's account or session is asked of ``roles.permit`` before it is done.
- Passwords, codes, credentials and tokens are arguments and answers, and never anything else: no record, no error has one.

Deliberately absent: how each is done (``signing_in``, ``enrolling``, ``visiting``, ``provider``, ``services``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason
from oathward.policy.access import Thing
from oathward.policy.people import Person
from oathward.vault.keeper import asking, roles
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.operations import shapes
from oathward.vault.keeper.operations.operation import ID, Operation
from oathward.vault.keeper.proof import Caller
from oathward.vault.keeper.sign_in import (
    accounts,
    enrolling,
    jose,
    notices,
    passkeys,
    passwords,
    persons,
    provider,
    services,
    signing_in,
    visiting,
)
from oathward.vault.keeper.sign_in.sessions import Session


def _account_own(keeper: Keeper, caller: Caller, proof: dict[str, str]) -> dict[str, Any]:
    session = visiting.session_of(keeper, caller, proof)
    person = session.own
    account = accounts.of(keeper.store, person) if person else None
    own = accounts.factors(keeper.store, person) if person else []
    return {
        "factors": [
            {"id": f.id, "kind": f.kind, "label": f.label, "made_us": f.made_us, "used_us": f.used_us}
            for f in own
        ],
        "login": (account.login if account else None) or "",
        "notices": notices.shown(keeper, person) if person else [],
        "passkeys": passkeys.place_of(keeper.settings) is not None,
        "sessions": visiting.listed(keeper, session, person),
    }


def _notice_put_away(keeper: Keeper, caller: Caller, id: str, proof: dict[str, str]) -> None:  # noqa: A002  the argument's name on the wire
    session = visiting.session_of(keeper, caller, proof)
    visiting.check_acts(session)
    notices.put_away(keeper, session, id)


def _account_invite(keeper: Keeper, caller: Caller, person: str, login: str, proof: dict[str, str]) -> str:
    by = asking.person(keeper, caller, proof, "account.invite", Thing("person", person, owner=person))
    return accounts.invite(keeper, by, _person(keeper, person), login)


def _account_reset(keeper: Keeper, caller: Caller, person: str, proof: dict[str, str]) -> str:
    by = asking.person(keeper, caller, proof, "account.reset", Thing("person", person, owner=person))
    return accounts.reset(keeper, by, _person(keeper, person))


def _account_list(keeper: Keeper, caller: Caller, proof: dict[str, str]) -> list[dict[str, Any]]:
    asking.session(keeper, caller, proof, "people.see", Thing("person"))
    store = keeper.store
    kinds: dict[str, list[str]] = {}
    for person, kind in store.rows("SELECT person, kind FROM factor ORDER BY person, kind"):
        kinds.setdefault(person, []).append(kind)
    found = {one.person: one for one in accounts.everyone(store)}
    invited = accounts.invited(store, keeper.now_us())
    return [
        {
            "factors": kinds.get(person, []),
            "invited": person in invited,
            "login": (found[person].login or "") if person in found else "",
            "person_id": person,
            "used_us": found[person].used_us if person in found else 0,
        }
        for person in sorted(found.keys() | invited)
    ]


def _session_list(keeper: Keeper, caller: Caller, person: str, proof: dict[str, str]) -> list[dict[str, Any]]:
    session = visiting.session_of(keeper, caller, proof)
    own = session.own
    if person and person != own:
        roles.permit(keeper, session, "sessions.see", Thing("session", owner=person))
    return visiting.listed(keeper, session, person or own)


def _service_tokens(keeper: Keeper, caller: Caller, proof: dict[str, str]) -> list[dict[str, Any]]:
    session = asking.session(keeper, caller, proof, "sessions.see", Thing("session"), looking=True)
    return visiting.tokens(keeper, session)


def _session_revoke(keeper: Keeper, caller: Caller, id: str, proof: dict[str, str]) -> None:  # noqa: A002  the argument's name on the wire
    session = visiting.session_of(keeper, caller, proof)
    visiting.check_acts(session)
    own = session.own
    if id != session.id and own:  # whose another is, is not told first
        visiting.check_both(keeper, session)
    if id == visiting.OTHERS:
        visiting.revoke(
            keeper, [s for s in keeper.sessions.listed(own) if own and s.id != session.id], _by(session)
        )
        return
    found = visiting.find(keeper, id)
    if found is None or (found.id != session.id and not (own and found.own == own)):
        whose = found.own if found is not None else ""  # asked in any case: whether there is one is not told
        roles.permit(keeper, session, "session.revoke", Thing("session", id, owner=whose))
    if found is None:
        raise KeeperError("session", "there is no such session", reason=Reason.NOT_FOUND)
    visiting.revoke(keeper, [found], _by(session))


def _person(keeper: Keeper, id_: str) -> Person:
    person = persons.person_of(keeper, id_)
    if person is None:
        raise KeeperError("person", "there is no such person here", reason=Reason.NOT_FOUND)
    return person


def _by(session: Session) -> str:
    return session.visitor.person_id or session.person


_SECRET = shapes.text(64)
_BROWSER = shapes.text(64)
_ORIGIN = shapes.text(64, empty=True)
_LOGIN = shapes.text(accounts.LOGIN_LENGTH_MAX)
_PASSWORD = shapes.anything(passwords.LENGTH_MAX)
_CODE = shapes.anything(16)
_LABEL = shapes.text(accounts.LABEL_LENGTH_MAX, empty=True)
_CREDENTIAL = shapes.anything(passkeys.CREDENTIAL_CHARS_MAX)

APP: Mapping[str, Operation] = {
    "sign_in_password": Operation(
        signing_in.password, shapes.table(login=_LOGIN, password=_PASSWORD, origin=_ORIGIN)
    ),
    "sign_in_second": Operation(signing_in.second, shapes.table(pending=_SECRET, code=_CODE, origin=_ORIGIN)),
    "passkey_begin": Operation(signing_in.passkey_begin, shapes.table(proof=shapes.proof)),
    "passkey_finish": Operation(
        signing_in.passkey_finish,
        shapes.table(ceremony=_SECRET, credential=_CREDENTIAL, origin=_ORIGIN, proof=shapes.proof),
    ),
    "step_up_code": Operation(
        signing_in.step_up_code,
        shapes.table(code=_CODE, password=shapes.anything(passwords.LENGTH_MAX), proof=shapes.proof),
    ),
    "enrol_begin": Operation(enrolling.begin, shapes.table(key=_SECRET, origin=_ORIGIN)),
    "enrol_password": Operation(enrolling.password, shapes.table(password=_PASSWORD, pending=_SECRET)),
    "enrol_totp_begin": Operation(enrolling.totp_begin, shapes.table(proof=shapes.proof)),
    "enrol_totp_finish": Operation(
        enrolling.totp_finish, shapes.table(code=_CODE, label=_LABEL, proof=shapes.proof)
    ),
    "enrol_passkey_begin": Operation(enrolling.passkey_begin, shapes.table(proof=shapes.proof)),
    "enrol_passkey_finish": Operation(
        enrolling.passkey_finish,
        shapes.table(ceremony=_SECRET, credential=_CREDENTIAL, label=_LABEL, proof=shapes.proof),
    ),
    "password_change": Operation(
        enrolling.change_password, shapes.table(current=_PASSWORD, password=_PASSWORD, proof=shapes.proof)
    ),
    "factor_remove": Operation(enrolling.remove, shapes.table(id=ID, proof=shapes.proof)),
    "account_own": Operation(_account_own, shapes.table(proof=shapes.proof)),
    "notice_put_away": Operation(_notice_put_away, shapes.table(id=ID, proof=shapes.proof)),
    "account_invite": Operation(
        _account_invite,
        shapes.table(person=ID, login=shapes.text(accounts.LOGIN_LENGTH_MAX, empty=True), proof=shapes.proof),
    ),
    "account_reset": Operation(_account_reset, shapes.table(person=ID, proof=shapes.proof)),
    "account_list": Operation(_account_list, shapes.table(proof=shapes.proof)),
    "session_rotate": Operation(visiting.renew, shapes.table(proof=shapes.proof)),
    "session_list": Operation(
        _session_list, shapes.table(person=shapes.text(empty=True), proof=shapes.proof)
    ),
    "service_tokens": Operation(_service_tokens, shapes.table(proof=shapes.proof)),
    "provider_begin": Operation(provider.begin, shapes.table(browser=_BROWSER, proof=shapes.proof)),
    "provider_take": Operation(provider.take, shapes.table(state=_SECRET, browser=_BROWSER)),
    "provider_finish": Operation(
        provider.finish,
        shapes.table(
            state=_SECRET,
            browser=_BROWSER,
            id_token=shapes.anything(provider.TOKEN_LENGTH_MAX),
            keys=shapes.anything(jose.KEYS_BYTES_MAX),
            origin=_ORIGIN,
            proof=shapes.proof,
        ),
    ),
    "service_assert": Operation(
        services.assertion,
        shapes.table(assertion=shapes.anything(services.ASSERTION_LENGTH_MAX), origin=_ORIGIN),
    ),
    "service_certificate": Operation(
        services.certificate, shapes.table(sha256=shapes.text(64), origin=_ORIGIN)
    ),
    "session_revoke": Operation(_session_revoke, shapes.table(id=ID, proof=shapes.proof)),
}
"""What the console's socket takes besides ``operations``."""
