"""Promises of care state: in use is what spoke of late, and silence is only said where somebody listens."""

from oathward.endpoints.care import Care, care

HOUR = 3_600_000_000
NOW = 1_800_000_000_000_000


def test_in_use_is_what_spoke_of_late():
    assert care([NOW - 60_000_000], NOW, watched=True) is Care.IN_USE
    assert care([NOW - HOUR], NOW, watched=True) is Care.IDLE
    assert care([], NOW, watched=False) is Care.UNKNOWN
    assert care([NOW + 2 * HOUR], NOW, watched=True) is Care.IDLE, (
        "a clock that is ahead makes nothing in use"
    )
