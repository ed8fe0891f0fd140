"""Accesses to the portal over all dates: what has ended never comes back by itself, and nothing outlives its end."""

from dataclasses import replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from oathward.policy.portal import BASES, SCOPE, STATES, Access, grown_us, standing

YEAR_US = 31_557_600_000_000
TIMES = st.integers(0, 150 * YEAR_US)
BIRTHS = st.none() | st.dates(date(1900, 1, 1), date(2110, 1, 1))
OVER = {"ended", "hidden", "late", "of-age"}


@st.composite
def accesses(draw):
    start_us = draw(TIMES)
    return Access(
        id=draw(st.text(min_size=1, max_size=8)),
        holder="h",
        subject="s",
        basis=draw(st.sampled_from(BASES)),
        scope=frozenset(draw(st.sets(st.sampled_from(SCOPE)))) | {"see"},
        start_us=start_us,
        end_us=draw(st.none() | st.integers(start_us + 1, start_us + 150 * YEAR_US)),
        state=draw(st.sampled_from(STATES)),
        by=draw(st.text(max_size=8)),
    )


@given(accesses())
def test_bodies_are_read_back(access):
    assert Access.from_body(access.body()) == access


@given(accesses(), BIRTHS, TIMES, TIMES, st.integers(1, 30))
def test_what_is_over_is_over_for_good(access, born, one, other, adult_years):
    first, then = sorted((one, other))
    before = standing(access, first, born=born, adult_years=adult_years)
    after = standing(access, then, born=born, adult_years=adult_years)
    if before in OVER:
        assert after in OVER
    if after == "in-force":
        assert before in {"in-force", "early"}


@given(accesses(), BIRTHS, TIMES, st.integers(1, 30))
def test_in_force_means_begun_not_ended_and_no_childs_parent_after_childhood(access, born, now, adult_years):
    if standing(access, now, born=born, adult_years=adult_years) != "in-force":
        return
    assert access.state == "active"
    assert access.start_us <= now
    assert access.end_us is None or now < access.end_us
    if access.basis == "parent":
        assert born is not None
        assert now < grown_us(born, adult_years)


@given(accesses(), BIRTHS, TIMES, st.integers(1, 30))
def test_an_earlier_end_never_gives_more(access, born, now, adult_years):
    ended = replace(access, end_us=access.start_us + 1)
    if standing(ended, now, born=born, adult_years=adult_years) == "in-force":
        assert standing(access, now, born=born, adult_years=adult_years) == "in-force"
