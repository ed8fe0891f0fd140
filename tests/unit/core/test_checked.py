"""Promises about values that come back from who is not to be believed: the same where they fit, nothing where they do not."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oathward.core.checked import TEXT_LENGTH_MAX, plain, reader


class Colour(Enum):
    RED = ("r", 1)
    BLUE = ("b", 2)


class Pair(NamedTuple):
    name: str
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    colour: Colour
    pairs: tuple[Pair, ...]
    share: float
    names: frozenset[str]
    hits: int | None
    sure: bool
    said: Mapping[str, int]


WHOLE = st.integers(-(2**130), 2**130)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PAIRS = st.builds(Pair, name=TEXT, spans=st.lists(st.tuples(WHOLE, WHOLE), max_size=3).map(tuple))
THINGS = st.builds(
    Thing,
    colour=st.sampled_from(Colour),
    pairs=st.lists(PAIRS, max_size=3).map(tuple),
    share=st.floats(allow_nan=False, allow_infinity=False),
    names=st.frozensets(TEXT, max_size=3),
    hits=st.none() | WHOLE,
    sure=st.booleans(),
    said=st.dictionaries(TEXT, WHOLE, max_size=3),
)


@given(THINGS)
def test_what_fits_comes_back_the_same(thing):
    assert reader(Thing)(orjson.loads(orjson.dumps(plain(thing)))) == thing


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=20,
)


@given(JSON)
def test_whatever_is_sent_fits_or_is_refused(sent):
    try:
        found = reader(Thing)(sent)
    except ValueError:
        return
    assert reader(Thing)(plain(found)) == found


@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        (int, True),
        (int, 1.0),
        (int, "zz"),
        (int, "1" * 41),
        (float, "1"),
        (bool, 1),
        (str, 1),
        (str, "x" * (TEXT_LENGTH_MAX + 1)),
        (int | None, "x"),
        (tuple[int, int], [1]),
        (tuple[int, ...], "12"),
        (Pair, ["x", [], 1]),
        (Pair, {"name": "x", "spans": []}),
        (Colour, "r"),
        (Mapping[str, int], [["a", 1]]),
    ],
)
def test_what_does_not_fit_is_refused(kind, sent):
    with pytest.raises(ValueError, match=r"list|table|fields|member|text|number|yes or no|invalid literal"):
        reader(kind)(sent)


def test_every_text_goes_through_who_reads_it():
    assert reader(Pair, str.upper)(["x", []]) == Pair("X", ())


def test_a_type_without_a_form_is_a_mistake_of_ours():
    with pytest.raises(TypeError):
        reader(set[int])
