"""Acknowledgements: codes, swapped parties, ERR, and no way to write more than one answer."""

from datetime import UTC, datetime

import pytest

from oathward.core.reasons import Reason
from oathward.protocols.hl7v2.ack import ORIGINAL, Mode, acknowledge, mode
from oathward.protocols.hl7v2.reader import decode

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def header(version="2.6", *, msh15="", msh16="", code="ORU^R01^ORU_R01", control="ID-1", charset=""):
    return (
        f"MSH|^~\\&|MON^00A037^EUI-64|ICU|EHR|HOSP|20260101||{code}|{control}|T|{version}|||{msh15}|{msh16}||{charset}\r"
        "PID|1||7^^^H||DOE^JOHN\r"
    ).encode()


def answer(raw, code="AA", reason=None):
    return acknowledge(decode(raw), code, now=NOW, control_id="ow-1", reason=reason)


def test_an_answer_swaps_the_parties_and_echoes_the_control_id():
    assert answer(header()) == (
        b"MSH|^~\\&|EHR|HOSP|MON^00A037^EUI-64|ICU|20260102030405+0000||ACK^R01^ACK|ow-1|T|2.6\rMSA|AA|ID-1\r"
    )


@pytest.mark.parametrize(
    ("version", "msh9"),
    [
        ("2.2", "ACK^R01"),
        ("2.3", "ACK^R01"),
        ("2.3.1", "ACK^R01^ACK"),
        ("2.8", "ACK^R01^ACK"),
        ("", "ACK^R01^ACK"),
    ],
)
def test_the_structure_stands_from_2_3_1(version, msh9):
    assert decode(answer(header(version))).header(9).decode() == msh9


@pytest.mark.parametrize("version", ["2.5", "2.5.1", "2.6", "2.7", "2.8", "2.6^USA"])
def test_a_refusal_from_2_5_has_err(version):
    found = decode(answer(header(version), "AR", Reason.CHARSET_UNSUPPORTED))
    assert found.get("MSA-1").reveal() == "AR"
    assert found.get("ERR-3.1").reveal() == "102"
    assert found.get("ERR-3.3").reveal() == "HL70357"
    assert found.get("ERR-4").reveal() == "E"
    assert found.get("ERR-5.1").reveal() == "message.charset-unsupported"


@pytest.mark.parametrize("version", ["2.2", "2.3", "2.3.1", "2.4"])
def test_a_refusal_before_2_5_says_it_in_msa(version):
    found = decode(answer(header(version), "AE", Reason.CHARSET_UNSUPPORTED))
    assert found.get("MSA-3").reveal() == "message.charset-unsupported"
    assert found.named(b"ERR") == []


def test_a_good_answer_names_no_reason():
    # A privacy decision is never an error to a device, nor a hint.
    assert answer(header(), "AA", Reason.CONSENT_DENIES) == answer(header())


@pytest.mark.parametrize(
    ("msh15", "msh16", "expected"),
    [
        ("", "", ORIGINAL),
        ("AL", "NE", Mode(enhanced=True, accept="AL", application="NE")),
        ("NE", "AL", Mode(enhanced=True, accept="NE", application="AL")),
        ("ER", "SU", Mode(enhanced=True, accept="ER", application="SU")),
        ("AL", "", Mode(enhanced=True, accept="AL", application="NE")),
        ("", "AL", Mode(enhanced=True, accept="NE", application="AL")),
        ("al", "XX", Mode(enhanced=True, accept="AL", application="AL")),
    ],
)
def test_the_mode_is_that_of_msh_15_and_16(msh15, msh16, expected):
    assert mode(decode(header(msh15=msh15, msh16=msh16))) == expected


@pytest.mark.parametrize(
    ("condition", "good", "bad"),
    [("AL", True, True), ("NE", False, False), ("ER", False, True), ("SU", True, False)],
)
def test_conditions_of_table_0155(condition, good, bad):
    asked = Mode(enhanced=True, accept=condition, application=condition)
    assert (asked.wants_accept(good=True), asked.wants_accept(good=False)) == (good, bad)
    assert (asked.wants_application(good=True), asked.wants_application(good=False)) == (good, bad)


def test_original_mode_has_one_application_answer():
    assert not ORIGINAL.wants_accept(good=True)
    assert ORIGINAL.wants_application(good=True)
    assert ORIGINAL.wants_application(good=False)


def test_codes_follow_the_reason_table():
    enhanced = Mode(enhanced=True, accept="AL", application="NE")
    for reason in Reason:
        assert ORIGINAL.code(reason) == reason.answer.hl7
        assert enhanced.code(reason) == "C" + reason.answer.hl7[1]
    assert (ORIGINAL.code(None), enhanced.code(None)) == ("AA", "CA")


def test_other_separators_and_a_character_set_are_spoken_back():
    raw = "MSH#$%*@#Möß#ICU#EHR#HOSP###ORU$R01#7#P#2.6######8859/1\rPID#1\r".encode("latin-1")
    found = decode(answer(raw, "AE", Reason.VALUE_INVALID))
    assert found.get("MSH-5").reveal() == "Möß"
    assert found.header(9) == b"ACK$R01$ACK"
    assert found.get("ERR-3.1").reveal() == "102"


UNDECODABLE = [
    b"",
    b"junk",
    b"MSH",
    b"MSH|",
    b"MSH|^~\\&",
    b"MSH|^^^^|A",
    b"MSHA^~\\&A",
    b"MSH|^\x01!0|A|B",
    b"PID|1\rMSH|^~\\&|",
    b"\x00" * 100,
    b"MSH|^~\\&|A|B|C|D|||ORU^R01|ID-9|P|2.6|\x00",
    b"MSH|^~\\&|" + b"x" * 100_000,
    b"MSH|^~\\&|A|B|C|D|||ORU^R01|" + b"9" * 5_000 + b"|P|2.6",
    b"MSH|^~\\&|A\x0bB|B\x1c\x85|C|D|||JOHN DOE^19700131|ID|P|2.6",
]


@pytest.mark.parametrize("raw", UNDECODABLE)
def test_bytes_that_do_not_decode_get_one_well_formed_answer(raw):
    reply = acknowledge(raw, "AR", now=NOW, control_id="ow-1", reason=Reason.MESSAGE_UNDECODABLE)
    found = decode(reply)
    assert [found.name(i) for i in range(len(found.segments))] == [b"MSH", b"MSA", b"ERR"]
    assert found.get("MSA-1").reveal() == "AR"
    assert len(reply) < 2_000
    assert b"DOE" not in reply


def test_the_header_of_undecodable_bytes_is_echoed_where_it_can_be_read():
    reply = acknowledge(UNDECODABLE[10], "AR", now=NOW, control_id="x", reason=Reason.VALUE_INVALID)
    assert b"|C|D|A|B|" in reply
    assert b"MSA|AR|ID-9" in reply


def test_our_control_id_cannot_make_a_field():
    found = decode(acknowledge(decode(header()), "AA", now=NOW, control_id="a|b\rPID|9"))
    assert found.get("MSH-10").reveal() == "a|b\rPID|9"
    assert len(found.segments) == 2


def test_an_unknown_code_is_our_mistake():
    with pytest.raises(ValueError, match="AA"):
        acknowledge(decode(header()), "OK", now=NOW, control_id="1")
