"""Public keys of devices that prove themselves by signing (private-key JWT): their one form, and their names.

Rules:
- RSA of 2048 to 4096 bits for RS384, P-384 for ES384, and nothing else; a private or a symmetric key is refused.
- A key is kept as canonical JSON of its public members, so that the same key is always the same text. ``kid``, by
  which the device names it, is part of it.
- Its name here is the SHA-256 thumbprint of RFC 7638, in hexadecimal.

Deliberately absent: checking signatures (``gateway/listeners/fhir/tokens.py``), private keys.

Source: RFC 7517, RFC 7518 §6, RFC 7638; SMART App Launch 2.2, "Asymmetric authentication".
"""

from __future__ import annotations

import base64
import re
import ssl
from hashlib import sha256
from typing import Any

import orjson

from oathward.core.errors import InputError
from oathward.core.foreign import parsed
from oathward.core.reasons import Reason

FILE_BYTES_MAX = 256 << 10
KEY_LENGTH_MAX = 1_200
ALGORITHMS = {"EC": "ES384", "RSA": "RS384"}
"""Key type -> the one algorithm it may sign with."""

_PUBLIC = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n")}
_PRIVATE = frozenset(("d", "p", "q", "dp", "dq", "qi", "oth", "k"))
_KID = re.compile(r"[A-Za-z0-9._~:/+=-]{1,100}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_RSA_BITS = range(2_048, 4_097)
_P384_BYTES = 48
_EXPONENT = 65_537
_WANTED = "a public RSA (2048 to 4096 bits) or P-384 key as a JWK"


def read_apart(data: bytes) -> frozenset[str]:
    """Read as ``read``, in a process that can do nothing else. Raises as ``foreign.parsed``."""

    def check(found: frozenset[str]) -> None:
        for text in found:
            parse_key(text)

    return parsed(read, data, check=check)


def fingerprint_apart(data: bytes) -> str:
    """Read as ``fingerprint``, in a process that can do nothing else. Raises as ``foreign.parsed``."""

    def check(found: str) -> None:
        if not _SHA256.fullmatch(found):
            raise ValueError("fingerprint")

    return parsed(fingerprint, data, check=check)


def fingerprint(data: bytes) -> str:
    """Give the SHA-256 of a certificate in PEM or DER, in hexadecimal.

    Raises:
        InputError: it is none.
    """
    if len(data) > FILE_BYTES_MAX:
        raise InputError("file", f"at most {FILE_BYTES_MAX >> 10} KiB", reason=Reason.LIMIT_EXCEEDED)
    try:
        der = ssl.PEM_cert_to_DER_cert(data.decode("ascii")) if data.startswith(b"-----BEGIN") else data
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=der)
        return sha256(der).hexdigest()
    except (ValueError, ssl.SSLError) as error:
        raise InputError("file", "must be a certificate in PEM or DER") from error


def read(data: bytes) -> frozenset[str]:
    """Read the public keys in a file, a JWK, a JWK set or a PEM, each as ``canonical`` writes it.

    Raises:
        InputError: it is something else, or holds a private key.
    """
    from joserfc.errors import JoseError
    from joserfc.jwk import import_key

    if len(data) > FILE_BYTES_MAX:
        raise InputError("file", f"at most {FILE_BYTES_MAX >> 10} KiB", reason=Reason.LIMIT_EXCEEDED)
    try:
        told = _of_pem(data) if data.lstrip().startswith(b"-----BEGIN") else orjson.loads(data)
        found = told["keys"] if isinstance(told, dict) and "keys" in told else [told]
        texts = frozenset(canonical(one) for one in found)
        for one in found:  # a point that is not on its curve is no key
            import_key(one)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise InputError("file", "must be a public key as JWK, JWK set or PEM") from error
    if not texts:
        raise InputError("file", "holds no key")
    return texts


def _of_pem(data: bytes) -> dict[str, Any]:
    from joserfc.errors import InvalidKeyTypeError
    from joserfc.jwk import ECKey, RSAKey

    if b"PRIVATE" in data:
        raise ValueError("a private key")
    try:
        return dict(ECKey.import_key(data).as_dict())
    except InvalidKeyTypeError:
        return dict(RSAKey.import_key(data).as_dict())


def canonical(jwk: object) -> str:
    """Write the public members of a JWK, and its ``kid``, in one way.

    Raises:
        InputError: it is no key of those we take, or holds a private part.
    """
    if not isinstance(jwk, dict) or _PRIVATE & jwk.keys():
        raise InputError("keys", f"{_WANTED}, without its private part")
    kind = str(jwk.get("kty"))
    names = _PUBLIC.get(kind, ())
    wrong_use = jwk.get("use", "sig") != "sig" or jwk.get("alg", ALGORITHMS.get(kind)) != ALGORITHMS.get(kind)
    if not names or wrong_use or not all(isinstance(jwk.get(name), str) for name in names):
        raise InputError("keys", _WANTED)
    _check_strength(jwk)
    key = {name: jwk[name] for name in names}
    kid = jwk.get("kid")
    if kid is not None:
        if not isinstance(kid, str) or not _KID.fullmatch(kid):
            raise InputError("keys", "a `kid` of at most 100 letters, digits and dashes")
        key["kid"] = kid
    return orjson.dumps(key, option=orjson.OPT_SORT_KEYS).decode()


def parse_key(text: str) -> dict[str, Any]:
    """Read what ``canonical`` wrote.

    Raises:
        InputError: it is something else.
    """
    try:
        key = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InputError("keys", _WANTED) from error
    if canonical(key) != text:
        raise InputError("keys", f"{_WANTED}, as `oathward device show --json` writes it")
    assert isinstance(key, dict)
    return key


def thumbprint(key: dict[str, Any]) -> str:
    """Name a key: 64 hexadecimal digits."""
    public = {name: key[name] for name in _PUBLIC[key["kty"]]}
    return sha256(orjson.dumps(public, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _check_strength(jwk: dict[str, Any]) -> None:
    if jwk["kty"] == "EC":
        if jwk["crv"] != "P-384" or any(len(_bytes(jwk[c])) != _P384_BYTES for c in ("x", "y")):
            raise InputError("keys", _WANTED)
        return
    bits = int.from_bytes(_bytes(jwk["n"]), "big").bit_length()
    if bits not in _RSA_BITS or int.from_bytes(_bytes(jwk["e"]), "big") != _EXPONENT:
        raise InputError("keys", f"{_WANTED}, with the exponent 65537")


def _bytes(text: str) -> bytes:
    """Read base64url without padding.

    Raises:
        InputError: it is something else.
    """
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as error:
        raise InputError("keys", _WANTED) from error
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != text:
        raise InputError("keys", _WANTED)
    return raw
