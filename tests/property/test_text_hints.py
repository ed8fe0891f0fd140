"""A pattern is looked for only where its hint is found: so its hint must be found wherever the pattern is.

Texts are made from a pattern by ``rstr``, which only writes. Hypothesis' ``from_regex`` reads what it made again with ``re``,
which some of these patterns keep busy for hours: they are written for RE2.
"""

from __future__ import annotations

import re
from random import Random

import pytest
import re2
import rstr
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from oathward.deid.text.recogniser import Pattern, recognisers

HINTED = [
    pytest.param(pattern, id=f"{name}-{number}")
    for name, part in recognisers().items()
    for number, pattern in enumerate(part.patterns)
    if pattern.hint
]


def as_python(expression: str) -> str:
    """RE2's words for letters and code points in those of ``re``."""
    told = re.sub(r"\\x\{([0-9a-f]{2})\}", r"\\x\1", expression)
    told = re.sub(r"\\x\{([0-9a-f]{4})\}", r"\\u\1", told)
    return told.replace(r"\p{Lu}", "A-Z").replace(r"\pL", "A-Za-zÀ-ž")


@pytest.mark.parametrize("pattern", HINTED)
@settings(max_examples=12, phases=[Phase.explicit, Phase.generate])
@given(
    seed=st.integers(0, 2**32),
    before=st.sampled_from(["", " ", "x ", "("]),
    after=st.sampled_from(["", " ", ". x", ")"]),
)
def test_a_hint_is_found_wherever_its_pattern_is(
    pattern: Pattern, seed: int, before: str, after: str
) -> None:
    text = before + rstr.Rstr(Random(seed)).xeger(as_python(pattern.expression)) + after
    hint, exact = re2.compile(pattern.hint), re2.compile(pattern.expression)
    for match in exact.finditer(text):
        start, end = match.span(pattern.group)
        told = start >= 0 and (pattern.check(text[start:end]) if pattern.check else pattern.sure)
        if told and start < end:
            assert hint.search(text) is not None
