"""Promises about rosters: read by name, refused whole with the place of each mistake, and never with what stood there."""

import json

import pytest

from oathward.accesses import roster

GOOD = "number,unit,from,until\nE1,HOSP|ICU,2026-05-04T19:00Z,2026-05-05T07:00Z\n"


def rows(**more):
    one = {"number": "E1", "unit": "HOSP|ICU", "from": "2026-05-04T19:00Z", "until": "2026-05-05T07:00Z"}
    return json.dumps([one | more]).encode()


def test_csv_and_json_say_the_same():
    both = [roster.parse(raw, "night") for raw in (GOOD.encode(), GOOD.replace(",", ";").encode(), rows())]
    assert all(mistakes == [] for _, mistakes in both)
    assert both[0][0] == both[1][0] == both[2][0]
    [one] = both[0][0]
    assert (one.number, one.unit, one.until_us - one.from_us, one.source) == ("E1", "HOSP|ICU", 12 * 3_600_000_000, "night")  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "line", "column"),
    [
        (b"", 0, ""),
        (b"\xff\xfe", 0, ""),
        (b"number,unit,from\n", 0, ""),
        (GOOD.replace("until", "name").encode(), 0, ""),
        (GOOD.encode() + b'"open', 0, ""),
        (b"[1]", 0, ""),
        (b"[{}]", 0, ""),
        (b"{", 0, ""),
        (b"x" * (roster.BYTES_MAX + 1), 0, ""),
        (rows(number=""), 1, "number"),
        (rows(number=7), 1, "number"),
        (rows(unit="x" * 201), 1, "unit"),
        (rows(unit="a\nb"), 1, "unit"),
        (rows(**{"from": "Zebulonova"}), 1, "from"),
        (rows(until="2026-05-04T18:00Z"), 1, "until"),
        (rows(until="2027-05-04T18:00Z"), 1, "until"),
        (GOOD.encode() + b"E2,HOSP|ICU,x,y\n", 3, "from"),
    ],
)
def test_each_mistake_is_told_by_its_place_and_nothing_is_taken(raw, line, column):
    duties, mistakes = roster.parse(raw, "night")
    assert duties == []
    assert (mistakes[0].line, mistakes[0].column) == (line, column)
    assert "Zebulonova" not in str(mistakes)


def test_more_than_may_be_are_refused_whole():
    duties, mistakes = roster.parse(GOOD.encode() + GOOD.splitlines()[1].encode() * 0 + b"E1,U,2026-05-04T19:00Z,2026-05-05T07:00Z\n" * roster.LINES_MAX, "x")  # fmt: skip
    assert (duties, len(mistakes)) == ([], 1)
