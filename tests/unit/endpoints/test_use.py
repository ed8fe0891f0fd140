"""Promises of use by the week: what is counted, what too little seen gives, where a window lies."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oathward.core.clock import micros
from oathward.endpoints.use import HOURS, WEEKS_MIN, heat, window

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def at(day, hour, week=0):
    return micros(MONDAY + timedelta(weeks=week, days=day, hours=hour))


def weeks(count):
    return at(0, 0), at(0, 0, count) - 1


def test_hours_of_the_week_begin_on_monday():
    of = heat([at(0, 0), at(6, 23)], *weeks(2))
    assert (of.active[0], of.active[167]) == (1, 1)
    assert of.share(0) == 0.5
    assert sum(of.active) == 2


def test_what_was_never_seen_is_not_quiet():
    of = heat([], at(0, 0), at(0, 5))
    assert of.share(5) == 0
    assert of.share(6) is None
    assert of.weeks == 0


@pytest.mark.parametrize("count", range(WEEKS_MIN))
def test_too_little_seen_is_no_window(count):
    assert window(heat([], *weeks(count)), 2) is None
    assert window(heat([], *weeks(WEEKS_MIN)), 2) is not None


def test_a_device_of_the_day_is_free_in_the_middle_of_its_night():
    busy = [at(day, hour, week) for week in range(3) for day in range(7) for hour in range(7, 22)]
    found = window(heat(busy, *weeks(3)), 2)
    assert found is not None
    assert found.share == 0
    assert found.begins % 24 in {1, 2, 3, 4}


def test_a_device_that_never_rests_says_how_busy_its_window_is():
    busy = [
        at(day, hour, week)
        for week in range(2)
        for day in range(7)
        for hour in range(24)
        if (day, hour, week) != (2, 4, 1)
    ]
    found = window(heat(busy, *weeks(2)), 1)
    assert found is not None
    assert (found.begins, found.share) == (2 * 24 + 4, 0.5)


def test_hours_outside_what_was_seen_do_not_count():
    assert sum(heat([at(0, 0, 5)], *weeks(2)).active) == 0


@given(st.lists(st.integers(0, HOURS * 5), max_size=300), st.integers(1, HOURS), st.integers(1, 5))
def test_a_window_is_never_busier_than_any_other(busy, hours, count):
    of = heat([at(0, hour) for hour in busy], *weeks(count))
    found = window(of, hours)
    assert all(active <= seen for active, seen in zip(of.active, of.seen, strict=True))
    if count < WEEKS_MIN:
        assert found is None
        return
    shares = [
        sum(of.active[(begins + n) % HOURS] for n in range(hours)) / (count * hours)
        for begins in range(HOURS)
    ]
    assert found is not None
    assert found.share == pytest.approx(min(shares))


@pytest.mark.parametrize("hours", [0, -1, 169])
def test_a_window_of_no_length_is_an_error(hours):
    with pytest.raises(ValueError, match="hours"):
        window(heat([], *weeks(2)), hours)
