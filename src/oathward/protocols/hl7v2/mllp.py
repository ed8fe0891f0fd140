"""MLLP frames without sockets: cut a stream into frames, wrap a message.

A frame is VT, the message, FS, CR. What a hostile or broken stream gets (each is a row in
``tests/unit/protocols/hl7v2/test_mllp.py``):

| stream | outcome |
|---|---|
| bytes between frames | counted and skipped; more than ``junk_bytes_max`` before one VT: FRAME_JUNK |
| VT inside a frame | FRAME_NESTED: the message before it was never finished, and is never taken for whole |
| FS without CR after it | FRAME_UNTERMINATED: a cut-off message is never taken for whole |
| the stream ends inside a frame | ``close`` raises FRAME_UNTERMINATED |
| a frame that never ends | FRAME_TOO_LARGE above ``frame_bytes_max``; time limits are the listener's |
| several frames at once, any split | each frame once, in order |
| an empty frame | ``b""``, which ``decode`` refuses |

Rules:
- After an error the framer is finished: it keeps no bytes and raises the same error again. The connection
  must be closed, because nobody knows any more where a message starts.
- Frames that were whole before the error are handed out first.
- Each byte is looked at once, however small the pieces it comes in.

Deliberately absent: sockets, timeouts, replies.

Source: HL7 Transport Specification: MLLP, release 1 and release 2 (block format §2, commit acknowledgement §3).
"""

from __future__ import annotations

from dataclasses import dataclass

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason

VT, FS, CR = 0x0B, 0x1C, 0x0D
COMMIT_ACK = b"\x0b\x06\x1c\r"
"""MLLP release 2: the block was stored."""
COMMIT_NAK = b"\x0b\x15\x1c\r"
"""MLLP release 2: the block was not stored."""

_START, _END = b"\x0b", b"\x1c\r"


@dataclass(frozen=True, slots=True)
class FrameLimits:
    """What one connection may send between two frames and in one."""

    frame_bytes_max: int = 1_048_576
    junk_bytes_max: int = 1_024


FRAME_LIMITS = FrameLimits()


class Framer:
    """Cut one connection's bytes into frames.

    ``junk_bytes``: skipped between frames so far, for the connection's record.
    """

    __slots__ = ("_buffer", "_error", "_gap_bytes", "_inside", "_limits", "junk_bytes")

    def __init__(self, limits: FrameLimits = FRAME_LIMITS) -> None:
        self._limits = limits
        self._buffer = bytearray()  # from just after VT up to and with FS while inside a frame, else empty
        self._inside = False
        self._gap_bytes = 0
        self._error: DecodeError | None = None
        self.junk_bytes = 0

    @property
    def pending(self) -> bool:
        """Say whether a frame has begun and not ended: the listener's message clock runs."""
        return self._inside

    @property
    def pending_bytes(self) -> int:
        """How much of an unfinished frame is kept."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes, give the frames they finish.

        Raises:
            DecodeError: FRAME_JUNK, FRAME_NESTED, FRAME_UNTERMINATED or FRAME_TOO_LARGE. Where the same bytes
                also finished frames, these are returned and the next call raises; ``feed(b"")`` is enough.
        """
        if self._error is not None:
            raise self._error
        if not self._inside and _is_one_frame(data) and len(data) - 3 <= self._limits.frame_bytes_max:
            self._gap_bytes = 0
            return [data[1:-2]]
        frames: list[bytes] = []
        try:
            self._take(data, frames)
        except DecodeError as error:
            self._buffer.clear()
            self._error = error
            if not frames:
                raise
        return frames

    def close(self) -> None:
        """Take the end of the stream.

        Raises:
            DecodeError: FRAME_UNTERMINATED inside a frame, or the error met before.
        """
        if self._error is not None:
            raise self._error
        if self._inside:
            raise _refused("the end of the frame before the end of the stream", Reason.FRAME_UNTERMINATED)

    def _take(self, data: bytes, frames: list[bytes]) -> None:
        position = 0
        while position < len(data):
            if not self._inside:
                position = self._skip(data, position)
                continue
            end = data.find(FS, position)
            stop = len(data) if end < 0 else end + 1
            position = self._append(data, position, stop, frames)

    def _skip(self, data: bytes, position: int) -> int:
        start = data.find(VT, position)
        gap = (len(data) if start < 0 else start) - position
        self._gap_bytes += gap
        self.junk_bytes += gap
        if self._gap_bytes > self._limits.junk_bytes_max:
            raise _refused(f"at most {self._limits.junk_bytes_max} bytes between frames", Reason.FRAME_JUNK)
        if start < 0:
            return len(data)
        self._inside, self._gap_bytes = True, 0
        return start + 1

    def _append(self, data: bytes, position: int, stop: int, frames: list[bytes]) -> int:
        """Take bytes up to and with FS, or the CR that a FS seen before needs."""
        buffer = self._buffer
        if buffer and buffer[-1] == FS:
            if data[position] != CR:
                raise _refused("CR after FS", Reason.FRAME_UNTERMINATED)
            frames.append(bytes(memoryview(buffer)[:-1]))
            buffer.clear()
            self._inside = False
            return position + 1
        if data.find(VT, position, stop) >= 0:
            raise _refused("FS and CR before the next VT", Reason.FRAME_NESTED)
        if len(buffer) + stop - position - (data[stop - 1] == FS) > self._limits.frame_bytes_max:
            raise _refused(f"at most {self._limits.frame_bytes_max} bytes", Reason.FRAME_TOO_LARGE)
        buffer += data[position:stop]
        return stop


def wrap(body: bytes) -> bytes:
    """Make a frame.

    Raises:
        DecodeError: FRAME_NESTED, where the body holds VT or FS.
    """
    if VT in body or FS in body:
        raise _refused("no VT or FS in a message", Reason.FRAME_NESTED)
    return b"%b%b%b" % (_START, body, _END)


def _is_one_frame(data: bytes) -> bool:
    return (
        data.startswith(_START)
        and data.endswith(_END)
        and data.find(VT, 1) < 0
        and data.find(FS) == len(data) - 2
    )


def _refused(why: str, reason: Reason) -> DecodeError:
    return DecodeError("frame", why, reason=reason)
