"""Small captures for each site, one a day: the first message of each day of every device that says on the wire who it is.

Rules:
- A connection is opened, one message goes each way, it is closed; headers and checksums are whole, so that any reader of captures can judge them.
- An HL7 device says its serial and EUI-64 in OBX-18; a gateway speaks for each device behind it. An image device says its own in the association and in the
  header of an image that has no pixels.
- Patients are made up.

Source: the pcap format (draft-ietf-opsawg-pcap), RFC 791, RFC 9293; HL7 v2.6 chapter 7 (OBX-18); PS3.7 §9.3.1 (C-STORE), PS3.8 §9.3 (PDUs), PS3.5 §7.1 (implicit VR).
"""

from __future__ import annotations

import struct
from collections.abc import Container, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import BinaryIO

from oathward_sim import names
from oathward_sim.estate.kinds import GATEWAY
from oathward_sim.estate.population import START, Device
from oathward_sim.hl7 import components, frame, message, segment, stamp

_FIN, _SYN, _PSH, _ACK = 1, 2, 8, 16
_SEGMENT_BYTES = 1_400
_UID = "1.2.826.0.1.3680043.10.9999"
"""Root of the UIDs here: under an arc for examples of this project's simulator alone."""
_IMAGE = {
    "ultrasound": ("US", "1.2.840.10008.5.1.4.1.1.6.1"),
    "ct-scanner": ("CT", "1.2.840.10008.5.1.4.1.1.2"),
    "mr-scanner": ("MR", "1.2.840.10008.5.1.4.1.1.4"),
    "x-ray": ("DX", "1.2.840.10008.5.1.4.1.1.1.1"),
}
"""Kind -> modality and SOP class (PS3.4 B.5)."""
_IMPLICIT = b"1.2.840.10008.1.2"

End = tuple[str, int]
"""Card and address of one end."""
Turn = tuple[bytes, bytes]
"""What the client sends, and the answer."""


