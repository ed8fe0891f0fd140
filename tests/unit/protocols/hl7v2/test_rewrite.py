"""What is written: copies where nothing changes, whole observations, the message's own separators, no new segments."""

from collections.abc import Callable

import pytest
from tests.shaped import message

from oathward.core.errors import DeidentificationError
from oathward.core.reasons import Reason
from oathward.protocols.hl7v2 import rewrite
from oathward.protocols.hl7v2.reader import decode
from oathward.protocols.hl7v2.rewrite import compile_rewriter
from oathward.protocols.shaping import KEEP, REMOVE, Rewritten, Ruling

HEAD = "MSH|^~\\&|A|B|C|D|20260102030405||ORU^R01^ORU_R01|IN-77|P|2.6"


def run(
    *segments: str, rules: dict[str, Ruling], hold: bool = False, default: Ruling = KEEP
) -> tuple[list[str], Rewritten]:
    rewriter = compile_rewriter(lambda cls, part: rules.get(cls, default), hold_uncatalogued=hold)
    done = rewriter(message(*segments, header=HEAD), "OUT-1", None)
    written = done.data.decode().split("\r")
    assert written.pop() == ""
    assert written[0].split("|")[9] == "OUT-1"
    return written[1:], done


def replaced(text: str) -> Callable[[str, object], str]:
    return lambda _value, _context: text


def test_what_is_kept_is_copied():
    segments = (
        "PID|1||1^^^H~2||A&b^C\\T\\D|||F||",
        "ZPD|x^y|",
        "OBX|1|TX|1^a^b||free ^ text||||||F|||",
        "NTE|1||x",
    )
    written, done = run(*segments, rules={})
    assert written == list(segments)
    assert done.removed == {}
    assert done.changed == {"message.control": 1}
    assert done.uncatalogued == 1  # ZPD-1


def test_removing_empties_a_field_and_trims_the_end():
    written, done = run(
        "PID|1||1^^^H||A^B||19600101|F|||Street^^Town||5551",
        rules={"patient.name": REMOVE, "patient.contact": REMOVE},
    )
    assert written == ["PID|1||1^^^H||||19600101|F|||Street^^Town"]
    assert done.removed == {"patient.name": 2, "patient.contact": 1}


def test_parts_of_components_and_repetitions():
    def decide(cls: str, part: str) -> Ruling:
        return REMOVE if part in ("street", "rest") else KEEP

    done = compile_rewriter(decide)(
        message("PID|||||||||||1 Main&Main&1^Apt 2^Town^NY^12345^USA^H~^^City^^^^B"), "X", None
    )
    assert done.data.decode().split("\r")[1] == "PID|||||||||||^^Town^NY^12345^USA~^^City"


def test_emptied_repetitions_go_and_equal_pseudonyms_become_one():
    def decide(cls: str, part: str) -> Ruling:
        return (REMOVE if part else replaced("P")) if cls == "patient.identifier" else KEEP

    done = compile_rewriter(decide)(message("PID|||1^^^A~2^^^B~^^^C||N"), "X", None)
    assert done.data.decode().split("\r")[1] == "PID|||P||N"


def test_new_values_are_escaped_with_the_messages_own_separators():
    done = compile_rewriter(
        lambda cls, _: replaced("a|b^c~d\\e&f\rPID|x") if cls == "patient.name" else KEEP
    )(message("PID|||||X"), "out|id^1\rZZZ", None)
    head, pid, rest = done.data.decode().split("\r")
    assert rest == ""
    assert pid == "PID|||||a\\F\\b\\S\\c\\R\\d\\E\\e\\T\\f\\X0D\\PID\\F\\x"
    assert head.split("|")[9] == "out\\F\\id\\S\\1\\X0D\\ZZZ"

    odd = decode(b"MSH$%~/@$A$B$C$D$2026$$ADT%A01$1$P$2.6\rPID$1$$5%%%H%MR$$SMITH%JOHN$$$F\r")
    done = compile_rewriter(lambda cls, _: replaced("a$b%c|^") if cls == "patient.name" else KEEP)(
        odd, "N$1", None
    )
    assert done.data.split(b"\r")[:2] == [
        b"MSH$%~/@$A$B$C$D$2026$$ADT%A01$N/F/1$P$2.6",
        b"PID$1$$5%%%H%MR$$a/F/b/S/c|^%a/F/b/S/c|^$$$F",
    ]


