"""Compact signed tokens (JWS): which key may have signed one, and whether it did.

Rules:
- The algorithm is one of a short list that the caller names; the key must be of its kind, size and curve. What a header
  says chooses among those and can never add one: no ``none``, no symmetric key, no key that the token brings along.
- Nothing a header points at (``jku``, ``x5u``, ``jwk``) is looked at; a header that says something is critical is refused.
- A key that says what it is for (``use``, ``key_ops``, ``alg``) is used for nothing else.

Deliberately absent: what claims mean (``provider``, ``services``), encryption, private keys.

Source: RFC 7515; RFC 7518 §3; RFC 8037; RFC 9864; RFC 8725 §3.1, §3.2, §3.10; ``joserfc`` does the signatures.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

KEYS_BYTES_MAX = 262_144
KEYS_MAX = 100
KEYS_TRIED_MAX = 5
_RSA_BITS = range(2_048, 8_193)
_KINDS: Mapping[str, tuple[str, str, Any]] = {
    "RS256": ("RSA", "", RSAKey),
    "RS384": ("RSA", "", RSAKey),
    "PS256": ("RSA", "", RSAKey),
    "PS384": ("RSA", "", RSAKey),
    "ES256": ("EC", "P-256", ECKey),
    "ES384": ("EC", "P-384", ECKey),
    "EdDSA": ("OKP", "Ed25519", OKPKey),
    "Ed25519": ("OKP", "Ed25519", OKPKey),  # its name since RFC 9864
}
_PUBLIC = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x")}
_WRONG = (JoseError, ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error)
"""All that reading a foreign token or key may raise in the library below."""


class _Registry(jws.JWSRegistry):
    """What the library may use: one algorithm; ``EdDSA`` on Ed25519 alone."""

    def get_alg(self, name: str) -> Any:
        """Give the algorithm of a name."""
        return super().get_alg("Ed25519" if name == "EdDSA" else name)


class Unreadable(Exception):  # noqa: N818  it is what a token is, and never leaves the keeper
    """Not such a token, or not signed by the key."""


@dataclass(frozen=True, slots=True)
class Header:
    """What of a header is looked at. ``key``: its ``kid``; empty for none."""

    algorithm: str
    key: str


def header_of(token: str, length_max: int) -> Header:
    """Read a token's header.

    Raises:
        Unreadable: it is no compact signed token, or asks for something critical.
    """
    if not 1 <= len(token) <= length_max or not token.isascii():
        raise Unreadable
    try:
        header = jws.extract_compact(token.encode()).headers()
    except _WRONG as error:
        raise Unreadable from error
    algorithm, key = header.get("alg"), header.get("kid", "")
    if "crit" in header or "b64" in header or not isinstance(algorithm, str) or not isinstance(key, str):
        raise Unreadable
    return Header(algorithm, key)


def unproven(token: str) -> dict[str, Any]:
    """Read a token's claims before anybody knows who signed it: to find out whose key to try.

    Raises:
        Unreadable: they are no object.
    """
    try:
        claims = orjson.loads(jws.extract_compact(token.encode()).payload)
    except _WRONG as error:
        raise Unreadable from error
    if not isinstance(claims, dict):
        raise Unreadable
    return claims


def keys_of(text: str | bytes) -> list[dict[str, Any]]:
    """Read a key set; what is no object in it is left out.

    Raises:
        Unreadable: it is no key set, or too large.
    """
    if len(text) > KEYS_BYTES_MAX:
        raise Unreadable
    try:
        keys = orjson.loads(text)["keys"]
    except _WRONG as error:
        raise Unreadable from error
    if not isinstance(keys, list) or len(keys) > KEYS_MAX:
        raise Unreadable
    return [key for key in keys if isinstance(key, dict)]


def fitting(keys: Sequence[Mapping[str, Any]], header: Header) -> list[Mapping[str, Any]]:
    """Give the keys that may have signed a token: by its ``kid``; without one only where a single key fits."""
    fit = [key for key in keys if fits(key, header.algorithm)]
    if header.key:
        return [key for key in fit if key.get("kid") == header.key][:KEYS_TRIED_MAX]
    return fit if len(fit) == 1 else []


def fits(key: Mapping[str, Any], algorithm: str) -> bool:
    """Say whether a key may sign with an algorithm."""
    kind, curve, _ = _KINDS.get(algorithm, ("", "", None))
    if not kind or key.get("kty") != kind or (curve and key.get("crv") != curve):
        return False
    if key.get("use", "sig") != "sig" or key.get("alg", algorithm) != algorithm:
        return False
    operations = key.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        return False
    if not all(isinstance(key.get(name), str) for name in _PUBLIC[kind]):
        return False
    return kind != "RSA" or _bits(key["n"]) in _RSA_BITS


def algorithm_of(key: Mapping[str, Any]) -> str:
    """Give the one algorithm a registered key signs with; empty where it is none of ours.

    By its curve; an RSA key by its ``alg``, PS256 where it has none.
    """
    named = key.get("alg", "PS256") if key.get("kty") == "RSA" else ""
    by_kind = [
        name for name in _KINDS if fits(key, name) and (not named or name == named)
    ]  # EdDSA before its new name
    return by_kind[0] if by_kind else ""


def thumbprint(key: Mapping[str, Any]) -> str:
    """Name a public key (RFC 7638), in hexadecimal."""
    public = {name: key[name] for name in _PUBLIC[key["kty"]]}
    return hashlib.sha256(orjson.dumps(public, option=orjson.OPT_SORT_KEYS)).hexdigest()


def verified(token: str, key: Mapping[str, Any], algorithm: str) -> dict[str, Any]:
    """Check the signature; gives the claims.

    Raises:
        Unreadable: this key did not sign it so.
    """
    kind, _, form = _KINDS[algorithm]
    try:
        public = form.import_key({name: key[name] for name in _PUBLIC[kind]})
        one = _Registry(
            algorithms=[algorithm, "Ed25519"] if kind == "OKP" else [algorithm], strict_check_header=False
        )
        claims = orjson.loads(jws.deserialize_compact(token, public, registry=one).payload)
    except _WRONG as error:
        raise Unreadable from error
    if not isinstance(claims, dict):
        raise Unreadable
    return claims


def seconds(claims: Mapping[str, Any], name: str) -> float | None:
    """Read a time of a claim; nothing where it is none."""
    value = claims.get(name)
    return None if isinstance(value, bool) or not isinstance(value, int | float) else float(value)


def audiences(claims: Mapping[str, Any]) -> list[str]:
    """Read for whom a token is."""
    value = claims.get("aud")
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]


def _bits(number: str) -> int:
    try:
        return int.from_bytes(base64.urlsafe_b64decode(number + "=" * (-len(number) % 4))).bit_length()
    except (binascii.Error, ValueError):
        return 0
