"""What bears a withheld code leaves whole, and nothing else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oathward.protocols.hl7v2.reader import Message, decode
from oathward.protocols.hl7v2.withheld import codes_of, tells, without_codes

HEAD = "MSH|^~\\&|MON|ICU|R|H|20260701||ORU^R01^ORU_R01|1|P|2.6"
PID = "PID|||1^^^HOSP^MR"
HR = "OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC^8867-4^Heart rate^LN||80"
SPO2 = "OBX|2|NM|150456^MDC_PULS_OXIM_SAT_O2^MDC||97"
HIV = "OBX|3|ST|75622-1^HIV 1 and 2 tests^LN||positive"
KETAMINE = "OBX|4|CWE|8661-1^Complaint^LN||724713006^Harmful use of ketamine^SCT~1^other^L"


def message(*segments: str) -> Message:
    return decode("\r".join((HEAD, *segments)).encode() + b"\r")


def left(found: Message) -> list[str]:
    return [segment.decode() for segment in found.segments[1:]]


def codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


WHOLE = [PID, "OBR|1|||panel^Vital signs^L", HR, "NTE|1||ok", SPO2, "PRT|1||x", "ZMO|2", HIV]

WITHHELD = [
    ("nothing", "", WHOLE),
    ("a code that is not there", "LN|1", WHOLE),
    ("a code of another system", "SCT|8867-4", WHOLE),
    ("its code, with its note", "MDC|147842", [*WHOLE[:2], *WHOLE[4:]]),
    ("its alternate", "LN|8867-4", [*WHOLE[:2], *WHOLE[4:]]),
    ("two of them", "LN|8867-4 LN|75622-1", [*WHOLE[:2], *WHOLE[4:7]]),
    ("with all that follows it", "MDC|150456", [*WHOLE[:4], HIV]),
    ("the panel takes all of it", "L|panel", [PID]),
]


@pytest.mark.parametrize(
    ("withheld", "expected"), [row[1:] for row in WITHHELD], ids=[r[0] for r in WITHHELD]
)
def test_what_bears_a_code_leaves(withheld, expected):
    assert left(without_codes(message(*WHOLE), codes(withheld))) == expected


def test_a_message_without_such_codes_is_the_same_one():
    whole = message(*WHOLE)
    assert without_codes(whole, codes("LN|1")) is whole
    assert without_codes(whole, frozenset()) is whole


def test_what_was_left_out_is_in_no_part_of_the_result():
    found = without_codes(message(*WHOLE), codes("LN|75622-1"))
    assert b"HIV" not in found.raw
    assert found.raw == b"".join(segment + b"\r" for segment in found.segments)
    assert decode(found.raw).segments == found.segments
    assert (found.code, found.control_id) == ("ORU", b"1")


@pytest.mark.parametrize(
    "segment",
    [
        KETAMINE,
        "DG1|1||724713006^Harmful use of ketamine^SCT",
        "DG1|1||1^x^L^724713006^Harmful use of ketamine^SCT",
        "DG1|1||1^x^L^2^y^L^^^^724713006^Harmful use of ketamine^SCT",
        "AL1|1||724713006^^SCT",
        "IAM|1||724713006^^SCT",
        "PR1|1||724713006^^SCT",
        "PRB|AD|2026|724713006^^SCT",
        "PV2|||724713006^^SCT",
        "FT1|1|||||CG|1^^L~724713006^^SCT|1",
        "FT1|1|||||CG|1" + "|" * 12 + "724713006^^SCT",
    ],
)
def test_each_coded_segment_leaves_alone(segment: str):
    whole = message(PID, segment, "NTE|1||its note", "NK1|1")
    assert left(without_codes(whole, codes("SCT|724713006"))) == [PID, "NK1|1"]


@pytest.mark.parametrize(
    "order",
    [
        ["ORC|RE", "OBR|1|||X^^L", "NTE|1", "OBX|1|NM|1^^L||1", "SPM|1"],
        ["ORC|RE", "OBR|1" + "|" * 30 + "X^^L", "OBX|1|NM|1^^L||1"],
        ["ORC|RE", "NTE|1", "OBR|1" + "|" * 43 + "1^^L~X^^L"],
        ["OBR|1|||X^^L", "TQ1|1", "OBX|1|NM|1^^L||1"],
        ["ORC|RE", "RXA|0|1|2026|2026|X^^L", "RXR|IM", "OBX|1|NM|1^^L||1"],
        ["ORC|RE", "RXO|1^^L", "RXE|1|X^^L", "RXC|B|1^^L"],
        ["ORC|RE", "RXE|1|1^^L", "RXC|B|X^^L"],
        ["RXE|1|X^^L", "RXR|IM"],
    ],
)
def test_an_order_leaves_with_all_it_brought(order):
    before, after = (
        ["ORC|RE", "OBR|1|||1^^L", "OBX|1|NM|2^^L||1"],
        ["ORC|RE", "OBR|2|||2^^L", "OBX|1|NM|3^^L||1"],
    )
    other = ["PID|||2^^^HOSP^MR", "PV1|1"]
    whole = message(PID, *before, *order, *after)
    assert left(without_codes(whole, codes("L|X"))) == [PID, *before, *after]
    whole = message(PID, *order, *other, *after)
    assert left(without_codes(whole, codes("L|X"))) == [PID, *other, *after]


def test_an_order_none_of_whose_observations_stay_leaves_too():
    first, second = ["ORC|RE", "OBR|1|||1^^L", HR, "SPM|1"], ["OBR|2|||2^^L", SPO2]
    assert left(without_codes(message(PID, *first, *second), codes("LN|8867-4"))) == [PID, *second]
    asked = ["ORC|RE", "OBR|1|||1^^L"]
    assert left(without_codes(message(PID, *asked, HR), codes("LN|8867-4"))) == [PID]
    whole = message(PID, *asked, "OBR|2|||2^^L", HR)
    assert left(without_codes(whole, codes("LN|8867-4"))) == [PID, *asked], "it never had any"
    assert left(without_codes(message(PID, HR, SPO2), codes("LN|8867-4"))) == [PID, SPO2]


def test_the_second_panel_of_an_order_leaves_alone():
    first, second = ["ORC|RE", "OBR|1|||1^^L", HR], ["OBR|2|||X^^L", SPO2]
    assert left(without_codes(message(PID, *first, *second), codes("L|X"))) == [PID, *first]


ONLY = [
    ("its code", "MDC|147842", [PID, "OBR|1||||||2026", HR, "NTE|1||ok"]),
    ("its alternate", "LN|8867-4", [PID, "OBR|1||||||2026", HR, "NTE|1||ok"]),
    ("the panel may be named", "L|panel LN|8867-4", [PID, "OBR|1|||panel^Vital signs^L|||2026", HR, "NTE|1||ok"]),
    ("the panel alone says nothing of its parts", "L|panel", [PID, "OBR|1|||panel^Vital signs^L|||2026"]),
    ("none of them", "LN|1", [PID]),
    ("nothing", "", [PID]),
]  # fmt: skip


@pytest.mark.parametrize(("only", "expected"), [row[1:] for row in ONLY], ids=[r[0] for r in ONLY])
def test_of_observations_only_some_stay(only, expected):
    whole = message(PID, "OBR|1|||panel^Vital signs^L|||2026", HR, "NTE|1||ok", SPO2, "PRT|1||x", HIV)
    assert left(without_codes(whole, frozenset(), codes(only))) == expected


def test_a_coded_value_does_not_make_an_observation_one_of_those():
    whole = message(PID, HR, KETAMINE)
    assert left(without_codes(whole, frozenset(), codes("SCT|724713006"))) == [PID]


def test_only_is_of_observations():
    rest = ["DG1|1||1^^L", "ORC|RE", "RXA|0|1|2026|2026|1^^L"]
    assert left(without_codes(message(PID, *rest, HR), frozenset(), codes("LN|1"))) == [PID, *rest]


def test_withheld_wins_over_only():
    whole = message(PID, HR, SPO2)
    found = without_codes(whole, codes("LN|8867-4"), codes("MDC|147842 MDC|150456"))
    assert left(found) == [PID, SPO2]


def test_the_codes_of_a_message():
    whole = message(
        PID, "OBR|1|||panel^Vital signs^L", HR, KETAMINE, "DG1|1||F10.1^^I10", "OBX|5|NM|8480-6||120"
    )
    assert codes_of(whole) == codes(
        "L|panel MDC|147842 LN|8867-4 LN|8661-1 SCT|724713006 L|1 I10|F10.1 |8480-6"
    )
    assert codes_of(message(PID)) == frozenset()


def test_separators_escapes_and_character_sets():
    head = "MSH|#*!@|MON|ICU|R|H|20260701||ORU#R01|1|P|2.6" + "|" * 6 + "UNICODE UTF-8"
    whole = decode("\r".join((head, "OBX|1|NM|pr!F!ä##L||1", SPO2.replace("^", "#"))).encode())
    assert codes_of(whole) == {"L|pr|ä", "MDC|150456"}
    assert len(without_codes(whole, frozenset({"L|pr|ä"})).segments) == 2


def test_what_is_left_says_something_or_not():
    assert tells(message(PID, HR))
    assert tells(message(PID, "ORC|RE", "RXA|0|1|2026|2026|207^^CVX"))
    assert not tells(message(PID, "PV1|1", "DG1|1||F10^^I10"))
    assert not tells(without_codes(message(PID, "PV1|1", HR), codes("LN|8867-4")))


SEGMENTS = [PID, HR, SPO2, HIV, KETAMINE, "NTE|1||n", "ORC|RE", "OBR|1|||panel^^L", "OBR|2|||8867-4^^LN", "DG1|1||F10^^I10",
            "RXA|0|1|2026|2026|207^^CVX", "RXC|B|1^^L", "ZZZ|1", "SPM|1", "PV1|1", "EVN|A01"]  # fmt: skip
EVERY = sorted(codes_of(message(*SEGMENTS)))


@given(
    st.lists(st.sampled_from(SEGMENTS), max_size=12),
    st.frozensets(st.sampled_from(EVERY), max_size=3),
    st.none() | st.frozensets(st.sampled_from(EVERY), max_size=3),
)
def test_no_withheld_code_is_ever_left(segments, withheld, only):
    whole = message(*segments)
    found = without_codes(whole, withheld, only)
    assert not codes_of(found) & withheld
    if only is not None:
        for segment in found.named(b"OBX"):
            assert codes_of(message(segment.decode())) & only
    rest = iter(whole.segments)
    if only is None:
        assert all(segment in rest for segment in found.segments), "in order, and nothing is added"
    assert left(without_codes(found, withheld, only)) == left(found)