class Heads:
    """The captures of one site, one a day, open for writing.

    Args:
        folder: of the captures; it is made. hourly: numbers of devices that others claim to be, of those with a dock, and of their gateways.
    """

    def __init__(self, folder: Path, rng: Random, hourly: Container[int]) -> None:
        folder.mkdir()
        self._folder, self._rng, self._hourly = folder, rng, hourly
        self._day = ""
        self._out: BinaryIO | None = None
        self._told: dict[int, int] = {}
        self._frames: list[tuple[int, bytes]] = []

    def speaks(
        self, at_s: float, speaker: Device, subjects: Sequence[Device], client: End, server: End, port: int
    ) -> None:
        """Write the conversation of a device that has not spoken today; in this hour, where it claims to be another, or another to be it, or there is a dock.

        Args:
            subjects: whom it speaks for: itself, or those behind it. at_s: seconds of the story.
        """
        hour = int(at_s // 3_600)
        turn = hour if speaker.claim or speaker.number in self._hourly else hour // 24
        if self._told.get(speaker.number) == turn:
            return
        self._told[speaker.number] = turn
        at = START + timedelta(seconds=at_s)
        if subjects[0].kind.speaks == "dicom":
            turns = _association(speaker, at, hour)
        else:
            bodies = [_report(one, speaker, at, hour, self._rng) for one in subjects]
            turns = [(frame(body), frame(_answer(at, n))) for n, body in enumerate(bodies)]
        self._conversation(round(at.timestamp() * 1_000_000), client, server, port, turns)

    def flush(self, day: str) -> None:
        """Write the hour, by time, into the capture of a day."""
        if self._out is None or day != self._day:
            self.close()
            self._day, self._out = day, (self._folder / f"{day}.pcap").open("wb")
            self._out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1))
        for at_us, data in sorted(self._frames):
            self._out.write(
                struct.pack("<IIII", at_us // 1_000_000, at_us % 1_000_000, len(data), len(data)) + data
            )
        self._frames.clear()

    def close(self) -> None:
        """End the day."""
        if self._out is not None:
            self._out.close()

    def _conversation(self, at_us: int, client: End, server: End, port: int, turns: Sequence[Turn]) -> None:
        """Write a connection: what the client sends in each turn, and the answer."""
        mine, theirs = self._rng.getrandbits(31), self._rng.getrandbits(31)
        source = 40_000 + self._rng.getrandbits(13)
        ask, answer = (client, server, source, port), (server, client, port, source)
        steps = [(ask, mine, 0, _SYN, b""), (answer, theirs, mine + 1, _SYN | _ACK, b"")]
        mine, theirs = mine + 1, theirs + 1
        steps.append((ask, mine, theirs, _ACK, b""))
        for asked, answered in turns:
            for data in _cut(asked):
                steps.append((ask, mine, theirs, _PSH | _ACK, data))
                mine += len(data)
            for data in _cut(answered):
                steps.append((answer, theirs, mine, _PSH | _ACK, data))
                theirs += len(data)
        steps.append((ask, mine, theirs, _FIN | _ACK, b""))
        steps.append((answer, theirs, mine + 1, _FIN | _ACK, b""))
        steps.append((ask, mine + 1, theirs + 1, _ACK, b""))
        self._frames += [(at_us + 900 * n, _packet(*step)) for n, step in enumerate(steps)]


def _cut(data: bytes) -> list[bytes]:
    return [data[at : at + _SEGMENT_BYTES] for at in range(0, len(data), _SEGMENT_BYTES)]


def _packet(
    ends: tuple[End, End, int, int], sequence: int, acknowledged: int, flags: int, data: bytes
) -> bytes:
    (from_mac, from_address), (to_mac, to_address), from_port, to_port = ends
    addresses = struct.pack("!II", from_address, to_address)
    numbers = sequence & 0xFFFFFFFF, acknowledged & 0xFFFFFFFF
    tcp = struct.pack("!HHIIBBHHH", from_port, to_port, *numbers, 0x50, flags, 65_535, 0, 0) + data
    sum_ = _checksum(addresses + struct.pack("!HH", 6, len(tcp)) + tcp)
    tcp = tcp[:16] + struct.pack("!H", sum_) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), sequence & 0xFFFF, 0x4000, 64, 6, 0) + addresses
    ip = ip[:10] + struct.pack("!H", _checksum(ip)) + ip[12:]
    return bytes.fromhex((to_mac + from_mac).replace(":", "")) + b"\x08\x00" + ip + tcp


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _serial(device: Device, hour: int) -> str:
    return device.before["serial"] if "serial" in device.before and hour < device.fate_h else device.serial


def _report(device: Device, speaker: Device, at: datetime, hour: int, rng: Random) -> bytes:
    """One observation, of a device by who speaks for it (OBX-18, EI: entity, namespace, universal id and its type)."""
    family, given = rng.choice(names.FAMILY), rng.choice(names.GIVEN_FEMALE)
    equipment = components(
        _serial(device, hour), device.maker.upper(), device.eui64.upper(), "EUI-64" if device.eui64 else ""
    )
    # An intruder says that it is the device; a gateway says who it is itself.
    own = speaker if speaker.kind is GATEWAY else device
    application = components(
        f"{own.maker.upper()}_{own.model}", own.eui64.upper(), "EUI-64" if own.eui64 else ""
    )
    control_id = f"{device.id}-{at:%d%H%M%S}"
    head = {
        3: application,
        4: device.unit,
        5: "GATEWAY",
        7: stamp(at),
        9: "ORU^R01^ORU_R01",
        10: control_id,
        11: "P",
        12: "2.6",
    }
    return message([
        segment("MSH", head),
        segment("PID", {3: components(f"97{rng.randrange(10**6):06d}", "", "", "HOSP", "MR"), 5: components(family, given)}),
        segment("OBR", {1: "1", 2: control_id, 3: control_id, 4: "69985^MDC_DEV_PUMP_INFUS_MDS^MDC", 7: stamp(at)}),
        segment("OBX", {1: "1", 2: "NM", 3: "157784^MDC_FLOW_FLUID_PUMP^MDC", 4: "1.1.1.3", 5: f"{rng.randint(1, 99)}", 11: "R", 18: equipment}),
    ])  # fmt: skip


