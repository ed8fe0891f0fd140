"""The picture's lines: none runs over a box that is not its end, whatever lies between."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oathward.mapping import picture as pictures
from oathward.mapping.picture import HIGH, WIDE, End, Line, drawn, picture

ZONES = ("clinical", "enterprise", "imaging", "laboratory", "external")


@st.composite
def estates(draw):
    ends = [
        End(f"e{n}", f"box {n}", draw(st.sampled_from(ZONES)), f"u{n % 5}", f"m{n % 7}")
        for n in range(draw(st.integers(2, 40)))
    ]
    pairs = draw(st.lists(st.tuples(*[st.integers(0, len(ends) - 1)] * 2), max_size=60))
    return ends, [Line(f"e{a}", f"e{b}", "undeclared") for a, b in pairs]


def points(path):
    """Points along a path of moves, curves and horizontal lines."""
    found, x, y = [], 0.0, 0.0
    for letter, numbers in re.findall(r"([MCH])([-\d. ]+)", path):
        given_ = [float(one) for one in numbers.split()]
        if letter == "M":
            x, y = given_
        elif letter == "H":
            found += [(x + (given_[0] - x) * t / 50, y) for t in range(51)]
            x = given_[0]
        else:
            a, b, c, d, e, f = given_
            for step in range(51):
                t = step / 50
                u = 1 - t
                at = u**3, 3 * u * u * t, 3 * u * t * t, t**3
                found.append(
                    (
                        at[0] * x + at[1] * a + at[2] * c + at[3] * e,
                        at[0] * y + at[1] * b + at[2] * d + at[3] * f,
                    )
                )
            x, y = e, f
    return found


def covered(found):
    """Give the lines that run over a box."""
    boxes = [(node.x, node.y) for node in found.nodes]
    return [
        path
        for _, path, _ in drawn(found).lines
        if any(
            x + 0.5 < px < x + WIDE - 0.5 and y + 0.5 < py < y + HIGH - 0.5
            for px, py in points(path)
            for x, y in boxes
        )
    ]


@given(estates())
def test_no_line_runs_over_a_box(estate):
    ends, lines = estate
    assert covered(picture(ends, lines)) == []


def test_a_line_past_a_zone_goes_around_its_boxes_where_that_is_near():
    ends = [
        End("a", "a", "clinical"),
        End("z", "z", "imaging"),
        *(End(f"m{n}", "m", "enterprise") for n in range(3)),
    ]
    [(_, path, _)] = drawn(picture(ends, [Line("a", "z", "declared")])).lines
    heights = [y for _, y in points(path)]
    assert min(heights) < pictures.TOP or max(heights) > pictures.TOP + 3 * pictures.ROW - 10


def test_straight_lines_would_run_over_boxes(monkeypatch):
    """Reverse: the look above finds a line that goes straight through."""
    monkeypatch.setattr(pictures, "_lane", lambda y1, _y2, _between: y1)
    ends = [End(f"{zone}{n}", "x", zone) for zone in ("clinical", "enterprise", "imaging") for n in range(3)]
    assert covered(picture(ends, [Line("clinical0", "imaging0", "declared")]))


@pytest.mark.parametrize("many", [1, 12])
def test_lines_of_one_height_lie_beside_each_other(many):
    ends = [End(f"{zone}{n}", "x", zone) for zone in ("a", "b", "c") for n in range(many)]
    lines = [Line(f"a{n}", f"c{n}", "declared") for n in range(many)]
    assert len({path for _, path, _ in drawn(picture(ends, lines)).lines}) == many
