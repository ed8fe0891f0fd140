"""The guard on parts: names and short numbers that are a whole value, other patients, dates and telephones."""

import pytest

from oathward.core.words import WordHasher
from oathward.gateway.guard import Guard
from oathward.gateway.guard import of_hl7v2 as hl7v2_tokens
from oathward.gateway.guard.original import of_hl7v2
from oathward.gateway.guard.tokens import Tokens
from oathward.gateway.guard.verdict import CLEAN, Counted, Stop
from oathward.patients.card import words_of_card
from oathward.protocols.hl7v2.reader import decode

HASHER = WordHasher(b"k" * 32)
HEADER = "MSH|^~\\&|MON|ICU|EHR|HOSP|20260301120000||ORU^R01^ORU_R01|1|P|2.6"
PID = (
    "PID|1||4821^^^H^MR~12345678^^^H^PI||Rosenqvist^Adalbert^Ada||19700131|M|||12 Rosebud Lane^^Springwell^OR^97477|"
    "|(555) 314-1592"
)
NK1 = "NK1|1|Vandermeulen^Jo"


def message(*lines):
    return decode("".join(f"{line}\r" for line in (HEADER, *lines)).encode())


ORIGINAL = message(PID, NK1)


def check(*lines, guard=None, original=ORIGINAL, **options):
    outgoing = "".join(f"{line}\r" for line in (HEADER, "OBX|1|NM|8867-4^^LN|1|72", *lines)).encode()
    return (guard or Guard(HASHER)).check(
        of_hl7v2(original), outgoing, **({"carries_identity": False} | options)
    )


NAMES = [
    "OBX|1|NM|ROSENQVIST^^L|1|72",
    "OBX|1|NM|150456^MDC_ROSENQVIST^MDC|1|72",
    "OBX|1|NM|8867-4^^LN^ROSENQVIST^^L|1|72",
    "OBX|1|NM|8867-4^^LN|Rosenqvist|72",
    "OBX|1|NM|8867-4^^LN|1|72|Adalbert",
    "OBX|1|NM|8867-4^^LN|1|72||ROSENQVIST",
    "OBX|1|NM|8867-4^^LN|1|72|||ROSENQVIST",
    "OBX|1|NM|8867-4^^LN|1|72||||||ROSENQVIST",
    "OBR|1|||ROSENQVIST^^L",
]


@pytest.mark.parametrize("line", NAMES)
def test_a_name_that_is_a_whole_component_is_stopped(line, monkeypatch):
    guard = Guard(HASHER)
    for _ in range(2):
        verdict = check(line, guard=guard)
        assert isinstance(verdict, Stop)
        assert verdict == Stop("name-parts", "PID-5 in segment 3")
    monkeypatch.setattr(hl7v2_tokens, "tokens_of", lambda _: Tokens())
    assert check(line) is CLEAN  # reverse


def test_a_name_of_the_card_that_is_a_whole_component_is_stopped():
    card = dict(words_of_card(ORIGINAL, ORIGINAL.segments[1], HASHER))
    verdict = check(NAMES[0], original=message(), card_words=card)
    assert verdict == Stop("name-parts", "card in segment 3")
    assert check(NAMES[0], original=message()) is CLEAN


def test_two_short_names_in_two_fields_are_stopped_and_one_is_counted():
    original = message("PID|1||||Doe^Ada")
    both = ("OBX|2|NM|8867-4^^LN|Doe|72", "OBX|3|NM|8867-4^^LN|1|72|Ada")
    guard = Guard(HASHER)
    for _ in range(2):
        assert check(*both, original=original, guard=guard) == Stop("name-parts", "PID-5 in message")
        assert check(both[0], original=original, guard=guard) == Counted({"PID-5": 1})


@pytest.mark.parametrize(
    "line",
    [
        "OBX|1|TX|1^N||then Rosenqvist slept well",
        "OBX|1|NM|8867-4^^LN|Springwell|72",
        "OBX|1|NM|8867-4^^LN|Vandermeulen|72",
        "OBX|1|NM|8867-4^^LN|1|4821",
        "OBX|1|NM|8867-4^^LN|1|97477",
    ],
)
def test_other_weak_tokens_are_counted(line):
    assert isinstance(check(line), Counted)


