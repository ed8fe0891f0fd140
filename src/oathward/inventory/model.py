"""A device as the inventory knows it, and how sure we are that it is speaking.

Rules:
- A device is a document that the keeper signed: what identifies it and what it may do is believed only with
  its signature. ``canonical`` gives the bytes that are signed.
- Sets are sets: their order never changes the document.
- A device that is not ``active`` is nobody to the data path.

Deliberately absent: software, vulnerabilities, network facts (later issues); passwords of any kind.

Source: 21 CFR 830 and IMDRF UDI (UDI, serial); HL7 v2.8.2 §2.14.9 (MSH-3, MSH-4), §7.4.2.18 (OBX-18).
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from oathward.core.errors import InputError
from oathward.core.labels import Assurance
from oathward.core.reasons import Reason
from oathward.inventory.keys import KEY_LENGTH_MAX, parse_key

KIND = "device"
"""Kind of the signed document."""

ANY = "*"
TEXT_LENGTH_MAX = 200
SET_SIZE_MAX = 5_000

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_TYPE = re.compile(r"\*|[A-Z0-9]{3}\^(\*|[A-Z0-9]{3})|FHIR\^(\*|[A-Z][A-Za-z]{2,63})")


class Status(StrEnum):
    """What a device may do now."""

    ACTIVE = "active"
    HELD = "held"  # known, and its messages wait
    REVOKED = "revoked"  # cut off at once
    RETIRED = "retired"  # no longer there


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of a connection, as far as the transport proves it.

    ``cert_sha256``: of the client certificate in DER, 32 bytes; ``None`` without one. ``cert_names``: its
    subject alternative names, ``DNS:pump-1``. The listener has checked the chain. ``key``: thumbprint of the
    registered key that signed for this connection's access token, hex; empty without one.
    """

    address: str
    cert_sha256: bytes | None = None
    cert_names: tuple[str, ...] = ()
    key: str = ""


@dataclass(frozen=True, slots=True)
class Device:
    """One device, gateway or application that sends.

    Args:
        id: stands in records, links and facts; says nothing about a patient.
        kind: ``pump``, ``monitor``, ``gateway``, ``adt`` …; ``tags`` group devices for links.
        certificates: SHA-256 of its certificates, hex; ``certificate_names``: names in certificates of our CA.
        keys: public keys it signs requests for access tokens with, each as ``keys.canonical`` writes it.
        senders: MSH-3 and MSH-4 it may use, ``application|facility``; one part alone is ``application``, with
            any facility. Empty: any, which only a certificate or a pinned address makes safe.
        addresses: IP addresses or networks it is pinned to; identifies with less assurance.
        equipment: how messages name it in OBX-18 (EUI-64, UDI, serial).
        message_types: what it is entitled to send, ``ORU^R01``, ``ADT^*``, ``*``; empty: nothing.
        vouches_for: devices it may speak for: ids, ``kind:pump``, ``tag:icu``.
        default_authority: assigning authority of patient identifiers that name none; empty: they identify
            within this device only. ``default_identifier_type``: HL7 table 0203, likewise.
        authoritative_adt: whether it may say who is who.
    """

    id: str
    name: str = ""
    kind: str = ""
    make: str = ""
    model: str = ""
    udi: str = ""
    serial: str = ""
    location: str = ""
    owner: str = ""
    status: Status = Status.ACTIVE
    certificates: frozenset[str] = frozenset()
    certificate_names: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    senders: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()
    equipment: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    message_types: frozenset[str] = frozenset((ANY,))
    vouches_for: frozenset[str] = frozenset()
    default_authority: str = ""
    default_identifier_type: str = ""
    authoritative_adt: bool = False

    def entitled(self, code: str, trigger: str) -> bool:
        """Say whether it may send this type of message."""
        types = self.message_types
        return ANY in types or f"{code}^{trigger}" in types or f"{code}^{ANY}" in types

    def vouches(self, other: Device) -> bool:
        """Say whether it may speak for another device."""
        words = self.vouches_for
        return bool(words) and (
            other.id in words
            or f"kind:{other.kind}" in words
            or any(f"tag:{tag}" in words for tag in other.tags)
        )


