"""The reader: every way into a message, and every refusal with its reason."""

import pytest

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason
from oathward.protocols.hl7v2.reader import Limits, decode, joined, render

ORU = (
    b"MSH|^~\\&|MON^00A037^EUI-64|ICU|EHR|HOSP|20260101120000||ORU^R01^ORU_R01|ID-1|P|2.6^USA|||AL|NE\r"
    b"PID|1||123456^^^HOSP&1.2.3&ISO^MR~987654321^^^SSA^SS||DOE^JOHN^Q~DOE^JACK||19700131|M\r"
    b"OBX|1|NM|150456^MDC_PULS_OXIM_SAT_O2^MDC|1.1.1|97\r"
    b"OBX|2|TX|1^NOTE^L||a \\T\\ b\\.br\\c\r"
    b"OBX|3|NM|149530^MDC_PULS_OXIM_PULS_RATE^MDC|1.1.2|61\r"
    b"ZZZ|1|local"
)


def value(message, path):
    found = message.get(path)
    return None if found is None else found.reveal()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("PID-3.1", "123456"),
        ("PID-3[1].1", "123456"),
        ("PID-3[2].1", "987654321"),
        ("PID-3[3].1", None),
        ("PID-3.4", "HOSP&1.2.3&ISO"),
        ("PID-3.4.2", "1.2.3"),
        ("PID-3.4.9", None),
        ("PID-3.1.1", "123456"),
        ("PID-3.2", None),
        ("PID-5[2].2", "JACK"),
        ("PID-5", "DOE^JOHN^Q"),
        ("PID-7", "19700131"),
        ("PID-7.1", "19700131"),
        ("PID-99", None),
        ("OBX-5", "97"),
        ("OBX[2]-5", "a & b\nc"),
        ("OBX[3]-5.1", "61"),
        ("OBX[4]-5", None),
        ("ZZZ-2", "local"),
        ("NK1-2", None),
        ("MSH-1", "|"),
        ("MSH-2", "^~\\&"),
        ("MSH-3.2", "00A037"),
        ("MSH-10", "ID-1"),
    ],
)
def test_a_path_names_one_value(path, expected):
    assert value(decode(ORU), path) == expected


@pytest.mark.parametrize(
    "path", ["PID", "PID-0", "PID-3[0]", "PID[0]-3", "PID-3.0", "pid-3", "PID-3.1.0", ""]
)
def test_what_is_not_a_path_is_our_mistake(path):
    with pytest.raises(ValueError, match="path"):
        decode(ORU).get(path)


def test_the_header_says_who_what_and_which_version():
    message = decode(ORU)
    assert (message.code, message.trigger, message.structure) == ("ORU", "R01", "ORU_R01")
    assert message.version == "2.6"
    assert message.control_id == b"ID-1"
    assert message.sender == (b"MON^00A037^EUI-64", b"ICU")
    assert message.receiver == (b"EHR", b"HOSP")


def test_a_message_prints_no_value():
    message = decode(ORU)
    assert "DOE" not in repr(message)
    assert "DOE" not in f"{message.get('PID-5.1')} {message.get('PID-5.1')!r}"


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
@pytest.mark.parametrize("last", [b"", b"end", b"\r\n\r\n"])
def test_any_line_end_ends_a_segment(end, last):
    raw = ORU.replace(b"\r", end) + (end if last == b"end" else last)
    message = decode(raw)
    assert message.segments == ORU.split(b"\r")
    assert render(message) == raw


def test_a_line_feed_in_a_value_cannot_hide_a_segment():
    # A receiver that takes LF for an end would see this PID; so must we.
    message = decode(b"MSH|^~\\&|||||||ORU^R01\rOBX|1|TX|1||text\nPID|1||55^^^H^MR\r")
    assert [message.name(i) for i in range(3)] == [b"MSH", b"OBX", b"PID"]


