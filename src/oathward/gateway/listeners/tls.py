"""TLS as every door speaks it, and who is at the other end of a connection.

Rules:
- 1.2 is the floor, with forward secrecy and authenticated ciphers; nothing is renegotiated or compressed.
- A peer is an address and the certificate it proved, as digest and names; nothing it merely claims.

Deliberately absent: handshakes under limits (``handshakes``), whose certificate it is (``inventory``).

Source: RFC 9325 (recommendations for TLS); RFC 5280 §4.2.1.6 (subject alternative name).
"""

from __future__ import annotations

import asyncio
import ssl
from hashlib import sha256
from typing import Any

from oathward.inventory.model import Peer


def server_context(certificate: str, key: str, ca: str, *, required: bool = True) -> ssl.SSLContext:
    """TLS as a server that asks for a client certificate; 1.2 is the floor.

    Args:
        certificate, key, ca: paths of PEM files.
        required: whether there is no connection without one; one that is shown is checked in any case. Where none is
            required and there is no CA, nobody is asked for one.

    Raises:
        OSError: a file is not there or not PEM; so is a CA that is not named where a certificate is required.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca or required:
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
        context.load_verify_locations(ca)
    context.load_cert_chain(certificate, key)
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    return context


def peer_of(transport: asyncio.BaseTransport) -> Peer:
    """Who is at the other end, as far as the transport proves it."""
    name: Any = transport.get_extra_info("peername")
    address = str(name[0]) if isinstance(name, tuple) and name else "local"
    tls = transport.get_extra_info("ssl_object")
    if tls is None:
        return Peer(address, None, ())
    der = tls.getpeercert(binary_form=True)
    names = tuple(f"{kind}:{value}" for kind, value in (tls.getpeercert() or {}).get("subjectAltName", ()))
    return Peer(address, sha256(der).digest() if der else None, names)
