"""Tokens for programs that ask for themselves: by an assertion they signed, or by their client certificate.

Steps of ``assertion``, each with its reason:
1. a compact JWS whose ``iss`` and ``sub`` name one service that may ask now: ASSERTION_INVALID;
2. signed with the one algorithm of that service's registered key: ASSERTION_ALGORITHM, ASSERTION_INVALID;
3. for our token address: ASSERTION_AUDIENCE;
4. not over, and not for more than five minutes: ASSERTION_EXPIRED;
5. not used before, kept in the store so that a restart forgets none: ASSERTION_REPLAYED.

Rules:
- Services, their keys and certificates are signed documents; who is unknown and who signed wrongly hear the same.
- A token is a session of minutes, known by its hash; it ends with the service, its owner, and its key or certificate.
- That a certificate was shown is the console's word: its process held the TLS connection (ADR 0028).

Deliberately absent: refresh tokens, scopes (roles say what a service may do), secrets that are shared.

Source: RFC 7523 §3; RFC 6749 §4.4; RFC 8705 §2; RFC 8725.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, NoReturn
from urllib.parse import urlsplit

import orjson

from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason
from oathward.core.settings import Settings
from oathward.policy.people import Service
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.proof import Caller
from oathward.vault.keeper.sign_in import jose, persons, visiting
from oathward.vault.keeper.sign_in.sessions import Visitor

TOKEN_PATH = "/api/v1/token"  # noqa: S105  an address
TOKEN_S_MAX = 600.0
ASSERTION_LENGTH_MAX = 8_192
LIFETIME_S_MAX = 300.0
SKEW_S = 10.0
JTI_LENGTH_MAX = 200


def assertion(keeper: Keeper, _caller: Caller, assertion: str, origin: str) -> dict[str, Any]:
    """Give a token for a signed assertion.

    Raises:
        KeeperError: with a reason of the steps above. ``SIGN_IN_TOO_MANY``: this address must wait.
    """
    keeper.entrance.check_address(origin)
    service, claims = _signed(keeper, assertion, origin)
    if not any(is_token_address(keeper.settings, one) for one in jose.audiences(claims)):
        _refuse(keeper, origin, service.id, Reason.ASSERTION_AUDIENCE, "aud")
    now_s = keeper.now_us() / 1_000_000
    ends = jose.seconds(claims, "exp")
    starts = [jose.seconds(claims, name) for name in ("nbf", "iat") if name in claims]
    if ends is None or not now_s < ends <= now_s + LIFETIME_S_MAX + SKEW_S:
        _refuse(keeper, origin, service.id, Reason.ASSERTION_EXPIRED, "exp")
    if any(one is None or one > now_s + SKEW_S for one in starts):
        _refuse(keeper, origin, service.id, Reason.ASSERTION_EXPIRED, "iat")
    name = claims.get("jti")
    if not isinstance(name, str) or not 0 < len(name) <= JTI_LENGTH_MAX:
        _refuse(keeper, origin, service.id, Reason.ASSERTION_INVALID, "jti")
    if not _first_use(keeper, service.id, name, int((ends + SKEW_S) * 1_000_000)):
        _refuse(keeper, origin, service.id, Reason.ASSERTION_REPLAYED, "jti")
    return _token(keeper, service, "assertion", hashlib.sha256(service.jwk.encode()).hexdigest(), origin)


def certificate(keeper: Keeper, _caller: Caller, sha256: str, origin: str) -> dict[str, Any]:
    """Give a token to the service whose client certificate was shown.

    Args:
        sha256: of the certificate (DER), in hexadecimal.

    Raises:
        KeeperError: ``ASSERTION_INVALID``: no service that may ask has it. ``SIGN_IN_TOO_MANY``.
    """
    keeper.entrance.check_address(origin)
    wanted = sha256.lower()
    found = [one for one in persons.services(keeper) if one.certificate and one.certificate.lower() == wanted]
    if len(found) != 1:
        _refuse(keeper, origin, "", Reason.ASSERTION_INVALID, "certificate")
    return _token(keeper, found[0], "certificate", found[0].certificate, origin)


def is_token_address(settings: Settings, address: str) -> bool:
    """Say whether an audience is our token endpoint, as ``[console] url`` or its port writes it."""
    console = settings.console
    if console.url:
        return address == console.url.rstrip("/") + TOKEN_PATH
    try:
        parts, port = urlsplit(address), urlsplit(address).port
    except ValueError:
        return False
    scheme = "https" if console.certificate else "http"
    plain = re.fullmatch(r"[a-z]+://[^/?#@]+" + re.escape(TOKEN_PATH), address) is not None
    known = parts.hostname in {console.host, "localhost", "127.0.0.1", "::1"}
    return plain and parts.scheme == scheme and known and (console.port in {0, port})


def _signed(keeper: Keeper, text: str, origin: str) -> tuple[Service, dict[str, Any]]:
    """Find the service that signed (steps 1 and 2)."""
    try:
        header, claims = jose.header_of(text, ASSERTION_LENGTH_MAX), jose.unproven(text)
    except jose.Unreadable:
        _refuse(keeper, origin, "", Reason.ASSERTION_INVALID, "assertion")
    name = claims.get("iss")
    service = (
        persons.service_of(keeper, name) if isinstance(name, str) and name == claims.get("sub") else None
    )
    key = _key(service) if service is not None else None
    if service is None or key is None:
        _refuse(keeper, origin, "", Reason.ASSERTION_INVALID, "assertion")
    if header.algorithm != jose.algorithm_of(key):
        _refuse(keeper, origin, service.id, Reason.ASSERTION_ALGORITHM, "assertion")
    try:
        return service, jose.verified(text, key, header.algorithm)
    except jose.Unreadable:
        _refuse(keeper, origin, service.id, Reason.ASSERTION_INVALID, "assertion")


def _key(service: Service) -> dict[str, Any] | None:
    try:
        key = orjson.loads(service.jwk)
    except orjson.JSONDecodeError:
        return None
    return key if isinstance(key, dict) and jose.algorithm_of(key) else None


def _first_use(keeper: Keeper, service: str, name: str, until_us: int) -> bool:
    store, id_ = keeper.store, hashlib.sha256(f"{service}\0{name}".encode()).hexdigest()
    with store.transaction():
        store.rows("DELETE FROM assertion WHERE until_us < ?", keeper.now_us())
        if store.one("SELECT 1 FROM assertion WHERE id = ?", id_) is not None:
            return False
        store.rows("INSERT INTO assertion VALUES (?, ?)", id_, until_us)
    return True


def _token(keeper: Keeper, service: Service, by: str, key: str, origin: str) -> dict[str, Any]:
    visitor = Visitor(name=service.name, by=by, person_id=service.id, kind="service", key=key, origin=origin)
    token, session = visiting.begin(keeper, visitor, whole_s=TOKEN_S_MAX)
    return {"left_s": int(keeper.sessions.left_s(session)), "token": token}


def _refuse(keeper: Keeper, origin: str, service: str, reason: Reason, where: str) -> NoReturn:
    keeper.entrance.refused(origin, "service", service, reason.code)
    raise KeeperError(where, "was not accepted", reason=reason)
