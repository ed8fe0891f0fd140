"""Times of HL7 v2 are read as the moments they are."""

from datetime import datetime

import pytest

from oathward.core.clock import micros
from oathward.protocols.hl7v2.times import time_us


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"20260504081500+0000", 1_777_882_500_000_000),
        (b"20260504101500+0200", 1_777_882_500_000_000),
        (b"20260504061500.5-0200", 1_777_882_500_500_000),
        (b"202605040815+0000", 1_777_882_500_000_000),
        (b"", 0),
        (b"2026", 0),
        (b"20261341", 0),
        (b"yesterday", 0),
    ],
)
def test_times_are_read(text, expected):
    assert time_us(text) == expected


def test_a_time_without_an_offset_is_of_this_machine():
    assert time_us(b"20260504081500") == micros(datetime(2026, 5, 4, 8, 15).astimezone())
