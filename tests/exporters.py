"""What exporters of flows send, made by hand: NetFlow v5, v9 and IPFIX."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from ipaddress import ip_address

SENT_S = 1_700_000_000
UP_MS = 3_600_000


def ip(text: str) -> bytes:
    return ip_address(text).packed


def v5(
    *records: tuple[str, str, int, int, int, int, int], count: int | None = None, sent_s: int = SENT_S
) -> bytes:
    """Records: source, target, source port, target port, protocol, packets, bytes; each lasted from 10 s to 5 s before."""
    data = b""
    for source, target, source_port, target_port, protocol, packets, octets in records:
        data += (
            ip(source)
            + ip(target)
            + bytes(4)
            + struct.pack("!HHIIII", 1, 2, packets, octets, UP_MS - 10_000, UP_MS - 5_000)
        )
        data += struct.pack("!HHBBBBHHBBH", source_port, target_port, 0, 0x18, protocol, 0, 0, 0, 24, 24, 0)
    return (
        struct.pack("!HHIIIIBBH", 5, len(records) if count is None else count, UP_MS, sent_s, 0, 7, 0, 0, 0)
        + data
    )


def one_set(number: int, data: bytes, pad: int = 0) -> bytes:
    return struct.pack("!HH", number, len(data) + 4 + pad) + data + bytes(pad)


def template(number: int, fields: Sequence[tuple[int, ...]]) -> bytes:
    """Fields: (element, length) or (element, length, enterprise)."""
    data = struct.pack("!HH", number, len(fields))
    for element, length, *enterprise in fields:
        data += struct.pack("!HH", element | (0x8000 if enterprise else 0), length) + b"".join(
            struct.pack("!I", one) for one in enterprise
        )
    return data


def v9(*sets: bytes, count: int = 1, domain: int = 0, sent_s: int = SENT_S) -> bytes:
    return struct.pack("!HHIIII", 9, count, UP_MS, sent_s, 7, domain) + b"".join(sets)


def ipfix(*sets: bytes, domain: int = 0, sent_s: int = SENT_S) -> bytes:
    data = b"".join(sets)
    return struct.pack("!HHIII", 10, len(data) + 16, sent_s, 7, domain) + data


V9_FIELDS = [(8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (1, 4), (2, 4), (22, 4), (21, 4)]


def v9_record(
    source: str,
    target: str,
    source_port: int,
    target_port: int,
    octets: int = 100,
    packets: int = 2,
    protocol: int = 6,
) -> bytes:
    ends = struct.pack("!HHBII", source_port, target_port, protocol, octets, packets)
    return ip(source) + ip(target) + ends + struct.pack("!II", UP_MS - 10_000, UP_MS - 5_000)


IPFIX_FIELDS = [
    (8, 4),
    (12, 4),
    (7, 2),
    (11, 2),
    (4, 1),
    (1, 8),
    (2, 8),
    (152, 8),
    (153, 8),
    (56, 6),
    (80, 6),
    (58, 2),
    (96, 65_535),
    (99, 3, 4_711),
]


def ipfix_record(
    source: str,
    target: str,
    source_port: int,
    target_port: int,
    octets: int = 100,
    packets: int = 2,
    name: bytes = b"HL7",
) -> bytes:
    ends = struct.pack(
        "!HHBQQQQ",
        source_port,
        target_port,
        6,
        octets,
        packets,
        SENT_S * 1_000 - 10_000,
        SENT_S * 1_000 - 5_000,
    )
    cards = bytes.fromhex("001122000005001122000009")
    return ip(source) + ip(target) + ends + cards + struct.pack("!H", 12) + bytes([len(name)]) + name + b"xyz"
