"""Promises of the names of measurements: a code has one text, every language has it, and staff's names have one too."""

import re
from collections import Counter

import pytest

from oathward.bedside.picture import _NAMES, Reading, pretty
from oathward.core.phi import Phi
from oathward.web.portal import measured, texts


def reading(code, name=""):
    return Reading(code, pretty(code, name), Phi("1"), Phi(1.0), "", 1, "m")


def test_every_code_stands_once_and_is_one():
    found = Counter(code for codes in measured.CODES.values() for code in codes)
    assert [code for code, count in found.items() if count > 1] == []
    for code in found:
        assert re.fullmatch(r"LN\|\d{1,6}-\d|MDC\|\d{5,8}|MDC_\w+", code), code


def test_a_loinc_code_has_its_own_check_digit():
    """Source: LOINC Users' Guide, appendix C (modulus 10); LOINC itself gave 3150-6 a digit that is none."""
    loinc = {one for codes in measured.CODES.values() for one in codes if one.startswith("LN|")}
    for code in loinc - {"LN|3150-6"}:
        number, _, check = code[3:].partition("-")
        odd, even = number[::-1][::2], number[::-1][1::2]
        total = sum(map(int, str(int(odd) * 2))) + sum(map(int, even))
        assert int(check) == -total % 10, code


@pytest.mark.parametrize("language", sorted(texts.load()))
def test_every_text_is_written_and_no_two_are_the_same(language):
    said = [texts.load()[language].say(name) for name in measured.SAYS]
    assert sorted(set(said)) == sorted(said)


def test_what_staff_read_most_often_has_a_patients_name_too():
    staff = {name for name in _NAMES if measured.text_of(reading("|", name)) == ""}
    assert staff == set()


@pytest.mark.parametrize(
    ("code", "name", "text"),
    [
        ("LN|8867-4", "Herzfrequenz", "heart_rate"),
        ("LOINC|8867-4", "", "heart_rate"),
        ("http://loinc.org|8867-4", "", ""),
        ("MDC|147842", "HR", "heart_rate"),
        ("MDC|MDC_ECG_HEART_RATE", "", "heart_rate"),
        ("99ACME|1", "MDC_ECG_HEART_RATE", "heart_rate"),
        ("99ACME|8867-4", "Pulse of the maker", ""),
        ("|", "Heart of gold", ""),
    ],
)
def test_the_code_counts_whatever_text_stands_beside_it(code, name, text):
    assert measured.text_of(reading(code, name)) == text
