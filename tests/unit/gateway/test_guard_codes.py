"""The guard on names inside of codes: where no sentence stands, one long name of the patient stops."""

import pytest
from tests.unit.gateway.fhir_disguises import member, note
from tests.unit.gateway.guarding import HEADER, hl7v2
from tests.unit.gateway.test_guard_fhir_parts import CARD, HASHER, NOBODY, check

from oathward.gateway.guard import Guard
from oathward.gateway.guard.check import Check
from oathward.gateway.guard.verdict import CLEAN, Stop

INSIDE = [
    member("code", {"coding": [{"system": "urn:x", "code": "LAB-ROSENQVIST-X7"}]}),
    member("code", {"coding": [{"code": "ward_rosenqvist"}]}),
    member("valueCode", "x.Rosenqvist.y"),
    member("language", "en-x-rosenqvist"),
    member("valueQuantity", {"value": 1, "unit": "mg/Rosenqvist/d"}),
    member("valueQuantity", {"value": 1, "code": "{rosenqvist}.min"}),
    member("code", {"coding": [{"display": "MDC_PULS_ROSENQVIST"}]}),
    '"language":"en-x-R\\u006fsenqvist"',
]


@pytest.mark.parametrize("fragment", INSIDE)
def test_a_long_name_inside_a_code_is_stopped(fragment):
    guard = Guard(HASHER)
    for _ in range(2):
        verdict = check(fragment, guard=guard)
        assert isinstance(verdict, Stop)
        assert verdict.kind == "name-parts"
        assert not isinstance(check(fragment, guard=guard, clear=frozenset({"patient.name"})), Stop)
    assert isinstance(check(fragment, original=NOBODY, card_words=CARD), Stop)
    assert check(fragment, original=NOBODY) is CLEAN
    assert check(fragment, carries_identity=True) is CLEAN


@pytest.mark.parametrize("fragment", INSIDE[:2] + INSIDE[3:4])
def test_reverse_without_a_look_into_codes_it_passes(fragment, monkeypatch):
    monkeypatch.setattr(Check, "_coded", lambda _: None)
    assert not isinstance(check(fragment), Stop)


def test_what_is_known_of_a_text_does_not_hold_for_a_code_that_reads_the_same():
    guard = Guard(HASHER)
    text, code = note("lab rosenqvist-x"), member("code", {"code": "lab-rosenqvist-x"})
    same = member("code", {"code": "lab rosenqvist-x"})
    for _ in range(2):
        assert not isinstance(check(text, guard=guard), Stop)
        assert not isinstance(check(same, guard=guard), Stop)  # a blank: no code, and it is counted
        assert isinstance(check(code, guard=guard), Stop)
        assert not isinstance(check(note("lab-rosenqvist-x"), guard=guard), Stop)


@pytest.mark.parametrize(
    "fragment",
    [
        member("code", {"code": "rosenqvistium-7"}), member("code", {"code": "8867-4"}), member("language", "en-US"),
        member("code", {"code": "ada-x"}), member("code", {"code": "vandermeulen-x"}),
    ],
)  # fmt: skip
def test_other_words_short_names_and_relatives_do_not_stop_there(fragment):
    assert not isinstance(check(fragment), Stop)


@pytest.mark.parametrize(
    ("line", "stops"),
    [
        ("OBX|1|NM|LAB-ROSENQVIST^X^L||72", True),
        ("OBX|1|NM|1^WARD_ROSENQVIST^L||72", True),
        ("OBX|1|NM|1^X^L^ALT-ROSENQVIST^Y^L||72", True),
        ("OBX|1|NM|1^then Rosenqvist slept^L||72", False),
        ("OBX|1|NM|LAB-OTHER^X^L||72", False),
    ],
)
def test_so_it_is_in_hl7_v2(line, stops):
    original = hl7v2((HEADER, "PID|1||12345678^^^H^MR||Rosenqvist^Adalbert"))
    guard = Guard(HASHER)
    for _ in range(2):
        verdict = guard.check(original, f"{HEADER}\r{line}\r".encode(), carries_identity=False)
        assert isinstance(verdict, Stop) == stops
