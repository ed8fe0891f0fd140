"""Messages of flow exporters: NetFlow v5, v9 and IPFIX as halves of flows.

Rules:
- A set whose template has not come waits for it, in bounded memory; what waits in vain is counted.
- Records of options tell of the exporter: its samplers (``logs.sampling``); the rest of them is read over.
- Times without a date (milliseconds since the exporter's start) are put by the time of its message; the counter of 32 bits may have begun anew.

Source: NetFlow v5 (Cisco, *NetFlow Export Datagram Format*), RFC 3954 (v9), RFC 7011 (IPFIX; §6.1.9 and §6.1.10 NTP times), RFC 5103 (biflows).
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from oathward.core.reasons import Reason
from oathward.discovery.logs.gathering import Gathered
from oathward.discovery.logs.halves import Half
from oathward.discovery.logs.sampling import Samplers, one_in_v5, scaled
from oathward.discovery.logs.templates import Domain, Template, Templates, record_at
from oathward.discovery.totals import COUNT_MAX

V5, V9, IPFIX = 5, 9, 10
_HEADS = {V5: 24, V9: 20, IPFIX: 16}
_V5_RECORD = struct.Struct("!4s4s4xHHIIIIHHxBB9x")
_V5_RECORDS_MAX = 30
WAITING_BYTES_MAX = 1_048_576
_NTP_EPOCH_S = 2_208_988_800
_TIME_MAX = 2**62
_PROTOCOLS = {1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 47: "gre", 50: "esp", 58: "icmp", 132: "sctp"}
_WITH_PORTS = frozenset(("tcp", "udp", "sctp"))


class Message(NamedTuple):
    """What the head of a message says: when it was sent, and when the exporter had started (-1 where it does not say), in microseconds UTC."""

    domain: Domain
    sent_us: int
    boot_us: int


class Waiting(NamedTuple):
    """A set whose template has not come."""

    message: Message
    number: int
    data: bytes


class Exports:
    """What is known of exporters while their messages are read."""

    def __init__(self) -> None:
        self.templates = Templates()
        self._samplers = Samplers()
        self._waiting: deque[Waiting] = deque()
        self._waiting_bytes = 0

    def message(self, data: bytes, exporter: str, gathered: Gathered) -> Iterator[Half]:
        """Read one message, whole."""
        version = int.from_bytes(data[:2])
        head = _HEADS.get(version)
        if head is None or len(data) < head:
            gathered.refuse(Reason.OBSERVED_BROKEN, "message")
        elif version == V5:
            one_in = one_in_v5(data)
            yield from (scaled(half, one_in) for half in _v5(data, gathered))
        else:
            yield from self._sets(_message(data, exporter), data[head:], gathered)

    def end(self, gathered: Gathered) -> None:
        """Count the sets whose template never came."""
        gathered.refuse(Reason.OBSERVED_TEMPLATE, "set", len(self._waiting))
        self._waiting.clear()
        self._waiting_bytes = 0

    def _sets(self, message: Message, data: bytes, gathered: Gathered) -> Iterator[Half]:
        ids = (0, 1) if message.domain.version == V9 else (2, 3)
        at = 0
        while at + 4 <= len(data):
            number, length = int.from_bytes(data[at : at + 2]), int.from_bytes(data[at + 2 : at + 4])
            if length < 4 or at + length > len(data):
                gathered.refuse(Reason.OBSERVED_CUT if length >= 4 else Reason.OBSERVED_BROKEN, "set")
                return
            inside = data[at + 4 : at + length]
            at += length
            if number in ids:
                for told in self.templates.take_set(
                    message.domain, inside, gathered, options=number == ids[1]
                ):
                    yield from self._awaited(message.domain, told, gathered)
            elif number >= 256:
                yield from self._records(message, number, inside, gathered)
            else:
                gathered.refuse(Reason.OBSERVED_UNKNOWN, "set")

    def _records(self, message: Message, number: int, data: bytes, gathered: Gathered) -> Iterator[Half]:
        template = self.templates.get(message.domain, number)
        if template is None:
            self._wait(Waiting(message, number, data), gathered)
            return
        for record in _read(template, data, gathered):
            if template.is_options:
                self._samplers.take(message.domain, record, gathered)
            elif (half := _flow(message, record, gathered)) is not None:
                yield scaled(half, self._samplers.one_in(message.domain, record))

    def _wait(self, waiting: Waiting, gathered: Gathered) -> None:
        self._waiting.append(waiting)
        self._waiting_bytes += len(waiting.data) + 100
        while self._waiting_bytes > WAITING_BYTES_MAX:
            gone = self._waiting.popleft()
            self._waiting_bytes -= len(gone.data) + 100
            gathered.refuse(Reason.OBSERVED_TEMPLATE, "set")

    def _awaited(self, domain: Domain, number: int, gathered: Gathered) -> Iterator[Half]:
        if not self._waiting:
            return
        came = [one for one in self._waiting if one.number == number and one.message.domain == domain]
        if came:
            self._waiting = deque(
                one for one in self._waiting if one.number != number or one.message.domain != domain
            )
            self._waiting_bytes -= sum(len(one.data) + 100 for one in came)
            for one in came:
                yield from self._records(one.message, number, one.data, gathered)


def _message(data: bytes, exporter: str) -> Message:
    if data[1] == V9:
        uptime_ms, sent_s, _, number = struct.unpack_from("!IIII", data, 4)
        return Message(
            Domain(exporter, V9, number), sent_s * 1_000_000, sent_s * 1_000_000 - uptime_ms * 1_000
        )
    sent_s, _, number = struct.unpack_from("!III", data, 4)
    return Message(Domain(exporter, IPFIX, number), sent_s * 1_000_000, -1)


def _v5(data: bytes, gathered: Gathered) -> Iterator[Half]:
    count, uptime_ms, sent_s, sent_ns = struct.unpack_from("!HIII", data, 2)
    there = min((len(data) - _HEADS[V5]) // _V5_RECORD.size, count, _V5_RECORDS_MAX)
    gathered.refuse(Reason.OBSERVED_CUT, "record", min(count, _V5_RECORDS_MAX) - there)
    gathered.refuse(Reason.OBSERVED_BROKEN, "message", int(count > _V5_RECORDS_MAX))
    sent_us = sent_s * 1_000_000 + min(sent_ns, 999_999_999) // 1_000
    boot_us = sent_us - uptime_ms * 1_000
    for one in _V5_RECORD.iter_unpack(data[_HEADS[V5] : _HEADS[V5] + there * _V5_RECORD.size]):
        source, target, _, _, packets, octets, first, last, source_port, target_port, _, protocol = one
        start, end = _since_boot(boot_us, sent_us, first), _since_boot(boot_us, sent_us, last)
        transport, ports = _transport(protocol, source_port, target_port)
        yield Half(
            start,
            end,
            _address(source),
            ports[0],
            "",
            _address(target),
            ports[1],
            "",
            transport,
            octets,
            packets,
        )


def _read(template: Template, data: bytes, gathered: Gathered) -> Iterator[dict[str, int | bytes]]:
    at = 0
    while at + template.length <= len(data):
        read = record_at(data, at, template)
        if read is None or read[1] == at:
            gathered.refuse(Reason.OBSERVED_CUT, "record")
            return
        record, at = read
        yield record


def _flow(message: Message, record: dict[str, int | bytes], gathered: Gathered) -> Half | None:
    source, target = record.get("source"), record.get("target")
    if isinstance(source, bytes) and isinstance(target, bytes):
        return _half(message, _Record(record), source, target)
    gathered.refuse(Reason.OBSERVED_UNKNOWN, "record")  # of layer 2 alone, or of something else than flows
    return None


class _Record:
    """One record: whole numbers and bytes by name."""

    def __init__(self, said: dict[str, int | bytes]) -> None:
        self._said = said

    def whole(self, name: str) -> int | None:
        value = self._said.get(name)
        return value if isinstance(value, int) else None

    def count(self, name: str) -> int | None:
        """Give a count, no larger than one that is kept."""
        value = self.whole(name)
        return None if value is None else min(value, COUNT_MAX)

    def raw(self, name: str) -> bytes:
        value = self._said.get(name)
        return value if isinstance(value, bytes) else b""


def _half(message: Message, record: _Record, source: bytes, target: bytes) -> Half:
    start, end = _times(message, record)
    ports = (record.whole("source_port") or 0, record.whole("target_port") or 0)
    transport, ports = _transport(record.whole("protocol"), *ports)
    vlan, ssid = record.whole("vlan"), record.raw("ssid").rstrip(b"\0").decode("utf-8", "replace")
    cards = (_card(record.raw("source_mac")), _card(record.raw("target_mac")))
    direction = record.whole("direction")
    return Half(
        start,
        end,
        _address(source),
        ports[0],
        cards[0],
        _address(target),
        ports[1],
        cards[1],
        transport,
        record.count("bytes") or 0,
        record.count("packets") or 0,
        ssid or (f"vlan {vlan}" if vlan else ""),
        record.raw("application").rstrip(b"\0").decode("utf-8", "replace"),
        record.count("back_bytes"),
        record.count("back_packets"),
        None if direction is None else direction != 2,  # 2: the source answered (RFC 5103 §6.3)
    )


def _times(message: Message, record: _Record) -> tuple[int, int]:
    """Give begin and end in microseconds UTC, by the surest of the elements that tell them."""
    start, end = _moment(message, record, "start"), _moment(message, record, "end")
    lasted_us, lasted_ms = record.whole("duration_us"), record.whole("duration_ms")
    lasted = lasted_us if lasted_us is not None else (lasted_ms or 0) * 1_000
    up_first, up_last = record.whole("start_uptime"), record.whole("end_uptime")
    if start is None and end is None and up_first is not None and up_last is not None:
        end = (
            message.sent_us
        )  # an exporter that does not say when it started: how long it lasted is all that is known
        lasted = max(up_last - up_first, 0) * 1_000
    if end is None:
        end = start + lasted if start is not None else message.sent_us
    start = start if start is not None else end - lasted
    return max(start, 0), min(
        max(end, 0), _TIME_MAX
    )  # numbers of 64 bits: what cannot be is refused by its time


def _moment(message: Message, record: _Record, which: str) -> int | None:
    for unit, scale in (("ms", 1_000), ("s", 1_000_000)):
        said = record.whole(f"{which}_{unit}")
        if said is not None:
            return min(said * scale, _TIME_MAX)
    ntp = record.whole(f"{which}_ntp")
    if ntp is not None:
        return ((ntp >> 32) - _NTP_EPOCH_S) * 1_000_000 + ((ntp & 0xFFFFFFFF) * 1_000_000 >> 32)
    before = record.whole(f"{which}_before_us")
    if before is not None:
        return message.sent_us - before
    up, boot_ms = record.whole(f"{which}_uptime"), record.whole("boot_ms")
    boot_us = message.boot_us if boot_ms is None else boot_ms * 1_000
    return None if up is None or boot_us < 0 else _since_boot(boot_us, message.sent_us, up)


def _since_boot(boot_us: int, sent_us: int, up_ms: int) -> int:
    """Put milliseconds since the exporter's start; those far ahead of its message are from before the counter began anew."""
    there = min(boot_us + up_ms * 1_000, _TIME_MAX)
    return there - 2**32 * 1_000 if there > sent_us + 3_600_000_000 else there


@lru_cache(maxsize=65_536)
def _address(raw: bytes) -> str:
    if len(raw) == 4:
        return str(IPv4Address(raw))
    return str(IPv6Address(raw)) if len(raw) == 16 else ""


def _card(raw: bytes) -> str:
    return raw.hex(":") if len(raw) == 6 else ""


def _transport(protocol: int | None, source_port: int, target_port: int) -> tuple[str, tuple[int, int]]:
    name = _PROTOCOLS.get(protocol, f"ip{protocol}") if protocol is not None else ""
    return name, (source_port & 0xFFFF, target_port & 0xFFFF) if name in _WITH_PORTS or not name else (0, 0)
