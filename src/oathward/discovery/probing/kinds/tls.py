"""TLS: one handshake, for the version, the certificate and who issued it.

Rules:
- Any version and cipher that OpenSSL still has is offered: what an old device speaks is to be learned, not judged. Nothing is sent over it.
- Nobody is verified: the certificate is told, not trusted. Its digest is that of the bytes that were shown.
- A device that asks for a certificate of ours gets none; up to TLS 1.2 its own stands in clear before it ends the handshake.

Source: RFC 8446 §4, RFC 5246 §7.4.
"""

from __future__ import annotations

import ssl

from oathward.discovery.model import Fact, MarkKind
from oathward.discovery.packets.der import certificate
from oathward.discovery.packets.heads.tls import HEAD
from oathward.discovery.probing.overheard import Overheard
from oathward.discovery.probing.probe import Outcome, Probe, Told

_SURE = 0.9
_ALERT = 21
_LEGACY_SERVER_CONNECT = 0x4
"""``SSL_OP_LEGACY_SERVER_CONNECT`` of OpenSSL, named by Python from 3.12 on: servers from before RFC 5746 answer too."""


class Handshake:
    """A client's side of a handshake, over memory."""

    def __init__(self, _address: str, port: int, _called: str) -> None:
        self.done = False
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = _context().wrap_bio(self._in, self._out)
        self._overheard = Overheard(HEAD, port)
        self._whole = self._failed = False
        self._first = b""

    def begin(self) -> bytes:
        """Give the client's first message."""
        return self._step()

    def take(self, data: bytes) -> bytes:
        """Take bytes of the server."""
        self._first = self._first or data[:1]
        self._overheard.take(data)
        self._in.write(data)
        return self._step()

    def told(self) -> Told:
        """Say which version it speaks and which certificate it showed."""
        version = (self._tls.version() or "") if self._whole else self._overheard.flow.tls
        facts = {fact.attribute: fact for fact in self._overheard.facts()}
        digest = self._overheard.value(MarkKind.CERTIFICATE)
        shown = certificate(self._tls.getpeercert(binary_form=True) or b"") if self._whole else None
        if shown is not None:
            digest = shown.sha256
            for name, value in (
                ("certificate-subject", shown.subject),
                ("certificate-issuer", shown.issuer),
                ("certificate-until", str(shown.until_us // 1_000_000)),
            ):
                facts[name] = Fact(name, value, _SURE)
        if version:
            facts["tls"] = Fact("tls", _written(version), _SURE)
        told = tuple(fact for fact in facts.values() if fact.value)
        return Told(self._outcome(version), told, digest)

    def _outcome(self, version: str) -> Outcome:
        if version:
            return Outcome.ANSWERED
        if not self._failed:
            return Outcome.SILENT
        return Outcome.DECLINED if self._first == bytes([_ALERT]) else Outcome.OTHER

    def _step(self) -> bytes:
        try:
            self._tls.do_handshake()
            self._whole = self.done = True
            self._tls.unwrap()  # says goodbye; its answer is not waited for
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self.done, self._failed = True, not self._whole
        return self._out.read()


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.options |= _LEGACY_SERVER_CONNECT
    return context


def _written(version: str) -> str:
    """Write a version as captures do: ``TLSv1.0``."""
    return "TLSv1.0" if version == "TLSv1" else version


PROBE = Probe(
    words="TLS version and certificate",
    port=443,
    order=10,
    says=frozenset(
        (
            *("tls", "certificate-subject", "certificate-issuer", "certificate-until"),
            "client-certificate",
        )
    ),
    talk=Handshake,
)
