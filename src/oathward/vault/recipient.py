"""What a recipient with a key of its own needs: make the key, take an envelope out of what carried it, open it.

Rules:
- A private key file has mode 0600 and holds the key as base64 text; raw 32 bytes and PEM (PKCS#8) are read too.
- An envelope comes as it is (files), as base64, in ``ZOW-2`` of an HL7 v2 message (MLLP), or as a FHIR ``Binary``.

Deliberately absent: anything of a site; this works with a key file and the envelope alone.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

import orjson
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from oathward.core.errors import InputError, VaultError
from oathward.core.reasons import Reason
from oathward.vault.envelope import Opened, is_envelope, open_envelope
from oathward.vault.primitives import KEY_BYTES
from oathward.vault.sign import read_private, write_file


def new_key(path: Path) -> str:
    """Make a key pair: the private key into a file, the public key as the bundle wants it (base64).

    Raises:
        InputError: ``CONFLICT``; the file exists, and a key is never written over.
    """
    if path.exists():
        raise InputError(path.name, "exists; a key is never written over", reason=Reason.CONFLICT)
    key = X25519PrivateKey.generate()
    write_file(path, base64.b64encode(key.private_bytes_raw()) + b"\n", 0o600)
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def load_key(path: Path) -> bytes:
    """Read a private key file; gives the raw key.

    Raises:
        InputError: absent, open to others, or not an X25519 key.
    """
    try:
        raw = read_private(path)
    except VaultError as error:
        raise InputError(path.name, error.why) from error
    if len(raw) == KEY_BYTES:
        return raw
    if raw.lstrip().startswith(b"-----BEGIN"):
        try:
            key = load_pem_private_key(raw, None)
        except (ValueError, TypeError) as error:
            raise InputError(path.name, "is no readable PEM key without password") from error
        if isinstance(key, X25519PrivateKey):
            return key.private_bytes_raw()
    found = _base64(raw.strip())
    if found is None or len(found) != KEY_BYTES:
        raise InputError(path.name, "is not an X25519 private key")
    return found


def unseal(private_key: bytes, carried: bytes) -> Opened:
    """Open an envelope in whichever form it came.

    Raises:
        InputError: it is to another key.
        VaultError: ``SEAL_BROKEN``; it is no envelope, or was changed.
    """
    try:
        return open_envelope(private_key, _envelope(carried))
    except VaultError as error:
        if error.reason is Reason.KEY_UNAVAILABLE:
            raise InputError("key file", "is not the key it was sealed to") from error
        raise


def _envelope(carried: bytes) -> bytes:
    if is_envelope(carried):
        return carried
    if carried.startswith(b"MSH"):
        for segment in carried.replace(b"\n", b"\r").split(b"\r"):
            fields = segment.split(b"|")
            if fields[0] == b"ZOW" and len(fields) > 2:
                return _base64(fields[2]) or b""
        return b""
    if carried.lstrip().startswith(b"{"):
        return _of_binary(carried)
    return _base64(carried.strip()) or carried


def _of_binary(carried: bytes) -> bytes:
    try:
        binary = orjson.loads(carried)
    except orjson.JSONDecodeError:
        return b""
    data = binary.get("data")
    return (_base64(data.encode()) if isinstance(data, str) else None) or b""


def _base64(text: bytes) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