def test_a_name_is_all_that_stands_before_the_separator():
    message = decode(b"MSH|^~\\&|||||||ORU^R01\rPIDX|1\rPV1\r0|0\rpid|1\r")
    assert [message.name(i) for i in range(5)] == [b"MSH", b"PIDX", b"PV1", b"0", b"pid"]
    assert message.named(b"PID") == []
    assert message.named(b"PV1") == [b"PV1"]


def test_fields_are_numbered_as_the_standard_does():
    message = decode(ORU)
    assert message.fields(message.segments[0])[1:4] == [b"|", b"^~\\&", b"MON^00A037^EUI-64"]
    assert message.fields(message.segments[2])[3] == message.field(message.segments[2], 3)
    assert [message.field(message.segments[0], n) for n in (1, 2, 9)] == [b"|", b"^~\\&", b"ORU^R01^ORU_R01"]


@pytest.mark.parametrize(
    ("msh2", "expected"),
    [
        (b"^~", (94, 126, 0, 0, None)),
        (b"^~\\", (94, 126, 92, 0, None)),
        (b"^~\\&", (94, 126, 92, 38, None)),
        (b"^~\\&#", (94, 126, 92, 38, 35)),
        (b"$%*@", (36, 37, 42, 64, None)),
    ],
)
def test_separators_are_those_of_the_message(msh2, expected):
    found = decode(
        b"MSH|" + msh2 + b"|A|||||" + b"|ORU^R01\r"
        if msh2[:1] == b"^"
        else b"MSH|" + msh2 + b"|A||||||ORU$R01\r"
    )
    s = found.separators
    assert (s.component, s.repetition, s.escape, s.subcomponent, s.truncation) == expected
    assert found.trigger == "R01"


def test_an_undefined_separator_splits_nothing():
    message = decode(b"MSH|^~|||||||ORU^R01\rPID|1||12&3\\T\\^^^H\r")
    assert value(message, "PID-3.1") == "12&3\\T\\"
    assert value(message, "PID-3.1.2") is None


def test_odd_optional_separators_are_rewritten_and_the_original_kept():
    raw = b"MSH|^\x01!0|A|||||2001|ACK^A\x01B\rPID|1||1230456\x01x~y!S!z|a&b\\c\r"
    message = decode(raw)
    assert message.raw == raw
    assert message.segments == [
        b"MSH|^~\\&|A|||||2&&1|ACK^A~B",
        b"PID|1||123&456~x\\R\\y\\S\\z|a\\T\\b\\E\\c",
    ]