def test_names_that_are_other_words_too_are_counted():
    original = message("PID|1||||Holter^Young")
    for line in ("OBX|1|NM|Holter^^L|1|72", "OBX|1|NM|1^Holter^L|Young|72"):
        assert isinstance(check(line, original=original), Counted)


@pytest.mark.parametrize(
    "line", ["OBX|1|NM|4821^^L|1|72", "OBX|1|NM|4821|1|72", "OBX|1|NM|8867-4^^LN|4821|72"]
)
def test_a_short_identifier_that_is_a_whole_code_is_stopped(line):
    guard = Guard(HASHER)
    assert not isinstance(check(line.replace("4821", "4822"), guard=guard), Stop)
    assert check(line, guard=guard) == Stop("weak-identifiers", "PID-3 in message")


def test_links_that_carry_identity_may_carry_parts_of_it():
    for line in (*NAMES, "OBX|1|NM|4821^^L|1|72"):
        assert check(line, carries_identity=True, foreign=lambda _: frozenset()) is CLEAN


# --- other patients


def others(*texts):
    known = {HASHER.token(text) for text in texts}
    return lambda tokens: known & set(tokens)


@pytest.mark.parametrize(
    "line",
    ["OBX|1|NM|8867-4^^LN|1|87654399", "OBX|1|NM|87654399^^L|1|72", "OBX|1|NM|8867-4^^LN|AB-123456|72",
     "OBX|1|ED|8867-4^^LN|1|ODc2NTQzOTkg"],
)  # fmt: skip
def test_another_patients_identifier_is_stopped_on_a_link_without_identity(line):
    guard = Guard(HASHER)
    for _ in range(2):
        assert check(line, guard=guard, foreign=others()) is CLEAN
        assert check(line, guard=guard) is CLEAN  # reverse: without the index
    guard.forget()
    for _ in range(2):
        verdict = check(line, guard=guard, foreign=others("87654399", "ab123456"))
        assert isinstance(verdict, Stop)
        assert verdict.kind == "other-patient"
        assert "segment 3" in verdict.where


def test_a_line_found_clean_before_is_asked_about_again():
    guard, line = Guard(HASHER), "OBX|1|NM|8867-4^^LN|1|87654399"
    assert check(line, guard=guard, foreign=others()) is CLEAN
    assert isinstance(check(line, guard=guard, foreign=others("87654399")), Stop)


@pytest.mark.parametrize("value", ["150456", "0.1234567", "12.3456789", "1000-2500", "20260301"])
def test_codes_fractions_ranges_and_days_are_not_asked_about(value):
    digits = "".join(c for c in value if c.isdigit())
    known = others(value, digits, digits[1:])
    assert check(f"OBX|1|NM|8867-4^^LN|1|{value}", foreign=known) is CLEAN


@pytest.mark.parametrize("identity", [True, False])
def test_encoded_identifiers_clean_once_are_asked_about_again(identity):
    guard, line = Guard(HASHER), "OBX|1|ED|8867-4^^LN|1|ODc2NTQzOTkg"
    for known in (None, others()):
        assert check(line, guard=guard, carries_identity=identity, foreign=known) is CLEAN
    assert isinstance(check(line, guard=guard, carries_identity=identity, foreign=others("87654399")), Stop)


# --- dates and telephones


@pytest.mark.parametrize(
    "value", ["1970.0131", "197001.31", "3101.1970", "700131", "1970-1-31.", "3141592", "314-1592"]
)
def test_dates_and_local_numbers_are_stopped(value):
    assert isinstance(check(f"OBX|1|NM|8867-4^^LN|1|{value}"), Stop)


@pytest.mark.parametrize(
    "value",
    [
        "1970.0132",
        "700132",
        "1700131",
        "70013.1",
        "700131.5",
        "3141593",
        "0.700131",
        "9^700131^8",
        "53141592",
    ],
)
def test_other_numbers_are_not(value):
    assert not isinstance(check(f"OBX|1|NM|8867-4^^LN|1|{value}"), Stop)
