"""DICOM over its upper layer: AE titles, implementations and SOP classes of an association; the device that a stored object names.

Rules:
- A PDU is read by its head; of a data set the first ``DATASET_BYTES_MAX`` are kept until pixel data, the rest is stepped over.
- Who asks for an association is the client, by what it says, and its calling title is a name of it. The called title is a name of
  the server where it accepted; before, it is what a client calls it.
- The device that an object names is the client itself where it calls itself as its station is called; else it speaks through it:
  archives send what others acquired.
- Where bytes are missing the flow is given up: nobody knows any more where a PDU begins.

Source: DICOM PS3.8 §9.3 (PDUs), PS3.7 §6.3 (command sets), §D.3.3.2 (implementation), PS3.5 §10 (transfer syntaxes).
"""

from __future__ import annotations

from struct import Struct

from oathward.core.reasons import Reason
from oathward.discovery.model import Fact, Mark, MarkKind
from oathward.discovery.packets.conversation import Conversation, Half
from oathward.discovery.packets.datasets import counted, elements
from oathward.discovery.packets.head import Head
from oathward.discovery.packets.notes import HELD_BYTES_MAX, folded, text
from oathward.protocols.dicom.reader import IMPLICIT_LE

ASSOCIATION_BYTES_MAX = 131_072
DATASET_BYTES_MAX = 16_384
"""Of a data set; what stands before pixel data is mostly shorter."""
CONTEXTS_MAX = 128
CLASSES_MAX = 24
"""SOP classes that one statement names."""

_RQ, _AC, _RJ, _DATA, _RELEASE_RQ, _ABORT = 1, 2, 3, 4, 5, 7
_STORE_RQ = 0x0001
_COMMAND_FIELD, _SOP_CLASS = 0x00000100, 0x00000002
_MAKER, _MODEL, _STATION, _SERIAL, _SOFTWARE, _MODALITY, _UID = (
    *(0x00080070, 0x00081090, 0x00081010, 0x00181000, 0x00181020, 0x00080060, 0x00181002),
)
_FACTS = {
    _MAKER: "make",
    _MODEL: "model",
    _SERIAL: "serial",
    _SOFTWARE: "firmware",
    _STATION: "host",
    _MODALITY: "modality",
}
_head = Struct(">BxL").unpack_from
_item = Struct(">BxH").unpack_from
_value = Struct(">LBB").unpack_from


class _Side:
    __slots__ = ("buffer", "command", "data", "data_left", "kind", "skip")

    def __init__(self) -> None:
        self.buffer = b""
        self.skip = 0  # bytes of a PDU or value that nobody needs
        self.kind = 0
        self.data_left = 0  # of a P-DATA-TF
        self.command: dict[int, bytes] = {}  # context -> what has come of its command set
        self.data: dict[int, bytes] = {}  # context -> what is kept of its data set


