"""Access tokens for devices that sign: SMART Backend Services, without a browser and without a shared secret.

Steps of ``check``, each with its reason:
1. the assertion is a compact JWS, signed with RS384 or ES384 and nothing else, whatever its header says;
2. ``iss`` and ``sub`` name one device of the inventory that is active, and one of its keys signed it;
3. ``aud`` is the address of this token endpoint; ``exp`` is not over, and not more than five minutes ahead;
4. ``jti`` was not used before: kept in the database, so that a restart forgets none.

Rules:
- The key is chosen by the device and its ``kid``, the algorithm by the key: never by the header alone. Nothing that a
  header points at (``jku``, ``x5u``, ``jwk``) is looked at.
- An access token is random, lives in memory for minutes, and stands for one key of one device: it ends with the
  device's right to speak, with the key's, and with the process.
- Who is unknown, and who signed wrongly, hear the same.

Deliberately absent: refresh tokens, introspection, tokens of other servers.

Source: SMART App Launch 2.2 "Backend Services" and "Asymmetric authentication"; RFC 7523; RFC 7515; RFC 8725.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from oathward.core.errors import OathwardError
from oathward.core.reasons import Reason
from oathward.inventory.keys import ALGORITHMS, parse_key, thumbprint
from oathward.inventory.model import Device, Status

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME_S_MAX = 300
_SKEW_S = 10
_ASSERTION_CHARS_MAX = 8_192
_JTI_CHARS_MAX = 200
_TOKENS_MAX = 100_000
_KEYS_TRIED_MAX = 5
_SCOPE = re.compile(r"system/(\*|[A-Z][A-Za-z]{2,63})\.(cu?|u)")
_WRITE = re.compile(r"system/(\*|[A-Z][A-Za-z]{2,63})\.write")
_KINDS: dict[object, Callable[[Any], ECKey | RSAKey]] = {
    "ES384": ECKey.import_key,
    "RS384": RSAKey.import_key,
}


class Assertion(NamedTuple):
    """A signed request for a token, checked but for its being used before."""

    device: str
    key: str
    digest: bytes
    expires_s: float


@dataclass(frozen=True, slots=True)
class Grant:
    """What one access token stands for.

    Args:
        scopes: (resource type or ``*``, ``c`` or ``u``).
        until_s: on the monotonic clock.
    """

    device: str
    key: str
    scopes: frozenset[tuple[str, str]]
    until_s: float

    def allows(self, kind: str, letters: str) -> bool:
        """Say whether it covers creating (``c``) or updating (``u``) resources of a type; ``*`` is any."""
        return all({(kind, one), ("*", one)} & self.scopes for one in letters)


def form_of(body: bytes) -> dict[str, str]:
    """Read a token request.

    Raises:
        OathwardError: it is no form, or says something twice.
    """
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=20
        )
    except ValueError as error:
        raise OathwardError("body", reason=Reason.TOKEN_REQUEST) from error
    form = dict(pairs)
    if len(form) != len(pairs) or form.get("grant_type") != "client_credentials":
        raise OathwardError("grant_type", reason=Reason.TOKEN_REQUEST)
    if form.get("client_assertion_type") != ASSERTION_TYPE or not form.get("client_assertion"):
        raise OathwardError("client_assertion", reason=Reason.TOKEN_REQUEST)
    return form


def scopes_of(text: str) -> frozenset[tuple[str, str]]:
    """Read the scopes asked for; those that are none of ours are not given.

    Raises:
        OathwardError: none is left.
    """
    found = set[tuple[str, str]]()
    for word in text.split():
        if new := _SCOPE.fullmatch(word):
            found |= {(new[1], letter) for letter in new[2]}
        elif old := _WRITE.fullmatch(word):
            found |= {(old[1], "c"), (old[1], "u")}
    if not found:
        raise OathwardError("scope", reason=Reason.TOKEN_SCOPE)
    return frozenset(found)


def scope_text(scopes: Iterable[tuple[str, str]]) -> str:
    """Write scopes as SMART does."""
    kinds: dict[str, str] = {}
    for kind, letter in sorted(scopes):
        kinds[kind] = kinds.get(kind, "") + letter
    return " ".join(f"system/{kind}.{letters}" for kind, letters in sorted(kinds.items()))


def check(
    assertion: str, device_of: Callable[[str], Device | None], audiences: frozenset[str], now_s: float
) -> Assertion:
    """Check a client assertion, all but its being used before.

    Raises:
        OathwardError: with the reason of the step that refuses it.
    """
    header, algorithm = _opened(assertion)
    claims = _verified(assertion, header, algorithm, device_of)
    _check_claims(claims.values, audiences, now_s)
    client, jti, expires = claims.device, claims.values["jti"], claims.values["exp"]
    digest = sha256(f"{client}\n{jti}".encode()).digest()
    return Assertion(client, claims.key, digest, float(expires))


class _Claims(NamedTuple):
    device: str
    key: str
    values: dict[str, Any]


def _opened(assertion: str) -> tuple[dict[str, Any], str]:
    """Read the header; gives it and its algorithm (step 1)."""
    invalid = OathwardError("client_assertion", reason=Reason.ASSERTION_INVALID)
    if len(assertion) > _ASSERTION_CHARS_MAX or not assertion.isascii():
        raise invalid
    try:
        header = jws.extract_compact(assertion.encode()).headers()
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise invalid from error
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in _KINDS:
        raise OathwardError("client_assertion", reason=Reason.ASSERTION_ALGORITHM)
    if "crit" in header or not isinstance(header.get("kid", ""), str):
        raise invalid
    return header, algorithm


def _verified(
    assertion: str, header: dict[str, Any], algorithm: str, device_of: Callable[[str], Device | None]
) -> _Claims:
    """Find the key that signed it (step 2)."""
    invalid = OathwardError("client_assertion", reason=Reason.ASSERTION_INVALID)
    try:
        unproven = orjson.loads(jws.extract_compact(assertion.encode()).payload)
        client = unproven["iss"]
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise invalid from error
    device = device_of(client) if isinstance(client, str) else None
    if device is None or device.status is not Status.ACTIVE or unproven.get("sub") != client:
        raise invalid
    kid = header.get("kid")
    keys = [parse_key(text) for text in sorted(device.keys)]
    fitting = [k for k in keys if ALGORITHMS[k["kty"]] == algorithm and kid in {k.get("kid", kid), None}]
    for key in fitting[:_KEYS_TRIED_MAX]:
        public = _KINDS[algorithm](key)
        try:
            payload = jws.deserialize_compact(assertion, public, algorithms=[algorithm]).payload
        except (JoseError, ValueError):
            continue
        return _Claims(client, thumbprint(key), orjson.loads(payload))
    raise invalid


def _check_claims(claims: dict[str, Any], audiences: frozenset[str], now_s: float) -> None:
    """See for whom, until when, and that it has a name (step 3)."""
    audience = claims.get("aud")
    if not any(
        one in audiences
        for one in (audience if isinstance(audience, list) else [audience])
        if isinstance(one, str)
    ):
        raise OathwardError("aud", reason=Reason.ASSERTION_AUDIENCE)
    expires = _seconds(claims.get("exp"))
    begins = max(_seconds(claims.get(name, now_s)) for name in ("nbf", "iat"))
    if not now_s < expires <= now_s + LIFETIME_S_MAX + _SKEW_S or begins > now_s + _SKEW_S:
        raise OathwardError("exp", reason=Reason.ASSERTION_EXPIRED)
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= _JTI_CHARS_MAX:
        raise OathwardError("jti", reason=Reason.ASSERTION_INVALID)


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise OathwardError("exp", reason=Reason.ASSERTION_EXPIRED)
    return float(value)


class Tokens:
    """The access tokens in force.

    Args:
        lifetime_s: how long each lives.
    """

    def __init__(self, lifetime_s: int) -> None:
        self.lifetime_s = lifetime_s
        self._grants: dict[bytes, Grant] = {}  # by the digest of the token; oldest first

    def give(self, assertion: Assertion, scopes: frozenset[tuple[str, str]]) -> str:
        """Make a token."""
        now_s = time.monotonic()
        while self._grants:
            oldest = next(iter(self._grants))
            if self._grants[oldest].until_s > now_s and len(self._grants) < _TOKENS_MAX:
                break
            del self._grants[oldest]
        token = secrets.token_urlsafe(32)
        grant = Grant(assertion.device, assertion.key, scopes, now_s + self.lifetime_s)
        self._grants[_digest(token)] = grant
        return token

    def grant(self, authorization: str) -> Grant:
        """Give what the token in an ``Authorization`` header stands for.

        Raises:
            OathwardError: it is no bearer token, or not in force.
        """
        kind, _, token = authorization.partition(" ")
        grant = self._grants.get(_digest(token.strip())) if kind.lower() == "bearer" else None
        if grant is None or time.monotonic() > grant.until_s:
            raise OathwardError("Authorization", reason=Reason.TOKEN_INVALID)
        return grant


def _digest(token: str) -> bytes:
    return sha256(token.encode("latin-1", "replace")).digest()
