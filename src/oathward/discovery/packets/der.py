"""The few fields of an X.509 certificate that a handshake shows: its digest, whom it names, who issued it, until when.

Rules:
- One pass over DER, each length within what encloses it, no recursion; what does not fit is None, whatever the bytes are.
- Nothing is verified: who shows a certificate claims it until the handshake ends, which nobody outside can see.

Deliberately absent: keys, signatures, extensions but alternative names. ``vault`` alone imports ``cryptography``.

Source: RFC 5280 §4.1 (Certificate), X.690 §8 (BER lengths; indefinite ones are no DER).
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import NamedTuple

from oathward.discovery.packets import tlv
from oathward.discovery.packets.notes import text

NAMES_MAX = 20
_SEQUENCE, _SET, _OID, _UTC_TIME, _TIME = 0x30, 0x31, 0x06, 0x17, 0x18
_COMMON_NAME, _ORGANISATION = bytes.fromhex("550403"), bytes.fromhex("55040a")
_SUBJECT_ALT_NAME = bytes.fromhex("551d11")
_VERSION, _EXTENSIONS, _DNS_NAME = 0xA0, 0xA3, 0x82
_BMP = 0x1E


class Certificate(NamedTuple):
    """What a certificate says. ``subject``, ``issuer``: common name, else organisation. ``until_us``: its not-after."""

    sha256: str
    subject: str
    issuer: str
    names: tuple[str, ...]
    until_us: int


def certificate(der: bytes) -> Certificate | None:
    """Read a certificate; None where it is none."""
    whole = _inside(der, 0, len(der), _SEQUENCE)
    body = whole and _inside(der, *whole, _SEQUENCE)
    if not body:
        return None
    parts = tlv.parts(der, *body)
    parts = parts[1:] if parts and parts[0][0] == _VERSION else parts
    if len(parts) < 6 or any(part[0] != _SEQUENCE for part in parts[1:6]):
        return None
    _serial, _algorithm, issuer, validity, subject = parts[:5]
    times = tlv.parts(der, *validity[1:])
    until_us = _time(der, times[1]) if len(times) == 2 else None
    if until_us is None:
        return None
    extensions = next((part for part in parts[6:] if part[0] == _EXTENSIONS), None)
    names = _alternative(der, extensions) if extensions else ()
    digest = hashlib.sha256(der).hexdigest()
    return Certificate(digest, _named(der, subject), _named(der, issuer), names, until_us)


def _inside(der: bytes, at: int, end: int, tag: int) -> tuple[int, int] | None:
    found = tlv.part(der, at, end)
    return found[1:] if found and found[0] == tag else None


def _named(der: bytes, name: tlv.Part) -> str:
    """Give the last common name of a name, else its last organisation."""
    found = {_COMMON_NAME: "", _ORGANISATION: ""}
    for one in tlv.parts(der, *name[1:]):
        for pair in tlv.parts(der, *one[1:]):
            values = tlv.parts(der, *pair[1:])
            if len(values) == 2 and (key := der[values[0][1] : values[0][2]]) in found:
                raw = der[values[1][1] : values[1][2]][:1024]
                found[key] = text(raw.decode("utf-16-be", "replace") if values[1][0] == _BMP else raw)
    return found[_COMMON_NAME] or found[_ORGANISATION]


def _time(der: bytes, part: tlv.Part) -> int | None:
    raw = der[part[1] : part[2]].decode("ascii", "replace")
    try:
        if part[0] == _UTC_TIME:  # years 50 to 99 are of the last century (RFC 5280 §4.1.2.5.1)
            raw = ("19" if raw[:2] >= "50" else "20") + raw
        found = datetime.strptime(raw, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(found.timestamp()) * 1_000_000


def _alternative(der: bytes, extensions: tlv.Part) -> tuple[str, ...]:
    """Give the DNS names among the alternative names."""
    listed = _inside(der, *extensions[1:], _SEQUENCE)
    for one in tlv.parts(der, *listed) if listed else ():
        parts = tlv.parts(der, *one[1:])
        if parts and der[parts[0][1] : parts[0][2]] == _SUBJECT_ALT_NAME:
            inner = _inside(der, *parts[-1][1:], _SEQUENCE)
            names = tlv.parts(der, *inner)[:NAMES_MAX] if inner else []
            return tuple(text(der[begin:end]) for tag, begin, end in names if tag == _DNS_NAME)
    return ()
