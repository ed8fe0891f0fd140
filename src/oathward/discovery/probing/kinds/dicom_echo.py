"""DICOM: one association for Verification, one C-ECHO, one release; for implementation and whether the AE title is taken.

Rules:
- Verification alone is offered: nothing can be stored, found or moved over the association.
- Where the association is rejected or aborted, why stands in ``detail``, as the standard says it.

Source: DICOM PS3.8 §9.3 (PDUs), PS3.7 §9.3.5 (C-ECHO) and §D.3.3 (user information), PS3.4 Annex A (Verification).
"""

from __future__ import annotations

from struct import pack, unpack_from

from oathward.discovery.model import Fact
from oathward.discovery.packets.heads.dicom import ASSOCIATION_BYTES_MAX, HEAD
from oathward.discovery.probing.overheard import Overheard
from oathward.discovery.probing.probe import Outcome, Probe, Told
from oathward.protocols.dicom.reader import IMPLICIT_LE
from oathward.protocols.dicom.rewrite import IMPLEMENTATION_NAME, IMPLEMENTATION_UID

ANY_TITLE = "ANY-SCP"
"""Asked for where nobody knows the device's title; many take any."""

CALLING = "OATHWARD"
TITLE_LENGTH_MAX = 16

_VERIFICATION, _CONTEXT_NAME = b"1.2.840.10008.1.1", b"1.2.840.10008.3.1.1.1"
_RQ, _AC, _RJ, _DATA, _RELEASE_RQ, _RELEASE_RP, _ABORT = range(1, 8)
_CONTEXT = 1
_RECEIVE_BYTES_MAX = 16_384
_COMMAND_FIELD, _STATUS, _ECHO_RSP = 0x0100, 0x0900, 0x8030
_REJECTED = {
    (1, 1): "no reason given",
    (1, 2): "application context not supported",
    (1, 3): "calling AE title not recognised",
    (1, 7): "called AE title not recognised",
    (2, 1): "no reason given",
    (2, 2): "protocol version not supported",
    (3, 1): "temporary congestion",
    (3, 2): "local limit exceeded",
}
"""(source, reason) of an A-ASSOCIATE-RJ, PS3.8 table 9-21."""


class Echo:
    """A Verification user's side of one association. ``called``: AE title that is asked for; empty for any."""

    def __init__(self, _address: str, port: int, called: str) -> None:
        self.done = False
        self._called = called
        self._buffer = b""
        self._overheard = Overheard(HEAD, port)
        self._outcome, self._detail, self._accepted = Outcome.SILENT, "", False

    def begin(self) -> bytes:
        """Give the request for an association."""
        return _request(self._called or ANY_TITLE)

    def take(self, data: bytes) -> bytes:
        """Take bytes of the other side, and answer each whole PDU."""
        self._buffer += data
        answer = b""
        while not self.done and len(self._buffer) >= 6:
            kind, size = self._buffer[0], int.from_bytes(self._buffer[2:6], "big")
            if not _AC <= kind <= _ABORT or size > ASSOCIATION_BYTES_MAX:
                self._end(Outcome.OTHER if self._outcome is Outcome.SILENT else self._outcome)
            elif len(self._buffer) < 6 + size:
                break
            else:
                pdu, self._buffer = self._buffer[: 6 + size], self._buffer[6 + size :]
                answer += self._answer(kind, pdu)
        return answer

    def told(self) -> Told:
        """Say what the other side is, and whether it took the title and the echo."""
        facts = self._overheard.facts()
        if self._accepted and self._called:
            facts += (Fact("ae-title", self._called, 0.6),)
        return Told(self._outcome, facts, detail=self._detail)

    def _answer(self, kind: int, pdu: bytes) -> bytes:
        if kind == _AC:
            return self._associated(pdu)
        if kind == _DATA:
            status = _status(pdu)
            self._outcome = Outcome.OTHER if status is None else Outcome.ANSWERED
            self._detail = "" if not status else f"status {status:04X}"
            return _pdu(_RELEASE_RQ, bytes(4))
        if kind == _RJ and len(pdu) >= 10:
            self._detail = _REJECTED.get((pdu[8], pdu[9]), "rejected")
        elif kind == _ABORT:
            self._detail = "aborted"
        if kind != _RELEASE_RP:
            self._outcome = Outcome.DECLINED
        self._end(self._outcome)
        return b""

    def _associated(self, pdu: bytes) -> bytes:
        self._overheard.take(pdu)
        self._accepted = len(pdu) >= 74 and not self._overheard.broken
        if not self._accepted:
            self._end(Outcome.OTHER)
            return b""
        if not _context_taken(pdu):
            self._outcome, self._detail = Outcome.DECLINED, "Verification not accepted"
            return _pdu(_RELEASE_RQ, bytes(4))
        return _pdu(_DATA, _echo())

    def _end(self, outcome: Outcome) -> None:
        self.done, self._outcome = True, outcome


