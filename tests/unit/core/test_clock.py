"""Promises of times as numbers: exact to the microsecond both ways, and only of what says its zone."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oathward.core.clock import from_micros, micros, standard_offset_min, zone_of

AWARE = st.datetimes(
    min_value=datetime(1, 1, 2),  # noqa: DTZ001  the strategy adds the zone
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001  the strategy adds the zone
    timezones=st.sampled_from(
        [UTC, timezone(timedelta(hours=5, minutes=45)), timezone(timedelta(hours=-12))]
    ),
)


@given(AWARE)
def test_a_time_comes_back_as_it_was(at):
    assert from_micros(micros(at)) == at


@given(st.integers(-62_000_000_000_000_000, 253_000_000_000_000_000))
def test_a_number_comes_back_as_it_was(number):
    assert micros(from_micros(number)) == number


def test_a_time_without_a_zone_is_none():
    with pytest.raises(TypeError):
        micros(datetime(2026, 5, 4))  # noqa: DTZ001  what is refused


@pytest.mark.parametrize(
    ("zone", "offset_min"),
    [
        ("UTC", 0),
        ("Europe/Berlin", 60),
        ("America/New_York", -300),
        ("Australia/Sydney", 600),
        ("Asia/Kolkata", 330),
    ],
)
def test_the_offset_of_a_zone_is_the_one_without_summer_time(zone, offset_min):
    found = zone_of(zone)
    assert found is not None
    assert standard_offset_min(found, 2026) == offset_min
