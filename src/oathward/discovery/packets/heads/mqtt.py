"""MQTT: the client identifier and version of a connection.

Rules:
- The user name, the password, topics and payloads are stepped over; what follows is searched for patients' data as any other payload.

Source: MQTT 3.1.1 §3.1, MQTT 5.0 §3.1 (CONNECT).
"""

from __future__ import annotations

from oathward.core.reasons import Reason
from oathward.discovery.model import Fact
from oathward.discovery.packets.clear import Search
from oathward.discovery.packets.conversation import Conversation, Half
from oathward.discovery.packets.head import Head
from oathward.discovery.packets.notes import text

CONNECT_BYTES_MAX = 8_192
_VERSIONS = {3: "3.1", 4: "3.1.1", 5: "5.0"}


class Connect:
    """Reads the first message of a client."""

    def __init__(self, flow: Conversation) -> None:
        self._flow = flow
        self._buffer = b""

    def take(self, half: Half, data: bytes, us: int) -> None:
        """Take the next bytes of a side; the server's say nothing here."""
        if data[:1] == b"\x20" and not self._buffer:
            return
        self._buffer += data
        size, at = _varint(self._buffer, 1)
        if at and len(self._buffer) < at + min(size, CONNECT_BYTES_MAX):
            return
        if at:
            self._connect(half, self._buffer[at : at + size], us)
        elif len(self._buffer) < 6:
            return
        rest = self._buffer[at + size :] if at else b""
        self._buffer = b""
        self._flow.reader = Search(self._flow)
        if rest:
            self._flow.reader.take(half, rest, us)

    def lost(self, half: Half) -> None:  # noqa: ARG002  readers are told which side
        """Give up: what follows is searched."""
        self._flow.reader = Search(self._flow)

    def _connect(self, half: Half, body: bytes, us: int) -> None:
        flow = self._flow
        flow.served_by(half.other)
        at = 2 + int.from_bytes(body[:2], "big")
        level = body[at] if at < len(body) else 0
        at += 4
        if level == 5:
            size, at = _varint(body, at)
            at = at + size if at else len(body)
        size = int.from_bytes(body[at : at + 2], "big")
        if level not in _VERSIONS or at + 2 + size > len(body):
            flow.notes.refuse(Reason.OBSERVED_BROKEN, "mqtt")
            return
        facts = [
            Fact("mqtt-client", text(body[at + 2 : at + 2 + size]), 0.8),
            Fact("mqtt-version", _VERSIONS[level], 0.9),
        ]
        flow.notes.say(us, "mqtt", [half.mark()], facts, flow.segment)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a variable length: it and where it ends, which is 0 where it is not whole or too long."""
    value = 0
    for shift in range(0, 28, 7):
        if at >= len(data):
            break
        value |= (data[at] & 0x7F) << shift
        at += 1
        if not data[at - 1] & 0x80:
            return value, at
    return 0, 0


def _knows(data: bytes, _source: int, _target: int) -> bool:
    return data[:1] == b"\x10" and (b"\x00\x04MQTT" in data[2:11] or b"\x00\x06MQIsdp" in data[2:13])


HEAD = Head(service="mqtt", over="tcp", knows=_knows, open=Connect, order=50)
