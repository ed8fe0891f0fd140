"""`make test` leaves out what is long, and nothing else; `make test-long` leaves out nothing."""

from itertools import product
from types import SimpleNamespace

import pytest
from tests import conftest
from tests.turns import Turns


def item(*marks, **params):
    found = {mark.name: mark.mark for mark in marks}
    left_out = []
    return SimpleNamespace(
        nodeid="tests/test_it.py::test_it" + ("[case]" if params else ""),
        get_closest_marker=found.get,
        callspec=SimpleNamespace(params=params),
        add_marker=left_out.append,
        left_out=left_out,
    )


@pytest.mark.parametrize("outer", [False, True])
def test_each_value_meets_the_others_in_turn(outer):
    turns, pages, sizes = Turns(), [f"page {n}" for n in range(7)], [{"width": n} for n in range(3)]
    cases = product(pages, sizes) if outer else ((page, size) for size in sizes for page in pages)
    due = [(p, s["width"]) for p, s in cases if turns.is_due(item(page=p, size=s), 3, "page", "size")]
    assert sorted(page for page, _ in due) == pages, "each once"
    assert {size for _, size in due} == {0, 1, 2}


@pytest.mark.parametrize("every", [1, 2, 5, 100])
def test_of_any_table_a_case_runs(every):
    assert Turns().is_due(item(page="only"), every, "page")


def test_tables_of_two_tests_are_apart():
    turns, here, there = Turns(), item(page="a"), item(page="b")
    there.nodeid = "tests/test_it.py::test_other[b]"
    assert turns.is_due(here, 2, "page")
    assert turns.is_due(there, 2, "page")


def test_a_test_that_takes_turns_over_no_argument_of_its_own_is_an_error():
    with pytest.raises(KeyError):
        Turns().is_due(item(page="a"), 2, "size")


@pytest.mark.parametrize("long", [False, True])
def test_only_what_is_long_is_left_out_and_nothing_where_all_is_asked_for(monkeypatch, long):
    monkeypatch.setenv("OATHWARD_LONG", "1" if long else "")
    turns = pytest.mark.turns(2, "page")
    items = [item(), item(pytest.mark.long), *(item(turns, page=name) for name in "abcd")]
    conftest.pytest_collection_modifyitems(None, items)
    assert [bool(one.left_out) for one in items] == [not long and bit for bit in (0, 1, 0, 1, 0, 1)]