def test_transforms_see_values_as_they_are_meant():
    seen = []

    def look(value: str, context: object) -> str:
        seen.append((value, context))
        return "x"

    rewriter = compile_rewriter(lambda cls, _: look if cls == "patient.name" else KEEP)
    rewriter(message("PID|||||M\\S\\ll\\T\\r^Jörg", header=HEAD + "||||||UNICODE UTF-8"), "X", "ctx")
    assert seen == [("M^ll&r", "ctx"), ("Jörg", "ctx")]


@pytest.mark.parametrize(
    "named", ["UNICODE UTF-8", "ISO IR87", "~ISO IR87", "KS X 1001", "GB 18030-2000", "8859/15"]
)
@pytest.mark.parametrize("ruling", [REMOVE, replaced("[name]")])
def test_the_character_set_a_message_declares_stays_with_its_text(named: str, ruling: Ruling):
    given = message("NTE|1||x", header=f"{HEAD}||||||{named}")
    done = compile_rewriter(lambda cls, _: ruling if cls == "note.text" else KEEP)(given, "X", None)
    assert done.data.split(b"\r")[0].split(b"|")[17] == given.header(18)
    assert decode(done.data).header(18) == given.header(18)


def test_an_explicit_null_is_not_transformed():
    written, _ = run('PID|1||""||""', rules={"patient.name": replaced("x"), "patient.identifier": REMOVE})
    assert written == ['PID|1||||""']


def test_a_transform_that_gives_nothing_removes():
    written, done = run("PID|1||7||A", rules={"patient.name": replaced("")})
    assert written == ["PID|1||7"]
    assert done.removed == {"patient.name": 1}
    assert done.changed == {"message.control": 1}


# --- observations

OBX = "OBX|3|NM|8867-4^Heart rate^LN|1|72|/min|60-100|N|||F|||20260101||7^SMITH||DEV1"


@pytest.mark.parametrize("cls", ["observation.code", "observation.value", "observation.time"])
def test_an_observation_goes_whole_with_its_children(cls: str):
    segments = ("OBR|1|||1^a^L", "OBX|1|ST|1^a^L||x", OBX, "NTE|1||note", "PRT|1|A", "ZZZ|1", "NTE|2||of ZZZ")
    written, done = run(*segments, rules={cls: REMOVE})
    left = [line[:7] for line in written]
    assert not any(line.startswith("OBX|3") for line in written)
    assert left[-2:] == ["ZZZ|1", "NTE|2||"]
    assert "PRT|1|A" not in left
    assert "NTE|1||" not in left
    assert done.removed["staff.name"] == 1
    assert done.observations == (1 if cls == "observation.time" else 2 if cls == "observation.code" else 1)


def test_a_time_that_a_transform_gives_up_takes_the_observation_too():
    written, done = run(OBX, "NTE|1||note", "OBX|4|NM|1^a^L||7", rules={"observation.time": replaced("")})
    assert written == ["OBX|4|NM|1^a^L||7"]
    assert done.observations == 1
    assert done.removed["observation.value"] == 4  # value, unit, range, flag
    assert done.removed["note.text"] == 2  # the note, and the display text of OBX-3


def test_what_does_not_carry_meaning_may_go():
    written, done = run(
        OBX, rules={"staff.identifier": REMOVE, "staff.name": REMOVE, "device.identity": REMOVE}
    )
    assert written == ["OBX|3|NM|8867-4^Heart rate^LN|1|72|/min|60-100|N|||F|||20260101"]
    assert done.observations == 0


def test_display_text_of_a_local_code_goes_without_the_observation():
    written, _ = run("OBX|1|NM|^^^HR^Puls of Smith^L||72|/min^per minute^L", rules={"note.text": REMOVE})
    assert written == ["OBX|1|NM|^^^HR^^L||72|/min^^L"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("OBX|1|NM|8867-4^Smith^LN||72|/min^Smith^UCUM", "OBX|1|NM|8867-4^^LN||72|/min^^UCUM"),
        (
            "OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC||72|264864^Smith^MDC^/min^bpm^UCUM",
            "OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC||72|264864^^MDC^/min^^UCUM",
        ),
        ("OBX|1|NM|1^Smith^MDC^1^MDC_EVT_LO^MDC||72", "OBX|1|NM|1^^MDC^1^MDC_EVT_LO^MDC||72"),
        (
            "OBX|1|CWE|8867-4^x^LN||27268008^Smith^SCT~F^F^HL70001~1^Smith^MDC",
            "OBX|1|CWE|8867-4^^LN||27268008^^SCT~F^F^HL70001~1^^MDC",
        ),
        (
            "OBX|1|CE|8867-4^x^LN||LA6576-8^Positive^LN||||||||||1^Smith",
            "OBX|1|CE|8867-4^^LN||LA6576-8^^LN||||||||||1",
        ),
    ],
)
def test_display_text_of_a_standard_code_goes_without_the_observation(before: str, after: str):
    written, done = run(before, rules={"note.text": REMOVE})
    assert written == [after]
    assert done.observations == 0


