"""What a frame weighs, and how many patients one message may have."""

import pytest

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason
from oathward.core.settings import Mllp
from oathward.protocols.hl7v2.limits import LIMITS, effort
from oathward.protocols.hl7v2.reader import decode

HEAD = b"MSH|^~\\&|MON|ICU|E|H|20260301120000||ORU^R01|1|P|2.6\r"
PID = b"PID|1||12345678^^^H^MR||Rosenqvist^Adalbert||19700131|M\r"
OBX = b"OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC|1.0.0.1|72|264864^MDC_DIM_BEAT_PER_MIN^MDC|||||R|||20260504081500+0000\r"
HEAVY = Mllp().beside_bytes_min
SHAPES = {
    "a megabyte of text": HEAD + PID + b"OBX|1|TX|1^x^L||" + b"a" * 1_000_000,
    "fields": HEAD + PID + (b"OBX" + b"|1" * 990 + b"\r") * 6,
    "fields of other separators": HEAD.replace(b"|", b"*") + (b"OBX" + b"*1" * 990 + b"\r") * 6,
    "segments": HEAD + PID + b"NK1|1|Smith^Jo\r" * 400,
    "repetitions": HEAD + b"PID|1||" + b"1~" * 500 + b"\r",
    "components": HEAD + PID + b"OBX|1|TX|1||" + b"^" * 7_000,
    "patients": HEAD + b"PID|||1\r" * 3,
    "no message": b"\n" * 1_000,
}


@pytest.mark.parametrize("name", SHAPES)
def test_what_is_dear_is_heavy(name):
    assert effort(SHAPES[name]) > HEAVY


def test_ordinary_messages_are_light():
    assert effort(HEAD + PID + OBX * 20) < HEAVY / 4
    assert effort(HEAD + PID + OBX * 100) < HEAVY
    assert effort(HEAD + PID * 2 + OBX * 20) < HEAVY, "a mother and her child"
    assert effort(b"") == 0


def patients(count):
    return HEAD + b"".join(b"PID|%d||%d^^^H^MR\r" % (n, n) for n in range(count))


def test_one_message_has_so_many_patients_and_no_more():
    decode(patients(LIMITS.patients_max))
    with pytest.raises(DecodeError) as refused:
        decode(patients(LIMITS.patients_max + 1))
    assert refused.value.reason is Reason.LIMIT_EXCEEDED


def test_the_word_pid_in_text_is_no_patient():
    decode(HEAD + PID + b"OBX|1|TX|1||" + b"PID " * 300)
