"""Names nobody knows whose letters stand apart: found by their title, their label or our lists, and columns of letters are none."""

from __future__ import annotations

import pytest

from oathward.core.errors import DeidentificationError
from oathward.core.reasons import Reason
from oathward.deid.text import find as finding
from oathward.deid.text.budget import Budget
from oathward.deid.text.find import find
from oathward.deid.text.model import NOTHING, Context
from oathward.deid.text.spelled import spelled
from oathward.protocols.shaping import REMOVE

NAMES = [
    ("en", "Mr J o h n  S m i t h was seen", "J o h n  S m i t h"),
    ("en", "seen by Dr. V r e l i n e Q u a r r e l today", "V r e l i n e Q u a r r e l"),
    ("en", "Dr. V-r-e-l-a-n-t said", "V-r-e-l-a-n-t"),
    ("en", "Patient: Q U A R R E L came", "Q U A R R E L"),
    ("en", "name: v r e l a n t", "v r e l a n t"),
    ("en", "her husband, U l r i c, drove", "U l r i c"),
    ("en", "J O H N  S M I T H was seen", "J O H N  S M I T H"),
    ("en", "asked J.o.h.n S.m.i.t.h again", "J.o.h.n S.m.i.t.h"),
    ("en", "Mr J\u200b o h\u00a0n  S m i t h, 93, was", "J\u200b o h\u00a0n  S m i t h"),
    ("es", "Dr. J u a n  P é r e z atiende", "J u a n  P é r e z"),
    ("es", "Paciente: M A R Í A", "M A R Í A"),
]
NOBODY = [
    "hepatitis A B C; vitamins A D E K; Y N Y N Y N Y; columns A B C D E F G; a/b/c and x-y-z",
    "P A T I E N T  N A M E none. D I A G N O S I S: flu. T O T A L  S C O R E : 7. R E S U L T S",
    "W B C 12, H b 10, blood group A B O, stages I I I",
]


def told(text: str, language: str) -> list[str]:
    return [text[s.start : s.end] for s in find(text, Context(NOTHING, lambda _cls, _part: REMOVE, language))]


@pytest.mark.parametrize(("language", "text", "name"), NAMES)
def test_a_name_is_found_whole_whose_letters_stand_apart(language: str, text: str, name: str) -> None:
    assert name in told(text, language)
    assert name in told(text, "")


@pytest.mark.parametrize("text", NOBODY)
def test_letters_in_columns_and_headings_name_nobody(text: str) -> None:
    assert told(text, "en") == []


@pytest.mark.parametrize("text", ["", "a b", "Mr J o", "ab c d", "1 2 3 4 5"])
def test_nothing_is_joined_where_no_word_stands_apart(text: str) -> None:
    assert spelled(text) is None


def test_what_is_joined_leads_back_to_its_letters() -> None:
    text = "to J o h n S m i t h, a.b.c."
    joined = spelled(text)
    assert joined is not None
    assert joined.read.text == "to John Smith, abc."
    assert [text[slice(*joined.read.back(start, end))] for start, end in joined.runs] == [
        "J o h n S m i t h",
        "a.b.c",
    ]


def test_reading_once_more_is_counted() -> None:
    text = "x y z and more " * 100
    words, context = 5 * 100, Context(NOTHING, lambda _cls, _part: REMOVE, "en")
    find(text.replace(" y", "y").replace(" z", "z"), context, Budget(steps_max=8 * words))
    with pytest.raises(DeidentificationError) as raised:
        find(text, context, Budget(steps_max=8 * words))
    assert raised.value.reason is Reason.DEID_TEXT_TIMEOUT


def test_reverse_joining_is_what_finds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "spelled", lambda _text: None)
    found = [name for language, text, name in NAMES if name in told(text, language)]
    # Behind a label initials are a name without being joined.
    assert found == ["Q U A R R E L", "v r e l a n t"]
