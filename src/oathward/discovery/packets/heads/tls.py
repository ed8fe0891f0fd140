"""TLS: version, server name, the server's certificate where it is in clear, the client's fingerprint, certificates of clients.

Rules:
- Handshakes are read until they are encrypted; after that the flow is counted and not looked at.
- JA3 is the MD5 of five lists of the client's first message, without the values that only test tolerance (RFC 8701); JA4 sorts two of
  them and says version, name, counts and protocol before their digests. Both say which program asks, not which device.
- The certificate of a server is a mark of it, and so is a client's: who shows it holds it, or the handshake fails unseen.

Source: RFC 8446 §4 and §5, RFC 5246 §7.4, RFC 6066 §3 (server name), RFC 8701; the published descriptions of JA3 and JA4.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from struct import Struct, unpack_from

from oathward.core.reasons import Reason
from oathward.discovery.model import Fact, Mark, MarkKind
from oathward.discovery.packets.conversation import Conversation, Half
from oathward.discovery.packets.der import Certificate, certificate
from oathward.discovery.packets.head import Head
from oathward.discovery.packets.notes import HELD_BYTES_MAX, folded

HANDSHAKE_BYTES_MAX = 131_072
_CHANGE_CIPHER, _HANDSHAKE, _APPLICATION = 20, 22, 23
_RECORD_BYTES_MAX = 16_384 + 2_048
_CLIENT_HELLO, _SERVER_HELLO, _CERTIFICATE, _CERTIFICATE_REQUEST = 1, 2, 11, 13
_NAME, _GROUPS, _FORMATS, _SIGNATURES, _ALPN, _VERSIONS = 0, 10, 11, 13, 16, 43
_TOLD = frozenset((_GROUPS, _FORMATS, _SIGNATURES, _ALPN, _VERSIONS))
_VERSION_NAMES = {0x0300: "SSLv3", 0x0301: "TLSv1.0", 0x0302: "TLSv1.1", 0x0303: "TLSv1.2", 0x0304: "TLSv1.3"}
_JA4_VERSIONS = {0x0300: "s3", 0x0301: "10", 0x0302: "11", 0x0303: "12", 0x0304: "13"}
_TOLERANCE = frozenset(n << 8 | n for n in range(0x0A, 0x100, 0x10))
_RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
_record = Struct(">BHH").unpack_from
_extension = Struct(">HH").unpack_from


class _Side:
    __slots__ = ("handshake", "raw")

    def __init__(self) -> None:
        self.raw = b""
        self.handshake = b""


class Handshake:
    """Reads the handshake of one flow."""

    def __init__(self, flow: Conversation) -> None:
        self._flow = flow
        self._sides = (_Side(), _Side())

    def take(self, half: Half, data: bytes, us: int) -> None:
        """Take the next bytes of one side."""
        notes = self._flow.notes
        side = self._sides[half is self._flow.server]
        notes.held_bytes -= len(side.raw) + len(side.handshake)
        raw, at = side.raw + data, 0
        while at + 5 <= len(raw):
            kind, version, size = _record(raw, at)
            if kind != _HANDSHAKE or version >> 8 != 3 or size > _RECORD_BYTES_MAX:
                if kind not in (_CHANGE_CIPHER, _APPLICATION, 21):
                    notes.refuse(Reason.OBSERVED_BROKEN, "tls")
                half.drop()
                break
            if at + 5 + size > len(raw):
                break
            side.handshake += raw[at + 5 : at + 5 + size]
            at += 5 + size
            self._messages(half, side, us)
        side.raw = raw[at:]
        if (
            half.stream is None
            or len(side.raw) + len(side.handshake) > HANDSHAKE_BYTES_MAX
            or notes.held_bytes > HELD_BYTES_MAX
        ):
            side.raw = side.handshake = b""
            half.drop()
        notes.held_bytes += len(side.raw) + len(side.handshake)

    def lost(self, half: Half) -> None:
        """Give up on this side."""
        half.drop()

    def close(self) -> None:
        """Give back what is kept."""
        for side in self._sides:
            self._flow.notes.held_bytes -= len(side.raw) + len(side.handshake)
            side.raw = side.handshake = b""

    def _messages(self, half: Half, side: _Side, us: int) -> None:
        data, at = side.handshake, 0
        while at + 4 <= len(data):
            kind, size = data[at], int.from_bytes(data[at + 1 : at + 4], "big")
            if size > HANDSHAKE_BYTES_MAX:
                half.drop()
                return
            if at + 4 + size > len(data):
                break
            self._message(half, kind, data[at + 4 : at + 4 + size], us)
            at += 4 + size
        side.handshake = data[at:]

    def _message(self, half: Half, kind: int, body: bytes, us: int) -> None:
        flow = self._flow
        if kind == _CLIENT_HELLO:
            flow.served_by(half.other)
            self._client_hello(half, body, us)
        elif kind == _SERVER_HELLO and len(body) >= 38:
            flow.served_by(half)
            if body[2:34] != _RETRY:
                flow.tls = _VERSION_NAMES.get(_server_version(body), "")
        elif kind == _CERTIFICATE:
            found = _first(body)
            if found is not None:
                self._certificate(half, found, us)
        elif kind == _CERTIFICATE_REQUEST:
            flow.notes.say(us, "tls", [half.mark()], [Fact("client-certificate", "asked", 0.9)], flow.segment)

    def _client_hello(self, half: Half, body: bytes, us: int) -> None:
        hello = _hello(body)
        if hello is None:
            self._flow.notes.refuse(Reason.OBSERVED_BROKEN, "tls")
            return
        version, ciphers, extensions = hello
        name = _server_name(extensions)
        self._flow.server_name = name or self._flow.server_name
        told = tuple((kind, value if kind in _TOLD else b"") for kind, value in extensions)
        facts = _fingerprints(version, ciphers, told)
        self._flow.notes.say(us, "tls", [half.mark()], facts, self._flow.segment)

    def _certificate(self, half: Half, found: Certificate, us: int) -> None:
        flow = self._flow
        facts = [
            Fact("certificate-subject", found.subject, 0.8),
            Fact("certificate-issuer", found.issuer, 0.8),
            Fact("certificate-until", str(found.until_us // 1_000_000), 0.8),
        ]
        if half is flow.server:
            flow.certificate = found.sha256
        else:
            facts.append(Fact("client-certificate", "shown", 0.9))
        flow.notes.say(
            us, "tls", [half.mark(), Mark(MarkKind.CERTIFICATE, found.sha256)], facts, flow.segment
        )


_Hello = tuple[int, bytes, list[tuple[int, bytes]]]


def _hello(body: bytes) -> _Hello | None:
    """Take a ClientHello apart: version, cipher suites as they stand there, extensions in order."""
    if len(body) < 38:
        return None
    at = 35 + body[34]
    size = int.from_bytes(body[at : at + 2], "big")
    ciphers = body[at + 2 : at + 2 + size]
    at += 2 + size
    if at >= len(body):
        return None
    at += 1 + body[at]
    return int.from_bytes(body[:2], "big"), ciphers, _extensions(body, at)


def _extensions(body: bytes, at: int) -> list[tuple[int, bytes]]:
    found, extension = [], _extension
    end = min(len(body), at + 2 + int.from_bytes(body[at : at + 2], "big"))
    at += 2
    while at + 4 <= end:
        kind, size = extension(body, at)
        at += 4 + size
        found.append((kind, body[at - size : min(end, at)]))
    return found


def _numbers(data: bytes) -> list[int]:
    count = len(data) // 2
    return list(unpack_from(f">{count}H", data))


def _value(extensions: list[tuple[int, bytes]], kind: int) -> bytes:
    return next((value for one, value in extensions if one == kind), b"")


def _server_name(extensions: list[tuple[int, bytes]]) -> str:
    value = _value(extensions, _NAME)
    return (
        folded(value[5 : 5 + int.from_bytes(value[3:5], "big")]) if len(value) > 5 and value[2] == 0 else ""
    )


def _server_version(body: bytes) -> int:
    at = 35 + body[34] + 3
    chosen = _value(_extensions(body, at), _VERSIONS) if at < len(body) else b""
    return int.from_bytes(chosen if len(chosen) == 2 else body[:2], "big")


def _first(body: bytes) -> Certificate | None:
    """Give the first certificate of a message of TLS 1.2 or before; the later ones' are encrypted."""
    size = int.from_bytes(body[3:6], "big")
    return certificate(body[6 : 6 + size]) if 0 < size <= len(body) - 6 else None


