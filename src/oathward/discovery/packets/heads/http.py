"""HTTP in clear: what client and server call themselves, the name that was asked for, FHIR in bodies.

Rules:
- Heads are read one after the other; a body is kept where its type says JSON, and stepped over where its length is known.
- What cannot be stepped over (no length, an upgrade, a tunnel) ends the look at that side.
- A Device that a client sends is spoken of by it; one that a server gives is an entry of somebody's list.
- Neither addresses nor any other header is kept: they hold names of patients.

Source: RFC 9110, RFC 9112 §6 (length of a body), §7 (chunks); FHIR R4 Device.
"""

from __future__ import annotations

import re
from typing import Any

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason
from oathward.discovery.model import Fact, Mark, MarkKind
from oathward.discovery.packets.clear import counted_fhir, resources_of
from oathward.discovery.packets.conversation import Conversation, Half
from oathward.discovery.packets.head import Head
from oathward.discovery.packets.notes import HELD_BYTES_MAX, folded, text
from oathward.discovery.udi import is_whole

HEAD_BYTES_MAX = 32_768
BODY_BYTES_MAX = 1_048_576
_METHODS = (b"GET ", b"POST ", b"PUT ", b"HEAD ", b"DELETE ", b"PATCH ", b"OPTIONS ", b"CONNECT ")
_FIELD = re.compile(
    rb"(?im)^(server|user-agent|host|content-type|content-length|transfer-encoding|upgrade):[ \t]*([^\r\n]*)"
)
_CUT = -1


class _Side:
    __slots__ = ("buffer", "chunked", "json", "kept", "left")

    def __init__(self) -> None:
        self.buffer = b""
        self.left = 0  # of a body that is there by length, or of a chunk
        self.chunked = self.json = False
        self.kept = bytearray()