class Association:
    """Reads both sides of an association."""

    def __init__(self, flow: Conversation) -> None:
        self._flow = flow
        self._sides = (_Side(), _Side())
        self._syntaxes: dict[int, str] = {}
        self._asked: dict[int, str] = {}
        self._calling = self._called = ""

    def take(self, half: Half, data: bytes, us: int) -> None:
        """Take the next bytes of one side."""
        side = self._sides[half is self._flow.server]
        if side.skip >= len(data):
            side.skip -= len(data)
            return
        notes = self._flow.notes
        held = len(side.buffer)
        buffer = side.buffer + data[side.skip :] if held else data[side.skip :] if side.skip else data
        side.skip = 0
        at = 0
        while (step := self._step(half, side, buffer, at, us)) > 0:
            at += step
        over = len(buffer) - at
        if step < 0:
            over = 0
        elif over < 0:
            side.skip, over = -over, 0
        side.buffer = buffer[at:] if over else b""
        notes.held_bytes += len(side.buffer) - held
        if notes.held_bytes > HELD_BYTES_MAX:
            notes.refuse(Reason.OBSERVED_FULL, "dicom")
            self._flow.enough()
            self.close()

    def lost(self, half: Half) -> None:
        """Give up."""
        side = self._sides[half is self._flow.server]
        if side.skip or side.buffer or side.data_left:
            self._flow.notes.refuse(Reason.OBSERVED_CUT, "dicom")
        self._flow.enough()

    def close(self) -> None:
        """Give back what is kept."""
        for side in self._sides:
            kept = [*side.data.values(), *side.command.values(), side.buffer]
            self._flow.notes.held_bytes -= sum(map(len, kept))
            side.buffer = b""
            side.command.clear()
            side.data.clear()

    def _step(  # noqa: PLR0911  one answer a kind of PDU
        self, half: Half, side: _Side, data: bytes, at: int, us: int
    ) -> int:
        """Read what begins at ``at``: how many bytes it has, beyond what is there too; 0 to wait for more, -1 to give up."""
        if side.data_left:
            return self._presented(half, side, data, at, us)
        if at + 6 > len(data):
            return 0
        kind, size = _head(data, at)
        if kind == _DATA:
            side.data_left = size
            return 6
        if not 1 <= kind <= _ABORT:
            self._flow.notes.refuse(Reason.OBSERVED_BROKEN, "dicom")
            self._flow.enough()
            return -1
        if kind in (_RQ, _AC):
            if size > ASSOCIATION_BYTES_MAX:
                self._flow.notes.refuse(Reason.OBSERVED_FULL, "dicom")
                self._flow.enough()
                return -1
            if at + 6 + size > len(data):
                return 0
            if size >= 68:
                self._associate(half, kind, data[at + 6 : at + 6 + size], us)
        return int(6 + size)

    # --- associations

    def _associate(self, half: Half, kind: int, pdu: bytes, us: int) -> None:
        flow, notes = self._flow, self._flow.notes
        called, calling = text(pdu[4:20]), text(pdu[20:36])
        asks = kind == _RQ
        client, server = (half, half.other) if asks else (half.other, half)
        flow.served_by(server)
        contexts, info = _items(pdu, 68)
        for number, abstract, transfers, accepted in contexts[:CONTEXTS_MAX]:
            if asks:
                self._asked[number] = abstract
            elif accepted and transfers:
                self._syntaxes[number] = transfers[0]
        facts = [Fact("implementation", info[0], 0.9), Fact("implementation-version", info[1], 0.9)]
        if asks:
            self._calling, self._called = calling, called
            classes = sorted({context[1] for context in contexts if context[1]})[:CLASSES_MAX]
            facts += [Fact("sop-class", one, 0.9) for one in classes]
            notes.say(
                us,
                "dicom",
                [client.mark(), Mark(MarkKind.AE_TITLE, calling)] if calling else [],
                facts,
                flow.segment,
            )
            notes.say(
                us, "dicom", [server.mark()] if called else [], [Fact("ae-title", called, 0.5)], flow.segment
            )
        else:
            title = called or self._called
            notes.say(
                us,
                "dicom",
                [server.mark(), Mark(MarkKind.AE_TITLE, title)] if title else [],
                facts,
                flow.segment,
            )

    # --- data

    def _presented(self, half: Half, side: _Side, data: bytes, at: int, us: int) -> int:
        """Read one presentation data value, or as much as is kept of it."""
        if at + 6 > len(data):
            return 0
        size, context, control = _value(data, at)
        total = 4 + size
        if size < 2 or total > side.data_left:
            self._flow.notes.refuse(Reason.OBSERVED_BROKEN, "dicom")
            self._flow.enough()
            return -1
        kept = side.command if control & 1 else side.data
        wanted = min(size - 2, max(0, DATASET_BYTES_MAX - len(kept.get(context, b""))))
        if at + 6 + wanted > len(data):
            return 0
        self._keep(kept, context, data[at + 6 : at + 6 + wanted])
        if control & 2:
            self._ended(half, side, context, us, command=bool(control & 1))
        side.data_left -= total
        return int(total)

    def _keep(self, kept: dict[int, bytes], context: int, data: bytes) -> None:
        if context in kept or len(kept) < CONTEXTS_MAX:
            kept[context] = kept.get(context, b"") + data
            self._flow.notes.held_bytes += len(data)

    def _ended(self, half: Half, side: _Side, context: int, us: int, *, command: bool) -> None:
        notes = self._flow.notes
        if command:
            raw = side.command.pop(context, b"")
            notes.held_bytes -= len(raw)
            side.kind = next(
                (
                    int.from_bytes(value, "little")
                    for tag, _, value in elements(raw, IMPLICIT_LE)
                    if tag == _COMMAND_FIELD
                ),
                0,
            )
            return
        raw = side.data.pop(context, b"")
        notes.held_bytes -= len(raw)
        syntax = self._syntaxes.get(context, "")
        found = list(elements(raw, syntax))
        self._flow.clear("dicom", counted(found))
        if side.kind == _STORE_RQ:
            self._device(half, found, us)

    def _device(self, half: Half, found: list[tuple[int, bytes, bytes]], us: int) -> None:
        """Say which device a stored object names."""
        told: dict[int, str] = {}
        for tag, _vr, value in found:
            if tag in _FACTS and tag not in told:
                told[tag] = text(value.rstrip(b" \0"))
        maker, serial, station = (told.get(tag, "") for tag in (_MAKER, _SERIAL, _STATION))
        marks = []
        if maker and serial:
            marks.append(Mark(MarkKind.SERIAL, f"{folded(maker)}|{folded(serial)}"))
        if station:
            marks.append(Mark(MarkKind.HOST, folded(station)))
        facts = [Fact(name, told.get(tag, ""), 0.9) for tag, name in _FACTS.items()]
        flow = self._flow
        if marks and station and folded(station) == folded(self._calling):
            flow.notes.say(us, "dicom", (half.mark(), *marks), facts, flow.segment)
        elif marks:
            flow.notes.say(us, "dicom", marks, facts, flow.segment, behind=(half.mark(),))


