"""`make test` leaves out what is long, and nothing else; `make test-long` leaves out nothing."""

import itertools
from types import SimpleNamespace

import pytest
from tests import conftest
from tests.turns import is_due


def item(*marks, **indices):
    found = {mark.name: mark.mark for mark in marks}
    left_out = []
    return SimpleNamespace(
        get_closest_marker=found.get,
        callspec=SimpleNamespace(indices=indices),
        add_marker=left_out.append,
        left_out=left_out,
    )


def test_each_value_meets_the_others_in_turn():
    due = [
        pair
        for pair in itertools.product(range(7), range(3))
        if is_due({"a": pair[0], "b": pair[1]}, 3, "a", "b")
    ]
    assert sorted(a for a, _ in due) == list(range(7)), "each once"
    assert {b for _, b in due} == {0, 1, 2}


@pytest.mark.parametrize("every", [1, 2, 5, 100])
def test_of_any_table_a_case_runs(every):
    assert is_due({"a": 0, "b": 9}, every, "a")


def test_a_test_that_takes_turns_over_no_argument_of_its_own_is_an_error():
    with pytest.raises(KeyError):
        is_due({"a": 0}, 2, "b")


@pytest.mark.parametrize("long", [False, True])
def test_only_what_is_long_is_left_out_and_nothing_where_all_is_asked_for(monkeypatch, long):
    monkeypatch.setenv("OATHWARD_LONG", "1" if long else "")
    turns = pytest.mark.turns(2, "a")
    items = [item(), item(pytest.mark.long), *(item(turns, a=n) for n in range(4))]
    conftest.pytest_collection_modifyitems(None, items)
    assert [bool(one.left_out) for one in items] == [not long and bit for bit in (0, 1, 0, 1, 0, 1)]