class Identified(NamedTuple):
    """Who is speaking. With a ``reason`` the message is held; ``device`` is then only for the record."""

    device: Device | None
    assurance: Assurance
    reason: Reason | None = None


SETS = tuple(f.name for f in dataclasses.fields(Device) if f.type == "frozenset[str]")
TEXTS = tuple(f.name for f in dataclasses.fields(Device) if f.type == "str")


def canonical(device: Device) -> bytes:
    """Write a device as the bytes that are signed."""
    row: dict[str, Any] = {name: getattr(device, name) for name in TEXTS}
    row |= {name: sorted(getattr(device, name)) for name in SETS}
    if not device.keys:
        del row["keys"]  # as it was written before there were any: a signature stays valid
    row |= {"authoritative_adt": device.authoritative_adt, "status": str(device.status)}
    return orjson.dumps(row, option=orjson.OPT_SORT_KEYS)


def from_canonical(body: bytes) -> Device:
    """Read what ``canonical`` wrote.

    Raises:
        ValueError: it is something else.
    """
    row = orjson.loads(body)
    try:
        row = {"keys": []} | row
        row |= {name: frozenset(row[name]) for name in SETS}
        row["status"] = Status(row["status"])
        for key in row["keys"]:
            parse_key(key)
        return Device(**row)
    except (KeyError, TypeError, InputError) as error:
        raise ValueError("not a device") from error


def check(device: Device) -> None:
    """Check a device before it is signed.

    Raises:
        InputError: names the column and what is wanted.
    """
    check_fields(device)
    _check_identity(device)


def check_fields(device: Device) -> None:
    """Check each field by itself; a part of a device may still lack what identifies it.

    Raises:
        InputError: names the column and what is wanted.
    """
    if not ID.fullmatch(device.id):
        raise InputError("id", "letters, digits, dot, dash and underscore, at most 64")
    for name in TEXTS:
        if not _is_short(getattr(device, name)):
            raise InputError(name, f"printable text of at most {TEXT_LENGTH_MAX} characters")
    for name in SETS:
        values = getattr(device, name)
        longest = KEY_LENGTH_MAX if name == "keys" else TEXT_LENGTH_MAX
        if len(values) > SET_SIZE_MAX or not all(v and _is_short(v, longest) for v in values):
            raise InputError(name, f"at most {SET_SIZE_MAX} printable words")
    if not all(_FINGERPRINT.fullmatch(c) for c in device.certificates):
        raise InputError("certificates", "SHA-256 of the certificate, 64 hexadecimal digits")
    if not all(_TYPE.fullmatch(t) for t in device.message_types):
        raise InputError("message_types", "ORU^R01, FHIR^Observation, ADT^* or *")
    for address in device.addresses:
        _check_address(address)
    for key in device.keys:
        parse_key(key)


def _is_short(text: str, longest: int = TEXT_LENGTH_MAX) -> bool:
    return len(text) <= longest and text.isprintable()


def _check_identity(device: Device) -> None:
    proofs = device.certificates or device.certificate_names or device.addresses or device.keys
    if not (proofs or device.senders or device.equipment):
        raise InputError(
            "certificates",
            "a device needs a certificate, a name in one, an address or a sender; "
            "`oathward device add ID --with-certificate` issues one",
        )
    if device.authoritative_adt and not proofs:
        raise InputError(
            "authoritative_adt",
            "a source that says who is who needs a certificate or an address; "
            "`oathward device add ID --with-certificate` issues one",
        )


def _check_address(address: str) -> None:
    try:
        ipaddress.ip_network(address)
    except ValueError as error:
        raise InputError("addresses", "an IP address or a network such as 10.1.2.0/24") from error
