"""Signed notes: text, a blank line, signature lines that strangers' tools read.

Rules:
- Signing and checking go through objects with a name, a public key and one call each; nothing here does cryptography.
- A signature of a key we know must be right, or the whole note is refused; unknown keys are ignored.
- A note without one right signature of a key we know is refused.
- Sizes are bounded before anything is decoded.

Deliberately absent: every algorithm but Ed25519 (type 0x01) and its cosignature (type 0x04).

Source: C2SP signed-note v1.0.0 (form, key id, verifier keys); C2SP tlog-cosignature (cosignature/v1).
"""

from __future__ import annotations

import base64
import binascii
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from oathward.core.errors import AuthorityError

ED25519 = 0x01
COSIGNATURE = 0x04

NOTE_BYTES_MAX = 65_536
SIGNATURES_MAX = 64
KEY_BYTES = 32
KEY_ID_BYTES = 4
SIGNATURE_BYTES = 64
_DASH = "— "
_TIME_BYTES = 8
_TIME_S_MAX = 2**63 - 1


class Verifier(Protocol):
    """A named public key that can check (``vault.sign.Verifier`` is one)."""

    @property
    def name(self) -> str: ...  # noqa: D102  said by the class

    @property
    def public(self) -> bytes: ...  # noqa: D102  said by the class

    def verify(self, signature: bytes, data: bytes) -> None:
        """Raise ``AuthorityError`` unless the signature is right."""


class Signer(Protocol):
    """A named key that can sign (``vault.sign.Signer`` is one)."""

    @property
    def name(self) -> str: ...  # noqa: D102  said by the class

    @property
    def public(self) -> bytes: ...  # noqa: D102  said by the class

    def sign(self, data: bytes) -> bytes:
        """Give the 64 bytes of an Ed25519 signature."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: ``raw`` is what stands after the four bytes of the key id."""

    name: str
    key_id: bytes
    raw: bytes

    @property
    def line(self) -> str:
        """The line as it stands in a note."""
        return f"{_DASH}{self.name} {base64.b64encode(self.key_id + self.raw).decode()}\n"


def key_id(name: str, public: bytes, kind: int = ED25519) -> bytes:
    """Give the four bytes by which a note names a key."""
    return sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:KEY_ID_BYTES]


def check_name(name: str, where: str) -> None:
    """Refuse a key name or origin that cannot stand in a note.

    Raises:
        AuthorityError: empty, or with a space, a control character or a plus sign.
    """
    if not name or "+" in name or any(c.isspace() or unicodedata.category(c) in {"Cc", "Zs"} for c in name):
        raise AuthorityError(where, "must be one word without a plus sign")


def encode_key(key: Verifier, kind: int = ED25519) -> str:
    """Write a public key as one line, a C2SP verifier key."""
    check_name(key.name, "key name")
    packed = base64.b64encode(bytes([kind]) + key.public).decode()
    return f"{key.name}+{key_id(key.name, key.public, kind).hex()}+{packed}"


def decode_key(text: str, where: str = "verifier key") -> tuple[str, int, bytes]:
    """Read a verifier key: name, kind (``ED25519`` or ``COSIGNATURE``), 32 bytes.

    Raises:
        AuthorityError: another form or algorithm, or the key id is not this key's.
    """
    name, _, rest = text.strip().partition("+")
    hashed, _, packed = rest.partition("+")
    raw = decode64(packed)
    if raw is None:
        raise AuthorityError(where, "is not a verifier key")
    check_name(name, where)
    if len(raw) != 1 + KEY_BYTES or raw[0] not in (ED25519, COSIGNATURE):
        raise AuthorityError(where, "is not an Ed25519 key")
    if key_id(name, raw[1:], raw[0]).hex() != hashed:
        raise AuthorityError(where, "does not match its own key id")
    return name, raw[0], raw[1:]


