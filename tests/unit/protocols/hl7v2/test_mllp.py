"""MLLP: every hostile stream has one defined outcome, whatever pieces it comes in."""

import pytest

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason
from oathward.protocols.hl7v2.mllp import COMMIT_ACK, COMMIT_NAK, FrameLimits, Framer, wrap

A, B = b"MSH|^~\\&|a\r", b"MSH|^~\\&|b\rPID|1\r"
LIMITS = FrameLimits(frame_bytes_max=40, junk_bytes_max=10)

# (name, stream, frames that come out, reason of the error or None, what close() says or None)
STREAMS = [
    ("one frame", wrap(A), [A], None, None),
    ("pipelined", wrap(A) + wrap(B) + wrap(A), [A, B, A], None, None),
    ("an empty frame", wrap(b""), [b""], None, None),
    ("nothing", b"", [], None, None),
    ("line ends between frames", wrap(A) + b"\r\n" + wrap(B), [A, B], None, None),
    ("a little junk before VT", b"0123456789" + wrap(A), [A], None, None),
    ("a little junk in each gap", (b"01234567" + wrap(A)) * 3, [A, A, A], None, None),
    ("too much junk before VT", b"0123456789x" + wrap(A), [], Reason.FRAME_JUNK, None),
    ("too much junk after a frame", wrap(A) + b"x" * 11, [A], Reason.FRAME_JUNK, None),
    ("HTTP", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", [], Reason.FRAME_JUNK, None),
    ("a TLS greeting", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x55\x77", [], Reason.FRAME_JUNK, None),
    ("a message without a frame", A + A, [], Reason.FRAME_JUNK, None),
    ("missing FS, then silence", b"\x0b" + A, [], None, Reason.FRAME_UNTERMINATED),
    ("missing FS, then the next frame", b"\x0b" + A + wrap(B), [], Reason.FRAME_NESTED, None),
    ("nested VT", b"\x0bMSH\x0b" + A + b"\x1c\r", [], Reason.FRAME_NESTED, None),
    ("VT twice", b"\x0b\x0b" + A + b"\x1c\r", [], Reason.FRAME_NESTED, None),
    ("good, then nested", wrap(A) + b"\x0b\x0b", [A], Reason.FRAME_NESTED, None),
    ("FS without CR, then text", b"\x0bMSH\x1crest\x1c\r", [], Reason.FRAME_UNTERMINATED, None),
    ("FS without CR, then VT", b"\x0bMSH\x1c\x0bMSH\x1c\r", [], Reason.FRAME_UNTERMINATED, None),
    ("FS LF", b"\x0bMSH\x1c\n", [], Reason.FRAME_UNTERMINATED, None),
    ("FS FS CR", b"\x0bMSH\x1c\x1c\r", [], Reason.FRAME_UNTERMINATED, None),
    ("FS, then silence", b"\x0bMSH\x1c", [], None, Reason.FRAME_UNTERMINATED),
    ("VT, then silence", b"\x0b", [], None, Reason.FRAME_UNTERMINATED),
    ("the largest frame", wrap(b"x" * 40), [b"x" * 40], None, None),
    ("a byte too large", wrap(b"x" * 41), [], Reason.FRAME_TOO_LARGE, None),
    ("a frame that never ends", b"\x0b" + b"x" * 500, [], Reason.FRAME_TOO_LARGE, None),
    ("good, then too large", wrap(A) + wrap(b"x" * 41) + wrap(B), [A], Reason.FRAME_TOO_LARGE, None),
]


def run(pieces, limits=LIMITS):
    """Feed pieces; give frames, the reason of the stream's error, the reason of close()."""
    framer, frames = Framer(limits), []
    try:
        for piece in pieces:
            frames += framer.feed(piece)
        framer.feed(b"")
    except DecodeError as error:
        return frames, error.reason, None
    try:
        framer.close()
    except DecodeError as error:
        return frames, None, error.reason
    return frames, None, None


@pytest.mark.parametrize(
    ("stream", "frames", "reason", "at_close"), [row[1:] for row in STREAMS], ids=[row[0] for row in STREAMS]
)
def test_a_stream_has_one_outcome_however_it_is_split(stream, frames, reason, at_close):
    expected = (frames, reason, at_close)
    assert run([stream]) == expected
    assert run([stream[i : i + 1] for i in range(len(stream))]) == expected
    for i in range(len(stream) + 1):
        assert run([stream[:i], stream[i:]]) == expected


def test_after_an_error_nothing_more_comes_out_and_nothing_is_kept():
    framer = Framer(LIMITS)
    assert framer.feed(wrap(A) + b"\x0b\x0b") == [A]
    for data in (b"", wrap(B)):
        with pytest.raises(DecodeError) as refused:
            framer.feed(data)
        assert refused.value.reason is Reason.FRAME_NESTED
    with pytest.raises(DecodeError):
        framer.close()
    assert not framer._buffer


def test_junk_is_counted():
    framer = Framer(LIMITS)
    framer.feed(b"abc" + wrap(A) + b"\r\n" + wrap(B))
    assert framer.junk_bytes == 5


def test_the_message_clock_runs_from_vt_to_the_end():
    framer = Framer()
    framer.feed(b"junk")
    assert not framer.pending
    framer.feed(b"\x0bMSH")
    assert framer.pending
    framer.feed(b"\x1c")
    assert framer.pending
    framer.feed(b"\r")
    assert not framer.pending


def test_dribbled_bytes_are_each_looked_at_once():
    class Counted(bytes):
        """Bytes that count how many of them a search passes over."""

        looked = 0

        def find(self, what, start=0, end=None):
            end = len(self) if end is None else end
            found = super().find(what, start, end)
            Counted.looked += (end if found < 0 else found) - start
            return found

    size = 2_000
    framer = Framer(FrameLimits(frame_bytes_max=size))
    for i in range(size):
        framer.feed(Counted(b"\x0b" if i == 0 else b"x"))
    assert Counted.looked <= 4 * size


@pytest.mark.parametrize("body", [b"a\x0bb", b"a\x1cb", b"\x1c\r"])
def test_a_body_that_would_break_its_frame_is_not_wrapped(body):
    with pytest.raises(DecodeError):
        wrap(body)


def test_release_2_answers_are_frames():
    assert Framer().feed(COMMIT_ACK + COMMIT_NAK) == [b"\x06", b"\x15"]