_Context = tuple[int, str, list[str], bool]


def _items(pdu: bytes, at: int) -> tuple[list[_Context], tuple[str, str]]:
    """Read the items of an association: contexts, and the implementation's UID and version."""
    contexts: list[_Context] = []
    uid = version = ""
    while at + 4 <= len(pdu) and len(contexts) < 2 * CONTEXTS_MAX:
        kind, size = _item(pdu, at)
        body = pdu[at + 4 : at + 4 + size]
        if kind in (0x20, 0x21) and len(body) >= 4:
            inner = list(_pairs(body, 4))
            abstract = next((text(value) for sub, value in inner if sub == 0x30), "")
            contexts.append(
                (
                    body[0],
                    abstract,
                    [text(value) for sub, value in inner if sub == 0x40],
                    kind == 0x21 and body[2] == 0,
                )
            )
        elif kind == 0x50:
            for sub, value in _pairs(body, 0):
                if sub == 0x52:
                    uid = text(value.rstrip(b"\0"))
                elif sub == 0x55:
                    version = text(value.rstrip(b" \0"))
        at += 4 + size
    return contexts, (uid, version)


def _pairs(body: bytes, at: int) -> list[tuple[int, bytes]]:
    found = []
    while at + 4 <= len(body):
        kind, size = _item(body, at)
        found.append((kind, body[at + 4 : at + 4 + size]))
        at += 4 + size
    return found


def _knows(data: bytes, _source: int, _target: int) -> bool:
    """A-ASSOCIATE-RQ or -AC: protocol version 1 is among the bits, and what is reserved is zero."""
    return (
        len(data) >= 10
        and data[0] in (_RQ, _AC)
        and data[1] == 0
        and data[2] == 0
        and data[7] & 1 == 1
        and data[8:10] == b"\0\0"
    )


HEAD = Head(service="dicom", over="tcp", knows=_knows, open=Association, order=20)