@pytest.mark.parametrize(
    "obx",
    [
        "OBX|1|NM|^only text^L||72",
        "OBX|1|ST|8867-4^^LN||free text",
        "OBX|1|CWE|8867-4^^LN||^free text",
        "OBX|1|CWE|8867-4^^LN||27268008^^SCT~X^free^L",
        "OBX|1|CWE|8867-4^^LN||27268008^^SCT~^free^SCT",
        "OBX|1|NM|8867-4^^LN||72|a long unit here",
        "OBX|1|NM|8867-4^^LN|the left arm|72",
        "OBX|1|NM|8867-4^^LN||72|||||||||some time in May",
        "OBX|1|see me|8867-4^^LN||72",
    ],
)
def test_where_text_stands_for_meaning_the_observation_goes(obx: str):
    written, done = run(obx, rules={"note.text": REMOVE})
    assert written == []
    assert done.observations == 1


def test_without_the_rule_a_value_would_lose_its_unit(monkeypatch: pytest.MonkeyPatch):
    obx = "OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC||72"
    monkeypatch.setattr(rewrite, "MEANING", frozenset())
    written, _ = run(f"{obx}|a long unit here", rules={"note.text": REMOVE})
    assert written == [obx]


# --- segments


def test_segments_that_say_nothing_go_and_required_ones_stay():
    segments = ("EVN|A01|20260101", "NK1|1|A^B", "PV1|1|I|ICU", "OBR|1|7", "NTE|1|L|x", "PV2")
    rules: dict[str, Ruling] = {"structure": KEEP}
    written, _ = run(*segments, rules=rules, default=REMOVE)
    assert written == ["EVN|A01", "OBR|1", "PV2"]


def test_no_segment_is_added_and_their_order_stays():
    segments = ("PID|1||7", "NK1|1|A", "PV1|1|I", "OBX|1|NM|1^a^L||7", "NTE|1||x", "ZZZ|1")
    written, _ = run(*segments, rules={"relative.name": REMOVE, "uncatalogued": REMOVE})
    assert [line[:3] for line in written] == ["PID", "PV1", "OBX", "NTE"]


def test_a_short_header_gets_room_for_its_id():
    done = compile_rewriter(lambda *_: KEEP)(decode(b"MSH|^~\\&|||||||ACK\r"), "OUT", None)
    assert done.data == b"MSH|^~\\&|||||||ACK|OUT\r"
    done = compile_rewriter(lambda *_: REMOVE)(decode(b"MSH|^~\\&|A|||||sec|ACK^R01^ACK\rZ|1\r"), "OUT", None)
    assert done.data == b"MSH|^~\\&|||||||ACK^R01^ACK|OUT\r"


def test_structure_stays_whatever_is_ruled():
    _, done = run("PID|1||7", rules={}, default=REMOVE)
    assert done.data == b"MSH|^~\\&|||||||ORU^R01^ORU_R01|OUT-1|P|2.6\r"


def test_a_control_id_with_parts_leaves_nothing_behind():
    rewriter = compile_rewriter(lambda *_: KEEP)
    done = rewriter(decode(b"MSH|^~\\&|||||||ACK|SMITH^JOHN~DOE&X|P|2.6\r"), "OUT", None)
    assert done.data == b"MSH|^~\\&|||||||ACK|OUT|P|2.6\r"
    assert done.uncatalogued == 0


def test_uncatalogued_values_can_hold_a_message():
    with pytest.raises(DeidentificationError) as caught:
        run("PID|1||SECRET", "ZPD|a|SECRET", rules={}, hold=True)
    assert caught.value.reason is Reason.UNCATALOGUED
    assert caught.value.where == "segment-1"
    assert "SECRET" not in str(caught.value)
    with pytest.raises(DeidentificationError) as caught:
        run("SECRETNAME|a", rules={}, hold=True)
    assert "SECRETNAME" not in str(caught.value)
    written, _ = run("PID|1||7", rules={}, hold=True)
    assert written == ["PID|1||7"]


def test_counts_are_of_each_message_alone():
    rewriter = compile_rewriter(lambda cls, _: REMOVE if cls == "patient.name" else KEEP)
    counts = [rewriter(message("PID|1||7||A^B"), "X", None).removed for _ in range(3)]
    assert counts == [{"patient.name": 2}] * 3
