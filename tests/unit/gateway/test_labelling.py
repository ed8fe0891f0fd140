"""Codes are read from where they stand, also where a message is nearly the one before it."""

from hypothesis import given
from hypothesis import strategies as st

from oathward.gateway import labelling
from oathward.inventory.model import Device
from oathward.policy.labels import LabelRule, LabelTable
from oathward.protocols.hl7v2.reader import decode

DEVICE = Device(id="mon-1", kind="monitor")
HEAD = "MSH|^~\\&|MON1|WARD|OATHWARD|SITE|20260504||ORU^R01^ORU_R01|1|P|2.6\rPID|1||1^^^HOSP^MR\r"
TABLE = LabelTable(rules=(LabelRule("hiv", codes=frozenset({"LN|75622-1", "MDC|15*"})),))

codes = st.sampled_from(
    ["75622-1^HIV^LN", "150456^SpO2^MDC", "8867-4^HR^LN", "75622-1^HIV^LN^7^x^L", "75622-1", ""]
)
segments = st.one_of(
    st.builds("OBX|1|NM|{}|1|9|u".format, codes),
    st.builds("OBX|1|NM|{}".format, codes),
    st.builds("OBR|1|a|b|{}|d".format, codes),
    st.builds("DG1|1||{}".format, codes),
    st.sampled_from(
        ["NTE|1||75622-1^HIV^LN", "ZZZ", "OBX", "OBX|1", "PV1|1|I|ICU^1", "AL1|1|2|150456^x^MDC|3"]
    ),
)


def read(text, table=TABLE):
    return labelling.seen(decode(text.encode()), table, DEVICE)[0]


@given(st.lists(st.lists(segments, min_size=1, max_size=3), min_size=1, max_size=8))
def test_what_was_remembered_changes_no_answer(messages):
    for listed in messages:
        text = HEAD + "\r".join(listed) + "\r"
        warm = read(text)
        labelling._remembered.clear()
        assert read(text) == warm


def test_a_code_that_goes_on_is_another_code():
    assert read(HEAD + "OBX|1|NM|75622-1^HIV^LN|1|9\r") == {"LN|75622-1"}
    assert read(HEAD + "OBX|1|NM|75622-12^HIV^LN|1|9\r") == frozenset()
    assert read(HEAD + "OBX|1|NM|75622-1^HIV^LN\r") == {"LN|75622-1"}
    assert read(HEAD + "OBX|1|NM|75622-1^HIV^LNX\r") == frozenset()


def test_only_codes_that_a_rule_asks_for_are_told():
    text = HEAD + "OBX|1|NM|8867-4^HR^LN|1|9\rOBX|2|NM|150456^x^MDC|1|9\r"
    assert read(text) == {"MDC|150456"}
    assert read(text, LabelTable(rules=(LabelRule("none", codes=frozenset({"LN|1-1"})),))) == frozenset()


def test_what_is_long_is_read_and_not_remembered():
    """A device that sends other codes each time must not fill the memory."""
    labelling._codes_of.cache_clear()
    table = LabelTable(rules=(LabelRule("hiv", codes=frozenset({"LN|75622-1"})),))
    many = "".join(f"OBX|{n}|NM|{n:>09}^x^LN|1|9\r" for n in range(1_000))
    assert read(HEAD + many + "OBX|1|NM|75622-1^HIV^LN|1|9\r", table) == {"LN|75622-1"}
    assert labelling._codes_of.cache_info().currsize == 0
    assert not table._asked


def test_where_a_patient_lies_is_not_remembered_at_any_length():
    labelling._place.cache_clear()
    table = LabelTable(rules=(LabelRule("vip", unit=frozenset({"ICU*"})),))
    for tail in ("x" * 10, "x" * 10_000):
        labelling.seen(decode(f"{HEAD}PV1|1|I|ICU^1||||{tail}\r".encode()), table, DEVICE)
    assert labelling._place.cache_info().currsize == 1


def test_the_confidentiality_that_a_message_bears_itself():
    plain = "MSH|^~\\&|A|B|C|D|2026||ORU^R01|1|P|2.9"
    for tail, expected in (
        ("", set()),
        ("|" * 14 + "R^restricted^HL70952", {"R"}),
        ("|" * 14 + "R~V", {"R", "V"}),
    ):
        assert labelling.own(decode(f"{plain}{tail}\r".encode())) == expected
