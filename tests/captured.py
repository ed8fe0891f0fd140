"""A writer of captures, for tests and benchmarks: frames by layer, whole conversations of TCP, files of both kinds.

Nothing here is read by what it judges; tshark reads what it writes (``tests/conformance/test_captures.py``).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from ipaddress import ip_address

CLIENT, SERVER = "10.1.0.5", "10.1.0.9"
CLIENT_MAC, SERVER_MAC = "00:1b:63:00:00:05", "00:1b:63:00:00:09"
START_US = 1_700_000_000_000_000
SYN, ACK, PSH, FIN, RST = 2, 16, 8, 1, 4


def raw_mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def ethernet(
    payload: bytes, kind: int = 0x0800, source: str = CLIENT_MAC, target: str = SERVER_MAC, vlans=()
) -> bytes:
    tags = b"".join(
        struct.pack(">HH", 0x88A8 if n < len(vlans) - 1 else 0x8100, vlan) for n, vlan in enumerate(vlans)
    )
    return raw_mac(target) + raw_mac(source) + tags + struct.pack(">H", kind) + payload


def checksum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip(
    payload: bytes,
    protocol: int,
    source: str = CLIENT,
    target: str = SERVER,
    *,
    fragment: int = 0,
    options=b"",
) -> bytes:
    one, other = ip_address(source), ip_address(target)
    if one.version == 6:
        return struct.pack(">LHBB", 6 << 28, len(payload), protocol, 64) + one.packed + other.packed + payload
    size = 20 + len(options)
    head = struct.pack(
        ">BBHHHBBH", 0x40 | size // 4, 0, size + len(payload), 1, fragment, 64, protocol, 0
    ) + one.packed + other.packed + options  # fmt: skip
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def udp(payload: bytes, source: int, target: int) -> bytes:
    return struct.pack(">HHHH", source, target, 8 + len(payload), 0) + payload


def tcp(
    payload: bytes, source: int, target: int, number: int, answered: int = 0, flags: int = ACK, options=b""
) -> bytes:
    head = struct.pack(
        ">HHLLBBHHH", source, target, number, answered, (20 + len(options)) // 4 << 4, flags, 65535, 0, 0
    )
    return head + options + payload


def datagram(
    payload: bytes, source: int, target: int, client: str = CLIENT, server: str = SERVER, **frame
) -> bytes:
    """One Ethernet frame with UDP."""
    kind = 0x0800 if ip_address(client).version == 4 else 0x86DD
    return ethernet(ip(udp(payload, source, target), 17, client, server), kind, **frame)


class Talk:
    """One connection, written frame by frame; ``frames`` has them in order."""

    def __init__(
        self,
        client=CLIENT,
        server=SERVER,
        source=40_000,
        port=2_575,
        *,
        begin=True,
        numbers=(1_000, 9_000),
        vlans=(),
    ):
        self.ends = ((client, source, CLIENT_MAC), (server, port, SERVER_MAC))
        self.numbers = list(numbers)
        self.vlans = vlans
        self.frames: list[bytes] = []
        if begin:
            self.add(0, b"", SYN)
            self.add(1, b"", SYN | ACK)
            self.add(0, b"", ACK)

    def frame(self, side: int, payload: bytes, flags: int = ACK, number: int | None = None) -> bytes:
        one, other = self.ends[side], self.ends[1 - side]
        number = self.numbers[side] if number is None else number
        segment = tcp(
            payload, one[1], other[1], number & 0xFFFFFFFF, self.numbers[1 - side] & 0xFFFFFFFF, flags
        )
        kind = 0x0800 if ip_address(one[0]).version == 4 else 0x86DD
        return ethernet(ip(segment, 6, one[0], other[0]), kind, one[2], other[2], self.vlans)

    def add(self, side: int, payload: bytes, flags: int = ACK) -> None:
        self.frames.append(self.frame(side, payload, flags))
        self.numbers[side] += len(payload) + bool(flags & (SYN | FIN))

    def say(self, side: int, payload: bytes, size: int = 1_448) -> Talk:
        for start in range(0, len(payload), size):
            self.add(side, payload[start : start + size], ACK | PSH)
        return self

    def end(self) -> Talk:
        self.add(0, b"", FIN | ACK)
        self.add(1, b"", FIN | ACK)
        self.add(0, b"", ACK)
        return self


def pcap(
    frames: Iterable[bytes],
    *,
    link=1,
    order="<",
    nanoseconds=False,
    start_us=START_US,
    step_us=1_000,
    snap=262_144,
) -> bytes:
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    parts = [struct.pack(order + "LHHlLLL", magic, 2, 4, 0, 0, snap, link)]
    for n, frame in enumerate(frames):
        seconds, micro = divmod(start_us + n * step_us, 1_000_000)
        kept = frame[:snap]
        parts += [
            struct.pack(
                order + "LLLL", seconds, micro * (1_000 if nanoseconds else 1), len(kept), len(frame)
            ),
            kept,
        ]
    return b"".join(parts)


def block(kind: int, body: bytes, order="<") -> bytes:
    body += b"\0" * (-len(body) % 4)
    size = struct.pack(order + "L", 12 + len(body))
    return struct.pack(order + "L", kind) + size + body + size


def option(code: int, value: bytes, order="<") -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def section(order="<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "LHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link=1, order="<", *, unit: int | None = None, snap=0) -> bytes:
    options = (
        option(2, b"eth0", order)
        + (option(9, bytes([unit]), order) if unit is not None else b"")
        + option(0, b"", order)
    )
    return block(1, struct.pack(order + "HHL", link, 0, snap) + options, order)


def enhanced(frame: bytes, ticks: int, interface_id=0, order="<") -> bytes:
    head = struct.pack(order + "LLLLL", interface_id, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
    return block(
        6,
        head + frame + b"\0" * (-len(frame) % 4) + option(1, b"a remark", order) + option(0, b"", order),
        order,
    )


def pcapng(
    frames: Iterable[bytes], *, link=1, order="<", unit: int | None = None, start_us=START_US, step_us=1_000
) -> bytes:
    power = 6 if unit is None else unit
    parts = [section(order), interface(link, order, unit=unit)]
    parts += [
        enhanced(frame, (start_us + n * step_us) * 10**power // 1_000_000, 0, order)
        for n, frame in enumerate(frames)
    ]
    return b"".join(parts)


# --- what devices say

HL7_MESSAGE = (
    b"MSH|^~\\&|PUMP^0003B10000000001^EUI-64|ICU|GW|HOSP|20260101120000||ORU^R01^ORU_R01|77|P|2.6|||||||||IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO\r"
    b"PID|||MRN-4711^^^HOSP^MR||ZZYZX^QUENTIN||19700102|M\r"
    b"OBR|1|||69986^MDC_OBS_PCA^MDC\r"
    b"OBX|1|NM|150456^MDC_PULS_OXIM_SAT_O2^MDC||97|262688^MDC_DIM_PERCENT^MDC|||||R|||20260101120000||||PUMP7^MAKER^0003B10000000001^EUI-64\r"
    b"OBX|2|NM|149530^MDC_PULS_OXIM_PULS_RATE^MDC||61|264864^MDC_DIM_BEAT_PER_MIN^MDC|||||R|||20260101120000||||MON3^MAKER^0003B1000000BEEF^EUI-64\r"
)
HL7_ACK = b"MSH|^~\\&|GW|HOSP|PUMP|ICU|20260101120001||ACK^R01|78|P|2.6\rMSA|AA|77\r"


def mllp(message: bytes) -> bytes:
    return b"\x0b" + message + b"\x1c\r"


def dicom_item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(value)) + value


def dicom_associate(
    kind: int, calling=b"CT01", called=b"ARCHIVE", context=1, syntax=b"1.2.840.10008.1.2.1"
) -> bytes:
    """A-ASSOCIATE-RQ (1) or -AC (2) with one context, CT image storage."""
    if kind == 1:
        inner = dicom_item(0x30, b"1.2.840.10008.5.1.4.1.1.2") + dicom_item(0x40, syntax)
        presented = dicom_item(0x20, bytes([context, 0, 0, 0]) + inner)
    else:
        presented = dicom_item(0x21, bytes([context, 0, 0, 0]) + dicom_item(0x40, syntax))
    user = (
        dicom_item(0x51, struct.pack(">L", 16_384))
        + dicom_item(0x52, b"1.2.3.4.5")
        + dicom_item(0x55, b"MADEUP_12")
    )
    body = struct.pack(">HH", 1, 0) + called.ljust(16) + calling.ljust(16) + bytes(32)
    body += dicom_item(0x10, b"1.2.840.10008.3.1.1.1") + presented + dicom_item(0x50, user)
    return struct.pack(">BBL", kind, 0, len(body)) + body


def dicom_element(tag: int, vr: bytes, value: bytes) -> bytes:
    value += b" " * (len(value) % 2)
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def dicom_data(context: int, control: int, value: bytes, size: int = 16_000) -> bytes:
    """A command (control 1) or data set (0) as P-DATA-TF, in as many as it needs."""
    parts = [value[start : start + size] for start in range(0, len(value), size)] or [b""]
    whole = b""
    for n, part in enumerate(parts):
        last = 2 if n == len(parts) - 1 else 0
        whole += struct.pack(">BBLLBB", 4, 0, len(part) + 6, len(part) + 2, context, control | last) + part
    return whole


def dicom_store(station=b"CT01", serial=b"SN-123", pixels=60_000) -> bytes:
    """C-STORE-RQ with a data set of a made-up CT."""
    command = struct.pack("<HHLL", 0, 0, 4, 0) + struct.pack("<HHLH", 0, 0x0100, 2, 1)
    dataset = b"".join(
        (
            dicom_element(0x00080060, b"CS", b"CT"),
            dicom_element(0x00080070, b"LO", b"Acme Imaging"),
            dicom_element(0x00081010, b"SH", station),
            dicom_element(0x00081090, b"LO", b"Scan 9"),
            dicom_element(0x00100010, b"PN", b"ZZYZX^QUENTIN"),
            dicom_element(0x00100020, b"LO", b"MRN-4711"),
            dicom_element(0x00181000, b"LO", serial),
            dicom_element(0x00181020, b"LO", b"VA40"),
            struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, pixels) + bytes(pixels),
        )
    )
    return dicom_data(1, 1, command) + dicom_data(1, 0, dataset)


def dns_name(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def dns_answer(name: str, address: str, *, multicast=False) -> bytes:
    packed = ip_address(address).packed
    record = struct.pack(">HHLH", 1 if len(packed) == 4 else 28, 1, 60, len(packed)) + packed
    if multicast:
        return struct.pack(">HHHHHH", 0, 0x8400, 0, 1, 0, 0) + dns_name(name) + record
    return (
        struct.pack(">HHHHHH", 7, 0x8180, 1, 1, 0, 0)
        + dns_name(name)
        + struct.pack(">HH", 1, 1)
        + b"\xc0\x0c"
        + record
    )


def dns_question(name: str) -> bytes:
    return struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + dns_name(name) + struct.pack(">HH", 1, 1)


def dhcp(
    kind: int, *, client=True, card=CLIENT_MAC, address="0.0.0.0", own="0.0.0.0", options: bytes = b""
) -> bytes:
    head = struct.pack(">BBBBLHH", 1 if client else 2, 1, 6, 0, 99, 0, 0)
    head += ip_address(own).packed + ip_address(address).packed + bytes(8)
    return (
        head
        + raw_mac(card).ljust(16, b"\0")
        + bytes(192)
        + b"\x63\x82\x53\x63"
        + bytes((53, 1, kind))
        + options
        + b"\xff"
    )


def arp(card=CLIENT_MAC, address=CLIENT, operation=1) -> bytes:
    body = struct.pack(">HHBBH", 1, 0x0800, 6, 4, operation) + raw_mac(card) + ip_address(address).packed
    return ethernet(body + bytes(6) + ip_address(SERVER).packed, 0x0806, card, "ff:ff:ff:ff:ff:ff")


def client_hello(name: str = "ehr.example", versions: bytes = b"\x03\x04\x03\x03") -> bytes:
    listed = name.encode()
    server_name = struct.pack(">HBH", len(listed) + 3, 0, len(listed)) + listed
    extensions = b"".join(
        struct.pack(">HH", kind, len(value)) + value
        for kind, value in (
            (0x0A0A, b""),
            (0, server_name),
            (10, b"\0\x04\0\x1d\0\x17"),
            (11, b"\x01\0"),
            (13, b"\0\x04\x04\x03\x08\x04"),
            (16, b"\0\x03\x02h2"),
            (43, bytes([len(versions)]) + versions),
        )
    )
    body = b"\x03\x03" + bytes(range(32)) + b"\0" + b"\0\x06\x0a\x0a\x13\x01\xc0\x2f" + b"\x01\0"
    body += struct.pack(">H", len(extensions)) + extensions
    return tls_record(handshake(1, body))


def handshake(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def tls_record(body: bytes, kind: int = 22) -> bytes:
    return struct.pack(">BHH", kind, 0x0303, len(body)) + body


def server_hello(*, newest: bool = False) -> bytes:
    extensions = struct.pack(">HHH", 43, 2, 0x0304) if newest else b""
    body = (
        b"\x03\x03"
        + bytes(range(32, 64))
        + b"\0"
        + b"\x13\x01"
        + b"\0"
        + struct.pack(">H", len(extensions))
        + extensions
    )
    return tls_record(handshake(2, body))


def certificates(*ders: bytes) -> bytes:
    listed = b"".join(len(der).to_bytes(3, "big") + der for der in ders)
    return tls_record(handshake(11, len(listed).to_bytes(3, "big") + listed))


def mqtt_connect(client: str = "bed-7", level: int = 4, password: bytes = b"s3cret-word") -> bytes:
    body = b"\0\x04MQTT" + bytes([level, 0xC2, 0, 60]) + (b"\0" if level == 5 else b"")
    for part in (client.encode(), b"user", password):
        body += struct.pack(">H", len(part)) + part
    return b"\x10" + bytes([len(body)]) + body