@lru_cache(maxsize=1_024)
def _fingerprints(
    version: int, ciphers: bytes, extensions: tuple[tuple[int, bytes], ...]
) -> tuple[Fact, ...]:
    """Make both; programs say the same each time, but for what is not in them."""
    parts = version, _numbers(ciphers), list(extensions)
    return Fact("fingerprint", ja3(*parts), 0.5), Fact("fingerprint", ja4(*parts), 0.5)


def ja3(version: int, ciphers: list[int], extensions: list[tuple[int, bytes]]) -> str:
    """Give the JA3 digest, 32 hexadecimal digits."""
    lists = (
        ciphers,
        [kind for kind, _ in extensions],
        _numbers(_value(extensions, _GROUPS)[2:]),
        list(_value(extensions, _FORMATS)[1:]),
    )
    parts = ["-".join(str(n) for n in one if n not in _TOLERANCE) for one in lists]
    return hashlib.md5(",".join((str(version), *parts)).encode(), usedforsecurity=False).hexdigest()


def ja4(version: int, ciphers: list[int], extensions: list[tuple[int, bytes]]) -> str:
    """Give the JA4 fingerprint: ``t13d1516h2_`` and two digests of twelve digits."""
    offered = [n for n in _numbers(_value(extensions, _VERSIONS)[1:]) if n not in _TOLERANCE]
    suites = [n for n in ciphers if n not in _TOLERANCE]
    kinds = [kind for kind, _ in extensions if kind not in _TOLERANCE]
    alpn = _value(extensions, _ALPN)
    first = alpn[3 : 3 + alpn[2]] if len(alpn) > 3 else b""
    ends = (first[:1] + first[-1:]).decode("ascii", "replace") if first.isalnum() else _hex_ends(first)
    signatures = [n for n in _numbers(_value(extensions, _SIGNATURES)[2:]) if n not in _TOLERANCE]
    head = (
        f"t{_JA4_VERSIONS.get(max(offered, default=version), '00')}{'d' if _NAME in kinds else 'i'}"
        f"{min(len(suites), 99):02}{min(len(kinds), 99):02}{ends}"
    )
    told = ",".join(f"{n:04x}" for n in sorted(kind for kind in kinds if kind not in (_NAME, _ALPN)))
    signed = "_" + ",".join(f"{n:04x}" for n in signatures) if signatures else ""
    return f"{head}_{_twelve(','.join(f'{n:04x}' for n in sorted(suites)))}_{_twelve(told + signed)}"


def _hex_ends(first: bytes) -> str:
    return f"{first[0]:02x}"[0] + f"{first[-1]:02x}"[1] if first else "00"


def _twelve(listed: str) -> str:
    return hashlib.sha256(listed.encode()).hexdigest()[:12] if listed else "0" * 12


def _knows(data: bytes, _source: int, _target: int) -> bool:
    return (
        len(data) >= 6
        and data[0] == _HANDSHAKE
        and data[1] == 3
        and data[2] <= 4
        and data[5] in (_CLIENT_HELLO, _SERVER_HELLO)
    )


HEAD = Head(service="tls", over="tcp", knows=_knows, open=Handshake, order=30)
