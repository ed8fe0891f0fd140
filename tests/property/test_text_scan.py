"""What is passed over holds nothing: hits are those of a search for every pattern through the whole text, wherever its blocks end.

Texts are made from patterns by ``rstr``, as in ``test_text_hints``; among them stand words that hold nothing.
"""

from __future__ import annotations

from random import Random

import pytest
import re2
import rstr
from bench.textcorpora import HOME, cases
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.property.test_text_hints import as_python

from oathward.deid.text.budget import BUDGET, Meter
from oathward.deid.text.recogniser import recognisers
from oathward.deid.text.scan import BLOCK, REACH, Scanner, _whole

LANGUAGES = ("en", "es", "")
SCANNERS = {language: Scanner(recognisers(language)) for language in LANGUAGES}
COMPILED = {
    language: [
        (name, pattern, re2.compile(pattern.expression))
        for name, part in recognisers(language).items()
        for pattern in part.patterns
    ]
    for language in LANGUAGES
}
FILLERS = (
    "walks without pain ",
    "sin fiebre ni dolor ",
    "añoñeñiñ ",
    "“é” ",
    "日本語 ",
    "x" * 40 + " ",
    "\n",
    "e\u0301 ",
)

Hit = tuple[int, int, str]


def through_the_whole(text: str, language: str) -> tuple[set[Hit], bool]:
    """Every hit of every pattern, and whether one of them is longer than what is promised."""
    hits, long = set(), False
    for name, pattern, compiled in COMPILED[language]:
        for match in compiled.finditer(text):
            start, end = match.span(pattern.group)
            long = long or match.end() - match.start() > REACH
            if 0 <= start < end and _whole(text, start, end):
                sure = pattern.check(text[start:end]) if pattern.check else pattern.sure
                if sure > 0:
                    hits.add((start, end, name))
    return hits, long


def found(text: str, language: str) -> set[Hit]:
    return {(s.start, s.end, s.how) for s in SCANNERS[language].find(text, Meter(text, BUDGET))}


def made(seed: int, language: str) -> str:
    """Some twenty texts of patterns with as much between them as makes blocks end anywhere."""
    chance = Random(seed)
    parts = []
    for _ in range(chance.randint(1, 20)):
        pattern = chance.choice(COMPILED[language])[1]
        parts.append(chance.choice(FILLERS) * chance.choice((0, 1, 2, 9, BLOCK // 19, BLOCK // 5)))
        parts.append(rstr.Rstr(chance).xeger(as_python(pattern.expression))[:REACH])
        parts.append(chance.choice((" ", ". ", "\n", "")))
    return "".join(parts)


@pytest.mark.parametrize("language", LANGUAGES)
@settings(max_examples=40, phases=[Phase.explicit, Phase.generate])
@given(seed=st.integers(0, 2**32))
def test_hits_are_those_of_a_search_through_the_whole_text(language: str, seed: int) -> None:
    text = made(seed, language)
    hits, long = through_the_whole(text, language)
    if not long:
        assert found(text, language) == hits


@pytest.mark.corpus
@pytest.mark.skipif(not HOME.is_dir(), reason="no free texts beside this checkout")
@pytest.mark.parametrize(
    ("language", "name"), [("en", "asq-phi"), ("es", "meddocan-es"), ("en", "presidio-research")]
)
def test_hits_are_the_same_in_texts_that_others_wrote(language: str, name: str) -> None:
    texts = [case.text for case in cases("develop", (name,))]
    for text in [*texts, "\n".join(texts)]:
        hits, long = through_the_whole(text, language)
        assert long or found(text, language) == hits
