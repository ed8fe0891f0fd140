"""Keys and certificates of the outsiders: a recipient's own authority, an intruder's, an envelope key.

Rules:
- None of these come from Oathward: a recipient's server certificate is signed by its own authority, which the
  bundle names; an intruder's by one that nobody trusts.
- Everything lives in the folder of one run and is thrown away with it.
"""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from oathward_sim.senders import TlsFiles

_DAYS = 30


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its key, as PEM files."""

    cert: Path
    key: Path


class Authority:
    """A small certificate authority of an outsider."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._name = folder, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(f"{name} authority")
        self._cert = _sign(subject, subject, self._key.public_key(), self._key, ca=True)
        self.file = folder / f"{name}-ca.pem"
        self.file.write_bytes(self._cert.public_bytes(Encoding.PEM))

    def issue(self, name: str) -> Issued:
        """Issue a certificate for a server on this machine, or a client of this name."""
        key = ec.generate_private_key(ec.SECP256R1())
        cert = _sign(_name(name), self._cert.subject, key.public_key(), self._key, ca=False)
        issued = Issued(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        issued.cert.write_bytes(cert.public_bytes(Encoding.PEM))
        issued.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        issued.key.chmod(0o600)
        return issued

    def client(self, name: str, gateway_ca: Path) -> TlsFiles:
        """Make the TLS files of a client whose certificate this authority signed."""
        issued = self.issue(name)
        return TlsFiles(gateway_ca, issued.cert, issued.key)


def server_context(issued: Issued, client_ca: Path | None = None) -> ssl.SSLContext:
    """Make a server's TLS context; with ``client_ca`` a client certificate is required."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(issued.cert, issued.key)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _sign(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    key: ec.EllipticCurvePrivateKey,
    *,
    ca: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not ca, content_commitment=False, key_encipherment=False, data_encipherment=False,
                key_agreement=False, key_cert_sign=ca, crl_sign=ca, encipher_only=False, decipher_only=False,
            ),
            critical=True,
        )
    )  # fmt: skip
    if not ca:
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
            critical=False,
        )
    return builder.sign(key, hashes.SHA256())
