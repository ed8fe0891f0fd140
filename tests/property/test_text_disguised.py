"""What is known is found in whatever letters it is written and however far apart they stand; figures in other forms are figures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oathward.deid.text import find as find_module
from oathward.deid.text import known_names
from oathward.deid.text.find import find
from oathward.deid.text.lookalikes import latin, looks_latin
from oathward.deid.text.model import NOTHING, Context, Known
from oathward.deid.text.seen import Seen, seen
from oathward.protocols.shaping import REMOVE

NAMES = ("Martinez", "Quarrel", "Zephyrine", "Okonkwo", "Ana", "Delacroix")
NUMBER = "48221907"
APART = (" ", "  ", "-", ".", "_", "*", ". ", "/", "|", "~", "\n", " - ")
NOWHERE = ("\u200b", "\u200d", "\u2060", "\u00ad", "\u034f", "\u202e", "\u3164", "\x00", "\x08")
FORMS = {"wide": 0xFEE0, "bold": 0x1D400 - ord("A"), "mono": 0x1D670 - ord("A")}
TWINS = [chr(code) for code in range(0x370, 0x590) if looks_latin(chr(code))]


def found(text: str, known: Known = NOTHING) -> str:
    """Give the text with what was found taken out."""
    left = list(text)
    for span in find(text, Context(known, lambda _cls, _part: REMOVE, "en")):
        left[span.start : span.end] = [""] * (span.end - span.start)
    return "".join(left)


def formed(text: str, form: str) -> str:
    small = 0xFEE0 if form == "wide" else FORMS[form] - 6
    figures = {"wide": 0xFEE0, "bold": 0x1D7CE - ord("0"), "mono": 0x1D7F6 - ord("0")}[form]
    return "".join(
        chr(ord(c) + (figures if c.isdigit() else FORMS[form] if c.isupper() else small)) for c in text
    )


def twinned(text: str, chance: list[bool]) -> str:
    """Write a Cyrillic, Greek or Armenian letter for a Latin one where there is one and chance says so."""
    twins = {latin(one): one for one in TWINS}
    return "".join(twins.get(c, c) if chance[i % len(chance)] else c for i, c in enumerate(text))


NAME = st.sampled_from(NAMES)
CASE = st.sampled_from((str, str.upper))
CHANCE = st.lists(st.booleans(), min_size=1, max_size=9)


def known_name(name: str) -> Known:
    return Known((("patient.name", "", name), ("patient.identifier", "", NUMBER)))


@given(NAME, CASE, st.sampled_from(APART))
def test_a_known_name_is_found_in_letters_that_stand_apart(name: str, case: object, apart: str) -> None:
    text = f"reviewed with {apart.join(case(name))} today"  # type: ignore[operator]  # a function of str
    assert found(text, known_name(name)).split() == ["reviewed", "with", "today"]


@given(NAME, st.sampled_from(NOWHERE), CHANCE)
def test_a_known_name_is_found_whatever_stands_in_it_unseen(
    name: str, hidden: str, chance: list[bool]
) -> None:
    written = "".join(c + hidden * chance[i % len(chance)] for i, c in enumerate(name))
    assert found(f"reviewed with {written} today", known_name(name)).split() == ["reviewed", "with", "today"]


@given(NAME, CASE, CHANCE, st.booleans())
def test_a_known_name_is_found_in_letters_that_look_like_its_own(
    name: str, case: object, chance: list[bool], spaced: bool
) -> None:
    written = twinned(case(name), chance)  # type: ignore[operator]  # a function of str
    text = f"reviewed with {' '.join(written) if spaced else written} today"
    assert found(text, known_name(name)).split() == ["reviewed", "with", "today"]


@given(NAME, st.sampled_from(sorted(FORMS)))
def test_a_known_name_and_number_are_found_in_other_forms(name: str, form: str) -> None:
    text = f"reviewed with {formed(name, form)} as {formed(NUMBER, form)} today"
    assert found(text, known_name(name)).split() == ["reviewed", "with", "as", "today"]


@given(st.sampled_from(sorted(FORMS)), st.sampled_from(NOWHERE), st.booleans())
@pytest.mark.parametrize("number", ["078-05-1120", "907-555-0142", "11/17/1951", "48221907"])
def test_recognisers_see_figures_in_other_forms(number: str, form: str, hidden: str, holed: bool) -> None:
    written = "".join(formed(c, form) if c.isdigit() else c for c in number)
    written = hidden.join(written) if holed else written
    assert not any(map(str.isdigit, found(f"seen {written} there")))


@given(st.text(st.sampled_from([*"ab 1.\u0301", "\ufb01", "\uff11", "\u200b", "\u00b2", "\u043e", "\u2013"])))
def test_every_place_leads_back(text: str) -> None:
    read = seen(text)
    for start in range(len(read.text)):
        first, end = read.back(start, start + 1)
        assert 0 <= first < end <= len(text)
    if read.text:
        assert read.back(0, len(read.text))[1] == len(text)


@pytest.mark.parametrize(
    ("text", "as_seen"),
    [
        ("10\u00b2 and 10\u2079", "10\u00b2 and 10\u2079"),
        ("SpO\u2082 96", "SpO2 96"),
        ("1\u00ba de mayo", "1\u00ba de mayo"),
        ("5 \u338e", "5 \u338e"),
        ("\u0412\u0435\u0440\u0430", "\u0412\u0435\u0440\u0430"),
        ("\u041cartin", "Martin"),
        ("\u041c123", "M123"),
        ("5 \u00b5g", "5 \u00b5g"),
    ],
)
def test_what_means_something_else_stays(text: str, as_seen: str) -> None:
    assert seen(text).text == as_seen


def test_reverse_reading_as_seen_is_what_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = formed(NUMBER, "bold")
    assert wide not in found(f"seen {wide} there")
    monkeypatch.setattr(find_module, "seen", Seen)
    assert wide in found(f"seen {wide} there")


def test_reverse_joining_is_what_finds_letters_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_names, "parted_at", lambda _text, _units, i, _names: (i, "", 0))
    monkeypatch.setattr(find_module, "spelled", lambda _text: None)
    assert "r t i n" in found("reviewed with M a r t i n e z today", known_name("Martinez"))
