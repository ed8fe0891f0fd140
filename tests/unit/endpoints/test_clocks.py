"""Promises about a sensor's clock that ran ahead for a while: a card that asked for an address meanwhile is in no two places."""

import pytest
from tests.unit.endpoints.conftest import HOUR, MINUTE, A, B, C, T, says

from oathward.discovery.model import RENEWED
from oathward.endpoints import clocks, resolving

HERE, THERE = "10.0.1.5", "10.0.3.9"


def given(at, address, *facts, mac=A, source="zeek.dhcp"):
    return says(at, mac=mac, address=address, facts=facts, source=source)


def others(begin, count=4):
    """Say what another card says each minute: the log goes on."""
    return [given(begin + n * MINUTE, "10.0.5.1", mac=B) for n in range(count)]


WITH_A_JUMP = [
    given(T, HERE),
    *others(T + 2 * HOUR),
    given(T + 2 * HOUR + 6 * HOUR, THERE),  # it roams while the clock is six hours ahead
    *others(T + 2 * HOUR + 5 * MINUTE),
    given(T + 3 * HOUR, HERE),  # and back
    *others(T + 3 * HOUR + MINUTE),
    given(T + 9 * HOUR, HERE, RENEWED),
]


def conflicts(taken):
    return {(one.kind, one.mark) for one in taken.conflicts}


def test_a_clock_that_ran_ahead_puts_no_card_in_two_places(inventory):
    assert conflicts(inventory.take(*WITH_A_JUMP)) == set()


def test_reverse_without_the_rule_it_does(inventory, monkeypatch):
    monkeypatch.setattr(resolving, "steadied", list)
    assert conflicts(inventory.take(*WITH_A_JUMP)) == {("identity.claimed-twice", "mac")}


def test_what_was_ahead_is_of_the_time_before(inventory):
    ahead = [given(T + 6 * HOUR + n, THERE, mac=C) for n in range(3)]
    said = [*others(T), *ahead, *others(T + 5 * MINUTE)]
    found = clocks.steadied(said)
    assert [one.at_us for one in found[4:7]] == [said[3].at_us] * 3
    assert found[:4] == said[:4]
    assert found[7:] == said[7:]


@pytest.mark.parametrize(
    "said",
    [
        [*others(T), *others(T + 6 * HOUR)],
        [*others(T), *others(T + 6 * HOUR), *others(T + 5 * MINUTE, clocks.AFTER_MIN - 1)],
        [*others(T + 6 * HOUR), *others(T)],
        [
            given(at, HERE, source="zeek.conn")
            for at in (T, T + 6 * HOUR, T + MINUTE, T + 2 * MINUTE, T + 3 * MINUTE)
        ],
    ],
    ids=["nobody was heard for long", "too few came back", "an archive behind", "begun, not written"],
)
def test_what_was_not_ahead_keeps_its_time(said):
    assert clocks.steadied(said) == said


def test_a_card_that_is_in_two_places_is_told_though_the_clock_ran_ahead(inventory):
    spoofed = [
        *WITH_A_JUMP,
        given(T + 10 * HOUR, THERE),
        given(T + 12 * HOUR, HERE, RENEWED),
    ]
    assert conflicts(inventory.take(*spoofed)) == {("identity.claimed-twice", "mac")}
