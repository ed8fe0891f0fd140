"""Promises about a card that gives name and serial of a row of the site's list: it is the row's device, or it is told."""

import pytest
from tests.unit.endpoints.conftest import HOUR, MINUTE, A, C, T, says
from tests.unit.endpoints.test_twice import (
    GATEWAY,
    HERE,
    ROW,
    THERE,
    serial_alone,
    speaking_for,
    through,
    told,
)

CLAIMED_TWICE = ("identity.claimed-twice", "serial")


def named(at, mac, address, source="zeek.dhcp"):
    return says(at, mac=mac, address=address, host="pump-77", source=source)


@pytest.mark.parametrize("source", ["zeek.dhcp", "pcap.mdns"])
def test_another_that_takes_name_and_serial_of_a_docked_pump_is_told(inventory, source):
    """The pump never spoke itself, but its gateway spoke for it: who claims to be it now is one more."""
    speaking_for(inventory, GATEWAY)
    inventory.take(says(T - HOUR, **ROW))
    docked = [serial_alone(T + n * HOUR, GATEWAY) for n in range(12)]
    others = [through(T + n * HOUR + MINUTE, A, HERE) for n in (4, 8)]
    told_of = told(inventory, *docked[:4], named(T + 4 * HOUR, A, HERE, source), others[0])
    assert [row.tag for row in inventory.rows(search=A)] == [""]
    told_of |= told(inventory, *docked[5:9], others[1], *docked[9:])
    assert told_of == {CLAIMED_TWICE}


@pytest.mark.parametrize("source", ["zeek.dhcp", "pcap.mdns"])
@pytest.mark.parametrize("at_once", [True, False])
def test_another_that_was_taken_for_a_pump_is_told_once_the_pump_speaks(inventory, source, at_once):
    """Though it never claims anything again."""
    inventory.take(says(T - HOUR, **ROW))
    said = [named(T, A, HERE, source), through(T + MINUTE, A, HERE)]
    said += [says(T + n * HOUR, mac=A, address=HERE, source="zeek.conn") for n in range(1, 6)]
    said += [named(T + 6 * HOUR, C, THERE, source), through(T + 6 * HOUR + MINUTE, C, THERE)]
    found = inventory.take(*said).conflicts if at_once else ()
    assert ({(one.kind, one.mark) for one in found} or told(inventory, *said)) == {CLAIMED_TWICE}


def test_a_gateway_that_speaks_for_the_pump_of_a_row_is_no_second_one(inventory):
    speaking_for(inventory, GATEWAY)
    inventory.take(says(T - HOUR, **ROW))
    said = [named(T, A, HERE), through(T + MINUTE, A, HERE), serial_alone(T + HOUR, GATEWAY)]
    assert told(inventory, *said) == set()
    assert [row.tag for row in inventory.rows(search=A)] == ["CE-1"]