def decode64(text: str) -> bytes | None:
    """Read base64 in its one canonical writing; None for anything else."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if base64.b64encode(raw).decode() == text else None


def sign(text: str, signer: Signer) -> str:
    """Make a note of ``text`` (which ends in a newline) with one signature.

    Raises:
        AuthorityError: the text or the signer's name cannot stand in a note.
    """
    _check_text(text)
    check_name(signer.name, "key name")
    raw = signer.sign(text.encode())
    return f"{text}\n{Signature(signer.name, key_id(signer.name, signer.public), raw).line}"


def split(note: str, where: str = "note") -> tuple[str, list[Signature]]:
    """Cut a note into its text and its signature lines.

    Raises:
        AuthorityError: not a note.
    """
    if len(note.encode("utf-8", "replace")) > NOTE_BYTES_MAX:
        raise AuthorityError(where, f"is over {NOTE_BYTES_MAX} bytes")
    at = note.rfind("\n\n")
    if at < 0 or not note.endswith("\n"):
        raise AuthorityError(where, "is not a signed note")
    text, lines = note[: at + 1], note[at + 2 :].split("\n")[:-1]
    _check_text(text, where)
    if not 1 <= len(lines) <= SIGNATURES_MAX:
        raise AuthorityError(where, f"must have 1 to {SIGNATURES_MAX} signatures")
    return text, [_signature(line, where) for line in lines]


def check(note: str, keys: Iterable[Verifier], where: str = "note") -> str:
    """Give the text of a note that at least one of these keys signed.

    Raises:
        AuthorityError: no signature of these keys, or a wrong one.
    """
    text, signatures = split(note, where)
    good = 0
    for key in keys:
        identity = (key.name, key_id(key.name, key.public))
        for signature in signatures:
            if (signature.name, signature.key_id) == identity:
                key.verify(signature.raw, text.encode())
                good += 1
    if not good:
        raise AuthorityError(where, "has no signature of a known key")
    return text


def cosign(text: str, signer: Signer, at_s: int) -> str:
    """Make a cosignature/v1 line: at this time, this is the largest consistent tree the signer saw.

    Args:
        text: of the checkpoint, without signatures.
        at_s: seconds since 1970 UTC.
    """
    check_name(signer.name, "key name")
    raw = at_s.to_bytes(_TIME_BYTES, "big") + signer.sign(_cosigned(text, at_s))
    return Signature(signer.name, key_id(signer.name, signer.public, COSIGNATURE), raw).line


def check_cosignature(
    text: str, signatures: Sequence[Signature], key: Verifier, where: str = "cosignature"
) -> int:
    """Give the time (seconds since 1970) of the latest cosignature of ``key`` over ``text``.

    Raises:
        AuthorityError: none of this key, or a wrong one.
    """
    identity = (key.name, key_id(key.name, key.public, COSIGNATURE))
    times = []
    for signature in signatures:
        if (signature.name, signature.key_id) != identity:
            continue
        at_s = int.from_bytes(signature.raw[:_TIME_BYTES], "big")
        if len(signature.raw) != _TIME_BYTES + SIGNATURE_BYTES or not 0 < at_s <= _TIME_S_MAX:
            raise AuthorityError(where, "has another form")
        key.verify(signature.raw[_TIME_BYTES:], _cosigned(text, at_s))
        times.append(at_s)
    if not times:
        raise AuthorityError(where, "is not there")
    return max(times)


def parse_lines(lines: str, where: str = "signature") -> list[Signature]:
    """Read signature lines that come alone, as a witness sends them.

    Raises:
        AuthorityError: not signature lines.
    """
    if not lines.endswith("\n") or len(lines) > NOTE_BYTES_MAX or lines.count("\n") > SIGNATURES_MAX:
        raise AuthorityError(where, "is not a signature line")
    return [_signature(line, where) for line in lines.split("\n")[:-1]]


def _cosigned(text: str, at_s: int) -> bytes:
    return f"cosignature/v1\ntime {at_s}\n{text}".encode()


def _signature(line: str, where: str) -> Signature:
    name, _, packed = line.removeprefix(_DASH).partition(" ")
    raw = decode64(packed)
    if not line.startswith(_DASH) or raw is None or len(raw) <= KEY_ID_BYTES:
        raise AuthorityError(where, "has a line that is not a signature")
    check_name(name, where)
    return Signature(name, raw[:KEY_ID_BYTES], raw[KEY_ID_BYTES:])


def _check_text(text: str, where: str = "note") -> None:
    if not text.endswith("\n") or any(c < " " and c != "\n" for c in text):
        raise AuthorityError(where, "has a control character or does not end in a newline")
