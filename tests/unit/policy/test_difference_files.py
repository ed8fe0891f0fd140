"""Files of a bundle line by line: what is said is what changes, and what is cut off is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oathward.policy import difference_files
from oathward.policy.difference_files import by_line

SEVEN = [f"a = {n}" for n in range(1, 8)]


def text(lines):
    return "\n".join(lines).encode()


def test_a_changed_line_stands_with_those_around_it():
    (one,) = by_line({"links/a.toml": text(SEVEN)}, {"links/a.toml": text([*SEVEN[:5], "b = 6", SEVEN[6]])})
    assert (one.path, one.words, one.cut) == ("links/a.toml", "changed: 1 line more, 1 line less", 0)
    assert [f"{line.mark} {line.text}" for line in one.lines] == [
        "@ line 3", "  a = 3", "  a = 4", "  a = 5", "- a = 6", "+ b = 6", "  a = 7",
    ]  # fmt: skip


def test_a_file_comes_and_another_goes():
    found = by_line({"old.toml": b"x\n"}, {"new.toml": b"y\nz\n"})
    assert [(one.path, one.words) for one in found] == [
        ("new.toml", "new file: 2 lines more"),
        ("old.toml", "file taken out: 1 line less"),
    ]


def test_what_is_the_same_is_not_told():
    assert by_line({"a": b"x"}, {"a": b"x"}) == ()


def test_what_is_cut_off_is_counted():
    one, other = by_line({}, {"a": text(SEVEN * 100), "b": b"x" * 1_000})
    assert (len(one.lines), one.cut) == (difference_files.FILE_LINES_MAX, 300)
    assert other.lines[0].text.endswith("… and 600 more characters of this line")


def test_all_files_together_are_bounded():
    found = by_line({}, {f"links/{n}.toml": text(SEVEN * 50) for n in range(20)})
    assert sum(len(one.lines) for one in found) == difference_files.ALL_LINES_MAX
    assert all(len(one.lines) + one.cut == 350 for one in found)


@pytest.mark.parametrize("most", [0, difference_files.COMPARED_LINES_MAX])
@given(
    old=st.lists(st.sampled_from("abc"), max_size=30),
    new=st.lists(st.sampled_from("abc"), max_size=30),
)
def test_whoever_follows_it_gets_the_new_file(most, old, new):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(difference_files, "COMPARED_LINES_MAX", most)
        patch.setattr(difference_files, "AROUND", 100)
        found = by_line({"a": text(old)}, {"a": text(new)})
    lines = found[0].lines if found else ()
    if text(old) != text(new):
        assert [line.text for line in lines if line.mark in " -"] == old
        assert [line.text for line in lines if line.mark in " +"] == new