REFUSED = [
    (b"", Reason.MESSAGE_EMPTY),
    (b"\r\n\r\n", Reason.MESSAGE_EMPTY),
    (b"PID|1\r", Reason.HEADER_MISSING),
    (b"   MSH|^~\\&|", Reason.HEADER_MISSING),
    (b"MSH", Reason.SEPARATORS_INVALID),
    (b"MSH|", Reason.SEPARATORS_INVALID),
    (b"MSH||", Reason.SEPARATORS_INVALID),
    (b"MSH|^", Reason.SEPARATORS_INVALID),
    (b"MSH|^|A|||||ORU^R01\r", Reason.SEPARATORS_INVALID),
    (b"MSH|^^\\&|||||||ORU^R01\r", Reason.SEPARATORS_INVALID),
    (b"MSH|^~\\&#@|||||||ORU^R01\r", Reason.SEPARATORS_INVALID),
    (b"MSH^^~\\&^^^^^^^ORU\r", Reason.SEPARATORS_INVALID),
    (b"MSHA^~\\&A", Reason.SEPARATORS_INVALID),
    (b"MSH1^~\\&1", Reason.SEPARATORS_INVALID),
    (b"MSH\r^~\\&\r", Reason.SEPARATORS_INVALID),
    (b"MSH\x01^~\\&\x01", Reason.SEPARATORS_INVALID),
    (b"MSH |~\\& ", Reason.SEPARATORS_INVALID),
    (b"MSH|A~\\&|||||||ORUAR01\r", Reason.SEPARATORS_INVALID),
    (b"MSH|0~\\&|||||||ORU0R01\r", Reason.SEPARATORS_INVALID),
    (b"MSH|^~E&|||||||ORU^R01\r", Reason.SEPARATORS_INVALID),
    (b"MSH|^\r\\&|||||||ORU^R01\r", Reason.SEPARATORS_INVALID),
    (b"MSH|^\n\\&|||||||ORU^R01\r", Reason.SEPARATORS_INVALID),
    (b"MSH|^\xe9\\&|||||||ORU^R01\r", Reason.SEPARATORS_INVALID),
    (b"MSH|^~\\&|A|B\r", Reason.HEADER_INCOMPLETE),
    (b"MSH|^~\\&|||||||\rPID|1\r", Reason.HEADER_INCOMPLETE),
    (b"MSH|^~\\&|||||||^R01\r", Reason.HEADER_INCOMPLETE),
    (b"MSH|^~\\&|||||||JOHN DOE^R01\r", Reason.HEADER_INCOMPLETE),
    (b"MSH|^~\\&|||||||ORU^R01\rMSH|^~\\&|||||||ORU^R01\r", Reason.BATCH_BROKEN),
    (b"MSH|^~\\&|||||||ORU^R01\nMSH", Reason.BATCH_BROKEN),
    (b"MSH|^~\\&|||||||ORU^R01\rBTS|1\r", Reason.BATCH_BROKEN),
    (b"BHS|^~\\&\rMSH|^~\\&|||||||ORU^R01\rBTS|1\r", Reason.BATCH_BROKEN),
    (b"MSH|^~\\&|||||||ORU^R01\rPID|\x00\r", Reason.VALUE_INVALID),
    (b"MSH|^~\\&|||||||ORU^R01\rPID|\x0b\r", Reason.VALUE_INVALID),
    (b"MSH|^~\\&|||||||ORU^R01\rPID|\x1c\r", Reason.VALUE_INVALID),
]


@pytest.mark.parametrize(("raw", "reason"), REFUSED)
def test_what_is_no_message_is_refused_with_its_reason(raw, reason):
    with pytest.raises(DecodeError) as refused:
        decode(raw)
    assert refused.value.reason is reason


@pytest.mark.parametrize(
    ("limits", "where"),
    [
        (Limits(message_bytes_max=100), "message"),
        (Limits(segments_max=3), "message"),
        (Limits(fields_per_segment_max=7, uncounted_bytes_max=0), "segment 1"),
        (Limits(fields_per_message_max=30, uncounted_bytes_max=0), "message"),
        (Limits(repetitions_per_field_max=0, uncounted_bytes_max=0), "segment 1"),
        (Limits(parts_per_message_max=20, uncounted_bytes_max=0), "message"),
    ],
)
def test_limits_hold(limits, where):
    with pytest.raises(DecodeError) as refused:
        decode(ORU, limits=limits)
    assert (refused.value.reason, refused.value.where) == (Reason.LIMIT_EXCEEDED, where)
    # Reverse: the message itself is not what was refused.
    decode(ORU)


def test_an_error_names_no_value():
    with pytest.raises(DecodeError) as refused:
        decode(b"MSH|^~\\&|||||||JOHN DOE 123456^R01\r")
    assert "JOHN" not in str(refused.value)
    assert "123456" not in str(refused.value)


def test_joined_writes_segments_and_refuses_to_make_more_of_them():
    assert joined([b"MSH|^~\\&", b"PID|1"]) == b"MSH|^~\\&\rPID|1\r"
    for bad in (b"a\rPID|1", b"a\nPID|1", b"\x0bMSH", b"\x1c", b"\x00"):
        with pytest.raises(ValueError, match="segment"):
            joined([b"MSH|^~\\&", b"NTE|1||" + bad])
