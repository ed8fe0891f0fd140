"""For any text: what is planted is never left in part, spans are in order, and whatever the text the cost stays in its budget."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oathward.core.errors import DeidentificationError
from oathward.core.reasons import Reason
from oathward.deid.action import Seeds
from oathward.deid.text import find as finding
from oathward.deid.text.budget import Budget
from oathward.deid.text.checks import card, dea, iban, luhn, npi
from oathward.deid.text.clean import clean
from oathward.deid.text.find import find, settle
from oathward.deid.text.model import NOTHING, Context, Known, Span
from oathward.deid.text.tokens import tokens
from oathward.protocols.shaping import KEEP, REMOVE, Ruling

SEEDS = Seeds(b"s" * 32, b"d" * 32, "1")
LOUD = st.text("QXZJKVW", min_size=5, max_size=9).map(lambda text: f"Q{text.lower()}")
DIGITS = st.text(string.digits, min_size=7, max_size=11)
DAYS = st.dates()
PROSE = st.lists(
    st.sampled_from(
        [
            "the",
            "patient",
            "was",
            "seen",
            "and",
            "has",
            "mild",
            "pain",
            "in",
            "both",
            "knees",
            "with",
            "no",
            "fever;",
            "plan:",
            "continue,",
            "review",
            "weekly",
        ]
    ),
    max_size=30,
).map(" ".join)
ANY = st.text(max_size=400)
CONTEXT = Context(NOTHING, lambda _cls, _part: REMOVE, "en")


def left(text: str) -> str:
    return clean(text, CONTEXT, SEEDS).text


PLANTS = {
    "network": LOUD.map(lambda word: (f"{word}@ward.example.com", word)),
    "phone": DIGITS.filter(lambda d: len(d) >= 10).map(lambda d: (f"({d[:3]}) {d[3:6]}-{d[6:10]}", d[6:10])),
    "identifiers": DIGITS.map(lambda d: (f"MRN: {d}", d)),
    "devices": LOUD.map(lambda word: (f"serial number: {word.upper()}-7", word.upper())),
    "dates": DAYS.filter(lambda day: day.year > 1899).map(
        lambda day: (day.strftime("%B %d, %Y"), day.strftime("%d, %Y"))
    ),
    "ages_en": st.integers(90, 125).map(lambda age: (f"Pt {age}, here", str(age))),
    "postcodes": DIGITS.map(lambda d: (f"TX {d[:5]}", d[:5])),
    "address_en": LOUD.map(lambda word: (f"12 {word} Street", word)),
    "proper_en": LOUD.map(lambda word: (f"Dr. {word}", word)),
}


@pytest.mark.parametrize("name", PLANTS)
@given(data=st.data(), before=PROSE, after=PROSE)
def test_what_is_planted_goes_whole(name: str, data: st.DataObject, before: str, after: str) -> None:
    plant, secret = data.draw(PLANTS[name])
    assert secret not in left(f"{before} {plant} {after}")


@given(text=ANY, words=st.lists(LOUD, min_size=1, max_size=3))
def test_what_is_known_goes_wherever_it_stands(text: str, words: list[str]) -> None:
    name = " ".join(words)
    known = Context(Known((("patient.name", "", name),)), lambda _cls, _part: REMOVE)
    assert name.lower() not in clean(f"{text} {name} {text}", known, SEEDS).text.lower()


@given(text=ANY, language=st.sampled_from(("", "en", "es", "xx")))
def test_spans_are_in_order_inside_the_text_and_never_overlap(text: str, language: str) -> None:
    spans = find(text, Context(NOTHING, lambda _cls, _part: REMOVE, language))
    places = [place for span in spans for place in (span.start, span.end)]
    assert places == sorted(places)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)


@given(text=ANY)
def test_what_is_cleaned_once_has_nothing_that_names_left_but_marks(text: str) -> None:
    cleaned = clean(text, CONTEXT, SEEDS)
    outside = "".join(c for i, c in enumerate(text) if not any(s.start <= i < s.end for s in cleaned.spans))
    kept = cleaned.text
    for span in cleaned.spans:
        assert span.end - span.start > 0
    assert len(outside) <= len(kept)


SPANS = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.integers(1, 20),
        st.sampled_from(("patient.name", "organisation.name")),
        st.floats(0, 1),
    ).map(lambda s: Span(s[0], s[0] + s[1], s[2], "x", s[3])),
    max_size=12,
)


@given(spans=SPANS)
def test_settling_uncovers_nothing_and_never_keeps_what_must_go(spans: list[Span]) -> None:
    def decide(cls: str, _part: str) -> Ruling:
        return KEEP if cls == "organisation.name" else REMOVE

    text = "a" * 64
    settled = settle(text, spans, decide)
    assert {i for s in spans for i in range(s.start, s.end)} == {
        i for s in settled for i in range(s.start, s.end)
    }
    gone = {i for s in spans if s.cls == "patient.name" for i in range(s.start, s.end)}
    assert gone == {i for s in settled if s.cls == "patient.name" for i in range(s.start, s.end)}


@pytest.mark.parametrize(
    "hostile",
    [
        "a" * 60_000,
        "1-" * 30_000,
        "A. " * 20_000,
        "@" * 60_000,
        "Apt 1 " * 10_000,
        "Dr. " * 15_000,
        "((((1" * 12_000,
        "::" * 30_000,
    ],
)
def test_steps_grow_with_the_text_whatever_it_is(hostile: str) -> None:
    """A hundred steps a code point are far more than any text needs; what needs more is refused."""
    find(hostile, Context(NOTHING, lambda _cls, _part: REMOVE), Budget(steps_max=100 * len(hostile)))


def test_without_its_budget_a_long_text_passes_and_with_it_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard's reverse: with the meter off, the same text is read to its end."""
    text = "seen by Dr. Quarrel " * 400
    with pytest.raises(DeidentificationError) as raised:
        find(text, CONTEXT, Budget(steps_max=50))
    assert raised.value.reason is Reason.DEID_TEXT_TIMEOUT
    monkeypatch.setattr(finding.Meter, "spend", lambda _meter, _steps: None)
    assert find(text, CONTEXT, Budget(steps_max=50))


@given(text=ANY)
def test_words_stand_where_they_say(text: str) -> None:
    words = tokens(text)
    assert [text[a:b] for a, b in zip(words.starts, words.ends, strict=True)] == words.words
    assert all(any(c.isalnum() for c in word) for word in words.words)


@given(digits=st.text(string.digits, min_size=11, max_size=15), place=st.integers(0, 10))
def test_a_check_digit_sees_one_wrong_figure(digits: str, place: int) -> None:
    whole = next(digits + str(c) for c in range(10) if luhn(digits + str(c)))
    wrong = whole[:place] + str((int(whole[place]) + 1) % 10) + whole[place + 1 :]
    assert card(whole)
    assert not card(wrong)


def test_numbers_of_which_the_check_is_known() -> None:
    assert npi("1234567893")
    assert not npi("1234567894")
    assert dea("BJ6125341")
    assert not dea("BJ6125342")
    assert iban("GB82 WEST 1234 5698 7654 32")
    assert not iban("GB83 WEST 1234 5698 7654 32")
