"""The built-in device CA: certificates from structured fields, never from a caller's request file.

Rules:
- The CA's key is ECDSA P-256, made in the keeper's store and used only there.
- A caller gives a raw public key and names; everything else of a certificate is ours to say.
- Devices get EKU ``clientAuth`` and the URI ``urn:oathward:device:<id>``; listeners get ``serverAuth``.
- A device is cut off by its status in the inventory (checked on each message), not by a revocation list.

Deliberately absent: parsing of CSR, PEM or foreign certificates; renewal protocols (EST is a later issue).

Source: RFC 5280 (profile), RFC 5480 (EC public keys), RFC 8410 (Ed25519).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import floor

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from oathward.core.errors import InputError

CA_DAYS = 3_650
DEVICE_DAYS = 825
SERVER_DAYS = 397
DEVICE_URN = "urn:oathward:device:"

_SKEW = timedelta(minutes=5)
_ED25519_BYTES = 32
_CURVES: dict[int, ec.EllipticCurve] = {65: ec.SECP256R1(), 97: ec.SECP384R1()}
_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", re.ASCII)

PublicKey = ec.EllipticCurvePublicKey | Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority: private key and certificate, both DER."""

    private: bytes = field(repr=False)
    certificate: bytes


def new_authority(name: str, now: datetime) -> Authority:
    """Make a CA with a new key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    usage = _usage(signs_certificates=True)
    builder = (
        _builder(subject, subject, key.public_key(), now, CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
    )
    certificate = builder.sign(key, hashes.SHA256())
    private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return Authority(private, certificate.public_bytes(Encoding.DER))


def certify_device(authority: Authority, device: str, public: bytes, now: datetime) -> bytes:
    """Issue a client certificate for a device; DER.

    Args:
        public: raw public key: Ed25519 (32 bytes), or an uncompressed point on P-256 (65) or P-384 (97).

    Raises:
        InputError: the id or the key is of another form.
    """
    if not _ID.fullmatch(device):
        raise InputError("device", "an id has 1 to 64 letters, digits, dots, colons, dashes")
    san = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(DEVICE_URN + device)])
    return _issue(authority, device, public, san, ExtendedKeyUsageOID.CLIENT_AUTH, now, DEVICE_DAYS)


def certify_server(authority: Authority, names: Sequence[str], public: bytes, now: datetime) -> bytes:
    """Issue a server certificate for host names and addresses; DER.

    Raises:
        InputError: no usable name, or the key is of another form.
    """
    if not names:
        raise InputError("names", "a server needs at least one")
    san = x509.SubjectAlternativeName([_general_name(name) for name in names])
    return _issue(authority, names[0], public, san, ExtendedKeyUsageOID.SERVER_AUTH, now, SERVER_DAYS)


def new_key() -> tuple[bytes, bytes]:
    """Make a key pair for a device or a listener: private key as PEM, raw public key (P-256)."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private, key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def to_pem(certificate: bytes) -> bytes:
    """Write a certificate of ours (DER) as PEM."""
    return x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM)


def fingerprint(certificate: bytes) -> bytes:
    """Name a certificate (DER) as the inventory does: SHA-256 of all of it."""
    return x509.load_der_x509_certificate(certificate).fingerprint(hashes.SHA256())


def days_left(pem: bytes, now_s: float) -> int:
    """Give how many whole days a certificate (PEM) is valid yet; negative once it is not.

    Raises:
        InputError: it is no certificate.
    """
    try:
        ends = x509.load_pem_x509_certificate(pem).not_valid_after_utc
    except ValueError:
        raise InputError("certificate", "PEM") from None
    return floor((ends.timestamp() - now_s) / timedelta(days=1).total_seconds())


def _issue(
    authority: Authority,
    name: str,
    public: bytes,
    san: x509.SubjectAlternativeName,
    use: x509.ObjectIdentifier,
    now: datetime,
    days: int,
) -> bytes:
    key = load_der_private_key(authority.private, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey), "our CA's key is on P-256"
    issuer = x509.load_der_x509_certificate(authority.certificate)
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        _builder(_name(name), issuer.subject, _public_key(public), now, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        .add_extension(san, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
        )
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PublicKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _public_key(raw: bytes) -> PublicKey:
    try:
        if len(raw) == _ED25519_BYTES:
            return Ed25519PublicKey.from_public_bytes(raw)
        if len(raw) in _CURVES and raw[:1] == b"\x04":
            return ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[len(raw)], raw)
    except ValueError as error:
        raise InputError("public key", "is not a point on its curve") from error
    raise InputError("public key", "must be raw Ed25519, or an uncompressed point on P-256 or P-384")


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        if not _HOST.fullmatch(name):
            raise InputError("names", "must be host names or addresses") from None
        return x509.DNSName(name)


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
