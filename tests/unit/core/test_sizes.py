"""Sizes are said alike wherever they are: on pages, in reports."""

from oathward.core.sizes import size


def test_a_size_is_said_in_the_largest_unit_of_which_there_is_one():
    said = [size(count) for count in (0, 1_023, 1_024, 1_572_864, 5 << 30)]
    assert said == ["0 bytes", "1,023 bytes", "1.0 KiB", "1.5 MiB", "5.0 GiB"]