def _answer(at: datetime, number: int) -> bytes:
    head = {3: "GATEWAY", 7: stamp(at), 9: "ACK^R01^ACK", 10: f"A{at:%d%H%M%S}{number}", 11: "P", 12: "2.6"}
    return message([segment("MSH", head), "MSA|AA"])


def _association(device: Device, at: datetime, hour: int) -> list[Turn]:
    """What an image device and its archive send each other: association, one image's header, release."""
    modality, sop_class = _IMAGE[device.kind.word]
    title = (device.host or modality)[:16].upper()
    user = _item(0x50, b"".join((
        _item(0x51, struct.pack("!I", 16_384)),
        _item(0x52, f"{_UID}.{sum(map(ord, device.maker))}".encode()),
        _item(0x55, f"{device.maker[:6].upper()}_{device.firmware}".encode()),
    )))  # fmt: skip
    asked = _item(0x20, bytes([1, 0, 0, 0]) + _item(0x30, sop_class.encode()) + _item(0x40, _IMPLICIT))
    accepted = _item(0x21, bytes([1, 0, 0, 0]) + _item(0x40, _IMPLICIT))
    ends = struct.pack("!HH16s16s32x", 1, 0, b"ARCHIVE".ljust(16), title.encode().ljust(16))
    ends += _item(0x10, b"1.2.840.10008.3.1.1.1")
    instance = f"{_UID}.{device.number}.{at:%Y%m%d%H%M%S}"
    store = _command({2: sop_class, 0x0100: 1, 0x0110: 1, 0x0700: 0, 0x0800: 0, 0x1000: instance})
    stored = _command({2: sop_class, 0x0100: 0x8001, 0x0120: 1, 0x0800: 0x0101, 0x0900: 0, 0x1000: instance})
    image = _elements({
        (0x0008, 0x0016): sop_class, (0x0008, 0x0018): instance, (0x0008, 0x0060): modality, (0x0008, 0x0070): device.maker,
        (0x0008, 0x1010): title, (0x0008, 0x1090): device.model,
        (0x0010, 0x0010): f"{names.FAMILY[device.number % 4]}^{names.GIVEN_MALE[0]}", (0x0010, 0x0020): f"97{device.number:06d}",
        (0x0018, 0x1000): _serial(device, hour), (0x0018, 0x1020): device.firmware,
    })  # fmt: skip
    return [
        (_pdu(1, ends + asked + user), _pdu(2, ends + accepted + user)),
        (_data(3, store) + _data(2, image), _data(3, stored)),
        (_pdu(5, bytes(4)), _pdu(6, bytes(4))),
    ]


def _data(flags: int, part: bytes) -> bytes:
    """P-DATA-TF with one value, whole (PS3.8 §9.3.5): 3 is a command, 2 a data set."""
    return _pdu(4, struct.pack("!IBB", len(part) + 2, 1, flags) + part)


def _command(values: dict[int, str | int]) -> bytes:
    data = _elements({(0, element): value for element, value in values.items()})
    return struct.pack("<HHII", 0, 0, 4, len(data)) + data


def _pdu(kind: int, data: bytes) -> bytes:
    return struct.pack("!BxI", kind, len(data)) + data


def _item(kind: int, data: bytes) -> bytes:
    return struct.pack("!BxH", kind, len(data)) + data


def _elements(values: dict[tuple[int, int], str | int]) -> bytes:
    written = []
    for (group, element), value in values.items():
        data = struct.pack("<H", value) if isinstance(value, int) else value.encode()
        data += b"\0" * (len(data) % 2)
        written.append(struct.pack("<HHI", group, element, len(data)) + data)
    return b"".join(written)
