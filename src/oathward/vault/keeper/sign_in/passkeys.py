"""Passkeys: what a browser is asked, and whether what it sent is right for this site.

Rules:
- They are made for the host of ``[console] url``, or for ``localhost`` where there is none, and checked against that host
  and its one origin: a page of another name gets nothing that counts here.
- User verification is always asked for and checked: a passkey is two factors, the thing and a finger or PIN.
- They are discoverable: somebody may sign in with one and type no name. No attestation is asked for, none is believed.
- A sign count that does not grow was copied: refused.
- What is foreign is bounded before it is read, and every way in which it can be wrong is one refusal with a code.

Deliberately absent: where challenges are kept (``entrance``), whose a passkey is (``accounts``).

Source: W3C Web Authentication Level 2 §7.1, §7.2, §6.1.1; ``webauthn`` does the parsing and the signatures.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import webauthn
from cryptography.exceptions import UnsupportedAlgorithm
from webauthn.helpers import (
    parse_attestation_object,
    parse_authentication_credential_json,
    parse_client_data_json,
    parse_registration_credential_json,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AttestationFormat,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason
from oathward.core.settings import Settings

CREDENTIAL_CHARS_MAX = 16_384
CREDENTIAL_ID_BYTES_MAX = 1_023
TIMEOUT_MS = 300_000
ALGORITHMS = [
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]
_FORMATS = frozenset({AttestationFormat.NONE, AttestationFormat.PACKED})
_WRONG = (
    *(WebAuthnException, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError),
    *(struct.error, UnsupportedAlgorithm, RecursionError),
)
"""All that reading foreign bytes may raise in the library below."""


class Wrong(Exception):  # noqa: N818  it is what a passkey is, and never leaves the keeper
    """What was sent does not fit; ``why`` is a code for the record."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class Place:
    """Where passkeys of this site are good. ``origin`` has no port where any will do (a free one was asked for)."""

    host: str
    origin: str
    any_port: bool = False

    def is_ours(self, origin: str) -> bool:
        """Say whether a page of this origin is ours."""
        if self.any_port:
            return re.fullmatch(re.escape(self.origin) + r"(:\d{1,5})?", origin) is not None
        return origin == self.origin


@dataclass(frozen=True, slots=True)
class Made:
    """A passkey that was just enrolled. ``secret``: its credential id and public key, as a factor keeps them (``parts_of``)."""

    ref: str
    secret: bytes
    count: int


def place_of(settings: Settings) -> Place | None:
    """Say where passkeys are good; nowhere for a console that is reached by a number alone."""
    console = settings.console
    if not console.url:
        scheme = "https" if console.certificate else "http"
        if console.port == 0:
            return Place("localhost", f"{scheme}://localhost", any_port=True)
        return Place("localhost", f"{scheme}://localhost:{console.port}")
    return place_under(console.url)


