"""Promises of one number on two rows of a list: two devices stay two, whichever row is first, and nothing of the one is said of the other."""

from itertools import permutations

import pytest
from tests.unit.endpoints.conftest import DAY, SITE, A, B, T, says

from oathward.endpoints import disputing
from oathward.endpoints.actions import take

USED = {"facts": [("lifecycle", "in-use", 1.0), ("serial", "S1", 1.0)], "serial": "acme|s1", "mac": A}
GONE = {"facts": [("lifecycle", "retired", 1.0), ("serial", "S2", 1.0)], "serial": "acme|s2"}
PLAIN = [
    {"facts": [("lifecycle", one, 1.0), ("serial", number, 1.0)]}
    for one, number in (("in-use", "S1"), ("retired", "S2"))
]


def row(at, what):
    return says(at, source="cmms", tag="T-1", **what)


def taken(inventory, *rows, disputed=("T-1",), apart=False):
    groups = [[one] for one in rows] if apart else [rows]
    found = [
        take(inventory.engine, SITE, group, T + 100 * DAY, "p-1", frozenset(disputed)) for group in groups
    ]
    return [conflict for one in found for conflict in one.conflicts]


def stages(inventory):
    return sorted((one.lifecycle, one.serial, one.conflicts) for one in inventory.rows(ended=True))


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("which", [(USED, GONE), (GONE, USED), PLAIN, PLAIN[::-1]])
def test_both_rows_stay_apart_whichever_is_first_and_once_more(inventory, which, apart):
    told = taken(inventory, *(row(T, one) for one in which), apart=apart)
    assert {(one.kind, one.mark, bool(one.other)) for one in told} == {
        ("identity.claimed-twice", "tag", True)
    }
    kept = stages(inventory)
    assert [(stage, number) for stage, number, _ in kept] == [("in-use", "S1"), ("retired", "S2")]
    assert [count for *_, count in kept] == [1, 1]
    for at, rows in enumerate(permutations(which), 1):
        taken(inventory, *(row(T + at * DAY, one) for one in rows), apart=apart)
        assert stages(inventory) == kept
    taken(inventory, row(T + 9 * DAY, which[1]), disputed=())  # the later list has one of them alone
    assert stages(inventory) == kept


def test_rows_with_one_card_and_another_serial_are_two(inventory):
    taken(inventory, row(T, USED), row(T, GONE | {"mac": A}))
    assert [(stage, number) for stage, number, _ in stages(inventory)] == [
        ("in-use", "S1"),
        ("retired", "S2"),
    ]


def test_who_was_heard_is_not_taken_into_the_other_row(inventory):
    inventory.take(says(T, mac=A), says(T, mac=B))
    taken(inventory, row(T + DAY, USED), row(T + DAY, GONE | {"mac": B}))
    assert [(one.mac, one.serial) for one in sorted(inventory.rows(ended=True), key=lambda one: one.mac)] == [
        (A, "S1"),
        (B, "S2"),
    ]
    assert all(one.conflicts for one in inventory.rows(ended=True))


def test_another_maker_of_the_same_serial_is_no_other_device_and_a_later_list_corrects(inventory):
    taken(inventory, row(T, USED), row(T, USED | {"serial": "acme inc|s1"}))
    assert len(inventory.rows(ended=True)) == 1
    taken(inventory, row(T + DAY, GONE), disputed=())
    assert stages(inventory) == [("retired", "S2", 0)]


def test_reverse_without_the_rule_a_retired_row_hides_the_pump_in_use(inventory, monkeypatch):
    monkeypatch.setattr(disputing, "are_two", lambda *_: False)
    assert taken(inventory, row(T, USED), row(T, GONE)) == []
    assert len(inventory.rows(ended=True)) == 1