class Exchange:
    """Reads requests and answers of one flow."""

    def __init__(self, flow: Conversation) -> None:
        self._flow = flow
        self._sides = (_Side(), _Side())

    def take(self, half: Half, data: bytes, us: int) -> None:
        """Take the next bytes of one side."""
        notes = self._flow.notes
        side = self._sides[half is self._flow.server]
        before = len(side.buffer) + len(side.kept)
        side.buffer += data
        while half.stream is not None and self._step(half, side, us):
            pass
        if half.stream is None:
            side.buffer = b""
            side.kept.clear()
        notes.held_bytes += len(side.buffer) + len(side.kept) - before
        if notes.held_bytes > HELD_BYTES_MAX:
            notes.refuse(Reason.OBSERVED_FULL, "http")
            self._flow.enough()
            self.close()

    def lost(self, half: Half) -> None:
        """Begin again with the next head, should one begin a segment."""
        side = self._sides[half is self._flow.server]
        self._flow.notes.held_bytes -= len(side.buffer) + len(side.kept)
        side.buffer, side.left, side.chunked, side.json = b"", 0, False, False
        side.kept.clear()

    def close(self) -> None:
        """Give back what is kept."""
        for side in self._sides:
            self._flow.notes.held_bytes -= len(side.buffer) + len(side.kept)
            side.buffer = b""
            side.kept.clear()

    def _step(self, half: Half, side: _Side, us: int) -> bool:
        """Take one part: of a body, or a head; False to wait for more."""
        if side.left > 0:
            part = side.buffer[: side.left]
            side.left -= len(part)
            side.buffer = side.buffer[len(part) :]
            self._keep(side, part)
            if side.left == 0 and not side.chunked:
                self._body(half, side, us)
            return side.left == 0
        if side.chunked:
            return self._chunk(half, side, us)
        return self._head(half, side, us)

    def _keep(self, side: _Side, part: bytes) -> None:
        if side.json:
            side.kept += part
            if len(side.kept) > BODY_BYTES_MAX:
                self._flow.notes.refuse(Reason.OBSERVED_FULL, "http")
                side.json = False
                side.kept.clear()

    def _chunk(self, half: Half, side: _Side, us: int) -> bool:
        line, end, rest = side.buffer.lstrip(b"\r\n").partition(b"\r\n")
        if not end:
            if len(side.buffer) > 1_024:
                half.drop()
            return False
        try:
            size = int(line.split(b";")[0].strip()[:16], 16)
        except ValueError:
            size = _CUT
        if size < 0:
            self._flow.notes.refuse(Reason.OBSERVED_BROKEN, "http")
            half.drop()
            return False
        side.buffer, side.left = rest, size
        if size == 0:
            side.chunked = False
            side.buffer = rest.removeprefix(b"\r\n")
            self._body(half, side, us)
        return True

    def _head(self, half: Half, side: _Side, us: int) -> bool:
        end = side.buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(side.buffer) > HEAD_BYTES_MAX or not _begins(side.buffer):
                half.drop()
            return False
        head, side.buffer = side.buffer[: end + 2], side.buffer[end + 4 :]
        if end > HEAD_BYTES_MAX or not _begins(head):
            half.drop()
            return False
        fields = {name.lower(): value for name, value in _FIELD.findall(head)}
        answer = head.startswith(b"HTTP/")
        self._tell(half, fields, us, answer=answer)
        if b"upgrade" in fields or head.startswith(b"CONNECT "):
            self._flow.enough()
            return False
        side.json = b"json" in fields.get(b"content-type", b"").lower()
        side.chunked = b"chunked" in fields.get(b"transfer-encoding", b"").lower()
        size = fields.get(b"content-length", b"").strip()
        if side.chunked:
            return True
        if size.isdigit() and len(size) <= 18:
            side.left = int(size)
            bodiless = answer and head[9:12] in (b"204", b"304")
            side.left = 0 if bodiless else side.left
        elif answer and head[9:10] != b"1" and head[9:12] not in (b"204", b"304"):
            half.drop()  # until the connection ends
            return False
        return True

    def _tell(self, half: Half, fields: dict[bytes, bytes], us: int, *, answer: bool) -> None:
        flow = self._flow
        flow.served_by(half if answer else half.other)
        if not answer and (host := folded(fields.get(b"host", b"").rpartition(b"@")[2].split(b":")[0])):
            flow.server_name = host
        name, header = ("server-software", b"server") if answer else ("user-agent", b"user-agent")
        if value := text(fields.get(header, b"")):
            flow.notes.say(us, "http", [half.mark()], [Fact(name, value, 0.6)], flow.segment)

    def _body(self, half: Half, side: _Side, us: int) -> None:
        body = bytes(side.kept)
        side.kept.clear()
        if not side.json or b'"resourceType"' not in body:
            return
        notes = self._flow.notes
        try:
            found = resources_of(body)
        except DecodeError as error:
            notes.refuse(error.reason, "fhir")
            return
        if found:
            self._flow.service = "fhir"
            self._flow.clear("fhir", counted_fhir(found, notes.refused))
        for resource in found:
            if resource["resourceType"] == "Device":
                self._device(half, resource, us)

    def _device(self, half: Half, resource: dict[str, Any], us: int) -> None:
        maker, model = _string(resource, "manufacturer"), _string(resource, "modelNumber")
        serial = _string(resource, "serialNumber")
        carriers = [one for one in _list(resource, "udiCarrier") if isinstance(one, dict)]
        udi = next((found for one in carriers if is_whole(found := _string(one, "carrierHRF"))), "")
        facts = [
            Fact("make", maker, 0.8),
            Fact("model", model, 0.8),
            Fact("serial", serial, 0.8),
            Fact("udi", udi, 0.8),
        ]
        facts.append(
            Fact(
                "firmware",
                next(
                    (_string(one, "value") for one in _list(resource, "version") if isinstance(one, dict)), ""
                ),
                0.8,
            )
        )
        marks = [Mark(MarkKind.UDI, udi)] if udi else []
        marks += [Mark(MarkKind.SERIAL, f"{folded(maker)}|{folded(serial)}")] if maker and serial else []
        for one in _list(resource, "identifier"):
            value = _string(one, "value") if isinstance(one, dict) else ""
            bare = value.replace("-", "").removeprefix("urn:oid:")
            if re.fullmatch(r"[0-9A-Fa-f]{16}", bare):
                marks.append(Mark(MarkKind.EUI64, bare.lower()))
        behind = (half.mark(),) if half is self._flow.client else ()
        self._flow.notes.say(us, "fhir", marks, facts, self._flow.segment, behind=behind)


def _string(resource: dict[str, Any], key: str) -> str:
    value = resource.get(key)
    return text(value) if isinstance(value, str) else ""


def _list(resource: dict[str, Any], key: str) -> list[Any]:
    value = resource.get(key)
    return value[:20] if isinstance(value, list) else []


def _begins(head: bytes) -> bool:
    return head.startswith((b"HTTP/1.", *_METHODS)) or (len(head) < 8 and b"HTTP/1.".startswith(head[:7]))


def _knows(data: bytes, _source: int, _target: int) -> bool:
    return data.startswith((b"HTTP/1.", *_METHODS))


HEAD = Head(service="http", over="tcp", knows=_knows, open=Exchange, order=40)
