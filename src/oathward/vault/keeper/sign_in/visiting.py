"""Sessions of people and services in the keeper: begun, checked, renewed, listed, revoked; each on record.

Rules:
- A session is of a person id, and each use asks anew whether that person is here: who left is signed out at once.
- A session of the time before a site had people ends when it has them.
- A service's token ends with the service, with its owner, and with the key or certificate it was got by.
- Records hold ids and codes: whose session, how it began, why it ended.

Deliberately absent: proofs of who somebody is (``signing_in``), what a person may do (``roles``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from oathward.core.errors import KeeperError, OathwardError
from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.ledger import Record
from oathward.vault.keeper import proof as proving
from oathward.vault.keeper import roles
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.proof import Caller
from oathward.vault.keeper.sign_in import notices, persons
from oathward.vault.keeper.sign_in.sessions import Session, Visitor

OTHERS = "others"


def begin(keeper: Keeper, visitor: Visitor, **limits: float) -> tuple[str, Session]:
    """Begin a session for somebody who proved who they are; gives its secret.

    Raises:
        KeeperError: ``LIMIT_EXCEEDED``: too many are open.
    """
    secret, session = keeper.sessions.open(visitor, keeper.now_us(), **limits)
    try:
        keeper.note("session.begun", _of(session) | {"acts": visitor.acts, "by": visitor.by})
    except BaseException:
        keeper.sessions.revoke(session.id)
        raise
    flush(keeper)
    return secret, session


def session_of(keeper: Keeper, caller: Caller, proof: Mapping[str, Any], *, used: bool = True) -> Session:
    """Find the session a proof shows, of somebody who is still here.

    Raises:
        KeeperError: ``NOT_PERMITTED``: it has ended, or they have left. ``SESSION_REUSED``: as ``Sessions.find``.
        AuthorityError: who they are cannot be told.
    """
    try:
        session = proving.session_of(proof, caller, keeper.sessions, used=used, now_us=keeper.now_us())
    except KeeperError as error:
        if error.reason is Reason.SESSION_REUSED:
            flush(keeper)
        raise
    why = _over(keeper, session.visitor)
    if why:
        keeper.sessions.revoke(session.id)
        keeper.note("session.revoked", _of(session) | {"why": why})
        raise KeeperError("session", "has ended", reason=Reason.NOT_PERMITTED)
    return session


def shown(keeper: Keeper, session: Session, secret: str = "") -> dict[str, Any]:
    """Say who is signed in, as ``visit.visit_of`` reads it."""
    visitor = session.visitor
    return {
        "acts": session.acts,
        "by": session.by,
        "fresh": keeper.sessions.fresh(session),
        "id": session.id,
        "kind": visitor.kind,
        "left_s": int(keeper.sessions.left_s(session)),
        "notices": len(notices.of(keeper, session.own)) if session.own else 0,
        "person": session.person,
        "person_id": visitor.person_id,
        "renew": bool(secret) and keeper.sessions.due(secret, session),
        "roles": sorted(_roles(keeper, visitor)),
        "strong": visitor.strong,
    }


def renew(keeper: Keeper, caller: Caller, proof: Mapping[str, Any]) -> str:
    """Give the session another secret where one is due; raises as ``session_of``."""
    session_of(keeper, caller, proof)
    return keeper.sessions.renew(proving.secret_of(proof))


def prove_again(keeper: Keeper, session: Session, secret: str, by: str, *, both: bool) -> str:
    """Note that the person proved who they are again; gives the session's new secret.

    Args:
        both: with two factors, or with one that is two.
    """
    new = keeper.sessions.renew(secret, proved=True, both=both)
    keeper.note("session.stepped-up", _of(session) | {"by": by})
    return new


def end(keeper: Keeper, caller: Caller, proof: Mapping[str, Any]) -> None:
    """Sign out; raises as ``session_of``."""
    session = session_of(keeper, caller, proof)
    keeper.sessions.end(proving.secret_of(proof))
    keeper.note("session.ended", _of(session))


def listed(keeper: Keeper, own: Session, person_id: str) -> list[dict[str, Any]]:
    """List the open sessions of one person, newest first.

    Args:
        own: the session that asks.
    """
    return _rows(keeper, own, keeper.sessions.listed(person_id) if person_id else [own])


def tokens(keeper: Keeper, own: Session) -> list[dict[str, Any]]:
    """List the open tokens of every service, newest first; ``own`` as in ``listed``."""
    return _rows(keeper, own, [one for one in keeper.sessions.listed() if one.visitor.kind == "service"])


def _rows(keeper: Keeper, own: Session, found: Sequence[Session]) -> list[dict[str, Any]]:
    rows = [
        {
            "begun_us": one.begun_us,
            "by": one.by,
            "id": one.id,
            "kind": one.visitor.kind,
            "left_s": int(keeper.sessions.left_s(one)),
            "origin": one.visitor.origin,
            "own": one.id == own.id,
            "person": one.person,
            "person_id": one.visitor.person_id,
            "seen_us": one.seen_us,
        }
        for one in found
    ]
    return sorted(rows, key=lambda row: -row["begun_us"])


def check_both(keeper: Keeper, session: Session) -> None:
    """See that the person proved it just now with two factors: by signing in, a passkey, the provider, or password and code.

    Raises:
        KeeperError: ``ACCESS_PROVE_BOTH``.
    """
    if not keeper.sessions.both(session):
        raise KeeperError("session", "prove who you are again first", reason=Reason.ACCESS_PROVE_BOTH)


def check_acts(session: Session) -> None:
    """Refuse a session that was made for looking only.

    Raises:
        KeeperError: ``NOT_PERMITTED``.
    """
    if not session.acts:
        raise KeeperError("session", "was made for looking only", reason=Reason.NOT_PERMITTED)


def find(keeper: Keeper, id_: str) -> Session | None:
    """Find an open session by its id."""
    return next((one for one in keeper.sessions.listed() if one.id == id_), None)


def revoke(keeper: Keeper, sessions: Sequence[Session], by: str) -> None:
    """End sessions that were asked for by somebody who may; each is a record.

    Args:
        by: id of the person.
    """
    ended = [one for one in sessions if keeper.sessions.revoke(one.id) is not None]
    _record(keeper, [("session.revoked", _of(one) | {"by": by}) for one in ended])


def end_others(keeper: Keeper, person_id: str, but: str, why: str) -> None:
    """End every session of a person but one; each is a record."""
    ended = keeper.sessions.revoke_all(person_id, but=but)
    _record(keeper, [("session.revoked", _of(one) | {"by": person_id, "why": why}) for one in ended])


def flush(keeper: Keeper) -> None:
    """Record which sessions ended by themselves, and what was refused, since the last time."""
    over, refused = keeper.sessions.take_over(), keeper.entrance.take_refused()
    ended = [
        ("session.ended" if one.why == "time" else "session.revoked", _of(one) | {"why": one.why})
        for one in over
    ]
    sums = [
        ("sign-in.refused", {"count": count, "factor": what, "person": person, "why": why})
        for (what, person, why), count in sorted(refused.items())
    ]
    try:
        _record(keeper, [*ended, *sums])
    except OathwardError:
        keeper.sessions.put_back(over)
        keeper.entrance.put_back(refused)
        raise


def _record(keeper: Keeper, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    if rows:
        now_us = keeper.now_us()
        keeper.record([Record(kind, body, now_us) for kind, body in rows])


def _over(keeper: Keeper, visitor: Visitor) -> str:
    """Say why a session may go on no longer; empty while it may."""
    if visitor.kind == "service":
        service = persons.service_of(keeper, visitor.person_id)
        if service is None:
            return "service.gone"
        keys = {service.certificate, hashlib.sha256(service.jwk.encode()).hexdigest() if service.jwk else ""}
        return "" if visitor.key and visitor.key in keys else "service.key-changed"
    if not visitor.person_id:
        return "site.founded" if roles.founded(keeper) else ""
    return "" if persons.person_of(keeper, visitor.person_id) is not None else "person.left"


def _roles(keeper: Keeper, visitor: Visitor) -> frozenset[Role]:
    if visitor.kind == "service":
        service = persons.service_of(keeper, visitor.person_id)
        return service.roles if service is not None else frozenset()
    if visitor.person_id:
        return persons.roles_of(keeper, visitor.person_id)
    return frozenset() if roles.founded(keeper) else frozenset({Role.SETUP})


def _of(session: Session) -> dict[str, Any]:
    return {"person": session.visitor.person_id or session.person, "session": session.id}