def _request(called: str) -> bytes:
    """Write an A-ASSOCIATE-RQ that offers Verification in Implicit VR Little Endian."""
    offered = (
        bytes((_CONTEXT, 0, 0, 0)) + _item(0x30, _VERIFICATION) + _item(0x40, IMPLICIT_LE.encode("ascii"))
    )
    user = (
        _item(0x51, pack(">L", _RECEIVE_BYTES_MAX))
        + _item(0x52, IMPLEMENTATION_UID.encode("ascii"))
        + _item(0x55, IMPLEMENTATION_NAME)
    )
    titles = b"".join(
        one.encode("ascii", "replace")[:TITLE_LENGTH_MAX].ljust(TITLE_LENGTH_MAX) for one in (called, CALLING)
    )
    fixed = pack(">HH", 1, 0) + titles + bytes(32)
    return _pdu(_RQ, fixed + _item(0x10, _CONTEXT_NAME) + _item(0x20, offered) + _item(0x50, user))


def _echo() -> bytes:
    """Write a C-ECHO-RQ as one presentation data value."""
    uid = _VERIFICATION + b"\0"
    command = (
        _element(0x0002, uid)
        + _element(0x0100, pack("<H", 0x0030))
        + _element(0x0110, pack("<H", 1))
        + _element(0x0800, pack("<H", 0x0101))
    )
    command = _element(0x0000, pack("<L", len(command))) + command
    return pack(">LBB", len(command) + 2, _CONTEXT, 3) + command


def _status(pdu: bytes) -> int | None:
    """Read the status of a C-ECHO-RSP out of a P-DATA-TF; None where it is none."""
    if len(pdu) < 12:
        return None
    (size,) = unpack_from(">L", pdu, 6)
    command, found, at = pdu[12 : 10 + size], dict[int, int](), 0
    while at + 8 <= len(command):
        group, number, length = unpack_from("<HHL", command, at)
        if group:
            return None
        found[number] = int.from_bytes(command[at + 8 : at + 8 + length][:2], "little")
        at += 8 + length
    return found.get(_STATUS) if found.get(_COMMAND_FIELD) == _ECHO_RSP else None


def _context_taken(pdu: bytes) -> bool:
    """Say whether an A-ASSOCIATE-AC accepts the one context that was offered."""
    at = 74
    while at + 8 <= len(pdu):
        kind, size = unpack_from(">BxH", pdu, at)
        if kind == 0x21:
            return pdu[at + 4] == _CONTEXT and pdu[at + 6] == 0
        at += 4 + size
    return False


def _pdu(kind: int, body: bytes) -> bytes:
    return pack(">BxL", kind, len(body)) + body


def _item(kind: int, body: bytes) -> bytes:
    return pack(">BxH", kind, len(body)) + body


def _element(number: int, value: bytes) -> bytes:
    """Write an element of group 0000, Implicit VR Little Endian."""
    return pack("<HHL", 0, number, len(value)) + value


PROBE = Probe(
    words="DICOM implementation, by C-ECHO",
    port=104,
    order=30,
    says=frozenset(("implementation", "implementation-version", "ae-title")),
    talk=Echo,
)
