"""Batches: messages keep their bytes; a cut-off or miscounted batch is refused whole."""

import pytest

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason
from oathward.protocols.hl7v2.reader import decode, split_batch

A = b"MSH|^~\\&|||||||ORU^R01|1\rPID|1\r"
B = b"MSH|^~\\&|||||||ADT^A01|2\rPID|2\r"
FHS, BHS = b"FHS|^~\\&|LAB\r", b"BHS|^~\\&|LAB\r"


@pytest.mark.parametrize(
    ("raw", "messages"),
    [
        (A, [A]),
        (b"", [b""]),
        (b"junk", [b"junk"]),
        (A + B, [A, B]),
        (A + b"\r\n" + B, [A + b"\r\n", B]),
        (BHS + A + B + b"BTS|2\r", [A, B]),
        (BHS + A + B + b"BTS\r", [A, B]),
        (BHS + A + B + b"BTS||x", [A, B]),
        (FHS + BHS + A + b"BTS|1\r" + BHS + B + b"BTS|1\rFTS|2\r", [A, B]),
        (FHS + A + B + b"FTS\r", [A, B]),
        (BHS + b"BTS|0\r", []),
        (b"BHS#^~\\&#LAB\r" + A + b"BTS#1\r", [A]),
        ((BHS + A + b"BTS|1\r").replace(b"\r", b"\n"), [A.replace(b"\r", b"\n")]),
        (b"\xef\xbb\xbf" + A, [b"\xef\xbb\xbf" + A]),
    ],
)
def test_messages_keep_their_bytes(raw, messages):
    assert split_batch(raw) == messages


@pytest.mark.parametrize(
    "raw",
    [
        BHS + A + B + b"BTS|3\r",
        BHS + A,
        FHS + BHS + A + b"BTS|1\r",
        FHS + BHS + A + b"BTS|1\rFTS|2\r",
        A + b"BTS|1\r",
        b"FTS|1\r",
        BHS + BHS + A + b"BTS|1\r",
        BHS + b"PID|1\r" + A + b"BTS|1\r",
        BHS + A + b"BTS|1\rPID|2\r",
        FHS + BHS + A + b"FTS|1\r",
        b"PID|1\r" + A + B,
        b"junk\r" + BHS + A + b"BTS|1\r",
        BHS + A + b"BTS|" + b"9" * 5_000 + b"\r",
    ],
)
def test_a_broken_batch_is_refused_whole(raw):
    with pytest.raises(DecodeError) as refused:
        split_batch(raw)
    assert refused.value.reason is Reason.BATCH_BROKEN


def test_a_batch_has_a_limit():
    with pytest.raises(DecodeError) as refused:
        split_batch(A * 3, messages_max=2)
    assert refused.value.reason is Reason.LIMIT_EXCEEDED


@pytest.mark.parametrize(
    "raw", [A + B, BHS + A + b"BTS|1\r", FHS + A + b"FTS|1\r", A + b"\n" + B, A + b"BTS|1\r"]
)
def test_decode_says_when_to_cut(raw):
    with pytest.raises(DecodeError) as refused:
        decode(raw)
    assert refused.value.reason is Reason.BATCH_BROKEN
