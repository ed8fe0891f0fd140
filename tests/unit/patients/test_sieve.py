"""The sieve says "no" never wrongly, and "perhaps" wrongly seldom."""

import os

from hypothesis import given
from hypothesis import strategies as st

from oathward.patients.sieve import Sieve


@given(st.lists(st.binary(min_size=8, max_size=8), max_size=200))
def test_what_was_put_in_is_never_denied(tokens):
    sieve = Sieve(tokens)
    assert all(token in sieve for token in tokens)


def test_wrong_perhaps_are_few_at_the_load_it_is_built_for():
    tokens = [os.urandom(8) for _ in range(100_000)]
    sieve = Sieve(tokens, expected=len(tokens))
    wrong = sum(os.urandom(8) in sieve for _ in range(50_000))
    assert wrong < 50_000 / 100
    assert not sieve.full


def test_it_says_when_it_has_grown_too_full():
    sieve = Sieve()
    for _ in range(70_000):
        sieve.add(os.urandom(8))
    assert sieve.full