def place_under(url: str) -> Place | None:
    """Say where passkeys are good that are asked for under an address; nowhere for one of numbers."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return Place(host, f"{parts.scheme}://{parts.netloc.lower()}") if host else None
    return None


def options_to_enrol(
    place: Place, site: str, challenge: bytes, handle: bytes, login: str, name: str, held: Sequence[bytes]
) -> dict[str, Any]:
    """Give what the browser's ``navigator.credentials.create`` is asked, as JSON.

    Args:
        held: what is kept of the passkeys the person has already; none is made twice on one authenticator.
    """
    options = webauthn.generate_registration_options(
        rp_id=place.host,
        rp_name=f"Oathward {site}",
        user_id=handle,
        user_name=login,
        user_display_name=name,
        challenge=challenge,
        timeout=TIMEOUT_MS,
        attestation=AttestationConveyancePreference.NONE,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=parts_of(one)[0]) for one in held],
        supported_pub_key_algs=ALGORITHMS,
    )
    return _plain(options)


def options_to_show(place: Place, challenge: bytes, held: Sequence[bytes]) -> dict[str, Any]:
    """Give what ``navigator.credentials.get`` is asked, as JSON; ``held`` as in ``options_to_enrol``; empty: any passkey of this site."""
    options = webauthn.generate_authentication_options(
        rp_id=place.host,
        challenge=challenge,
        timeout=TIMEOUT_MS,
        allow_credentials=[PublicKeyCredentialDescriptor(id=parts_of(one)[0]) for one in held],
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return _plain(options)


def enrolled(place: Place, challenge: bytes, credential: str) -> Made:
    """Check what a browser made.

    Raises:
        Wrong: with a code.
    """
    _bounded(credential)
    try:
        read = parse_registration_credential_json(credential)
        _check_origin(place, read.response.client_data_json)
        attested = parse_attestation_object(read.response.attestation_object)
        if attested.fmt not in _FORMATS or attested.att_stmt.x5c:
            raise Wrong("passkey.attestation")
        found = webauthn.verify_registration_response(
            credential=read,
            expected_challenge=challenge,
            expected_rp_id=place.host,
            expected_origin=_origin(read.response.client_data_json),
            require_user_verification=True,
            supported_pub_key_algs=ALGORITHMS,
        )
    except _WRONG as error:
        raise Wrong("passkey.not-accepted") from error
    if not 1 <= len(found.credential_id) <= CREDENTIAL_ID_BYTES_MAX:
        raise Wrong("passkey.not-accepted")
    secret = len(found.credential_id).to_bytes(2) + found.credential_id + found.credential_public_key
    return Made(ref_of(found.credential_id), secret, found.sign_count)


def parts_of(secret: bytes) -> tuple[bytes, bytes]:
    """Split what is kept of a passkey: credential id, public key."""
    end = 2 + int.from_bytes(secret[:2])
    return secret[2:end], secret[end:]


def shown(credential: str) -> tuple[str, bytes | None]:
    """Read which passkey a browser shows, and whose it says it is; nothing is checked yet.

    Raises:
        Wrong: with a code.
    """
    _bounded(credential)
    try:
        read = parse_authentication_credential_json(credential)
    except _WRONG as error:
        raise Wrong("passkey.malformed") from error
    return ref_of(read.raw_id), read.response.user_handle


def verified(place: Place, challenge: bytes, credential: str, public: bytes, count: int) -> int:
    """Check what a browser shows against the passkey's key; gives the new sign count.

    Raises:
        Wrong: with a code.
    """
    try:
        read = parse_authentication_credential_json(credential)
        _check_origin(place, read.response.client_data_json)
        if parse_client_data_json(read.response.client_data_json).challenge != challenge:
            raise Wrong("passkey.challenge")
        found = webauthn.verify_authentication_response(
            credential=read,
            expected_challenge=challenge,
            expected_rp_id=place.host,
            expected_origin=_origin(read.response.client_data_json),
            credential_public_key=public,
            credential_current_sign_count=0,  # ours is told apart below
            require_user_verification=True,
        )
    except _WRONG as error:
        raise Wrong("passkey.not-accepted") from error
    if (found.new_sign_count or count) and found.new_sign_count <= count:
        raise Wrong("passkey.counter")
    return found.new_sign_count


def ref_of(credential_id: bytes) -> str:
    """Name a passkey by its credential id."""
    return hashlib.sha256(credential_id).hexdigest()


def refused(why: str = "does not fit this site") -> KeeperError:
    """Make the refusal of a passkey that is being enrolled."""
    return KeeperError("passkey", why, reason=Reason.PASSKEY_REFUSED)


def _check_origin(place: Place, client_data: bytes) -> None:
    if not place.is_ours(_origin(client_data)):
        raise Wrong("passkey.origin")


def _origin(client_data: bytes) -> str:
    return parse_client_data_json(client_data).origin


def _bounded(credential: str) -> None:
    if not 1 <= len(credential) <= CREDENTIAL_CHARS_MAX or not credential.isascii():
        raise Wrong("passkey.malformed")


def _plain(options: Any) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(webauthn.options_to_json(options))
    return plain
