"""Promises about who is there twice: one card in two places, a claim through two speakers, a name of another's; whatever is taken at a time."""

from dataclasses import replace

import pytest
from tests.unit.endpoints.conftest import DAY, HOUR, MINUTE, NEAR_A, A, B, C, T, says

from oathward.discovery.model import RENEWED, Mark, MarkKind
from oathward.endpoints import twice
from oathward.endpoints.model import ConflictRow
from oathward.observing import identities

HERE, THERE = "10.0.1.5", "10.0.3.9"
ASKED, WENT_ON = (), [RENEWED]


def given(at, address, facts=ASKED, mac=A):
    return says(at, mac=mac, address=address, facts=facts)


def told(inventory, *said):
    """Take statements one at a time; give the conflicts."""
    return {(one.kind, one.mark) for each in said for one in inventory.take(each).conflicts}


SPOOFED = [
    given(T, HERE),
    given(T + 4 * HOUR, HERE, WENT_ON),
    given(T + 5 * HOUR, THERE),
    given(T + 8 * HOUR, HERE, WENT_ON),
]
ROAMED = [*SPOOFED[:3], given(T + 8 * HOUR, HERE), given(T + 12 * HOUR, HERE, WENT_ON)]


@pytest.mark.parametrize("source", ["zeek.dhcp", "pcap.dhcp", "suricata.dhcp"])
def test_a_card_that_goes_on_with_one_lease_after_it_was_given_another_is_in_two_places(inventory, source):
    said = [replace(one, source=source) for one in SPOOFED]
    assert told(inventory, *said) == {("identity.claimed-twice", "mac")}


def test_a_card_that_roams_asks_anew(inventory):
    assert told(inventory, *ROAMED) == set()


def test_reverse_without_the_rule_the_spoof_is_silent(inventory, monkeypatch):
    monkeypatch.setattr(twice, "_went_on", lambda *_: False)
    assert told(inventory, *SPOOFED) == set()


def test_it_is_told_though_connections_of_the_whole_day_were_read_before(inventory):
    conns = [says(T + n * HOUR, mac=A, address=HERE, source="zeek.conn") for n in range(24)]
    inventory.take(*conns)
    assert told(inventory, *SPOOFED) == {("identity.claimed-twice", "mac")}


def test_who_has_a_fixed_address_asks_for_no_other(inventory):
    fixed = [says(T + n * HOUR, mac=A, address=HERE, source="zeek.conn") for n in range(48)]
    inventory.take(*fixed)
    asked = told(inventory, given(T + 20 * HOUR, THERE))
    assert asked == set(), "it may have been given DHCP for good"
    assert told(inventory, given(T + 32 * HOUR, THERE, WENT_ON)) == {("identity.claimed-twice", "mac")}
    inventory.take(*(says(T + n * HOUR, mac=B, address="10.0.1.6", source="zeek.conn") for n in range(20)))
    changed = [given(T + 20 * HOUR, "10.0.3.8", mac=B), given(T + 32 * HOUR, "10.0.3.8", WENT_ON, mac=B)]
    assert told(inventory, *changed) == set()


def test_a_card_that_is_heard_by_turns_is_in_two_places_whatever_is_taken_at_a_time(inventory):
    by_turns = [
        says(T + n * 20 * MINUTE, mac=A, address=(HERE, THERE)[n % 2], source="zeek.conn") for n in range(7)
    ]
    assert told(inventory, *by_turns) == {("identity.claimed-twice", "mac")}
    slowly = [
        says(T + n * 5 * HOUR, mac=B, address=("10.0.1.7", "10.0.3.7")[n % 2], source="zeek.conn")
        for n in range(9)
    ]
    assert told(inventory, *slowly) == set()


def through(at, mac, address, serial="acme|77"):
    return says(
        at,
        serial=serial,
        source="pcap.hl7",
        behind=[Mark(MarkKind.MAC, mac), Mark(MarkKind.ADDRESS, address)],
    )


def test_a_claim_of_one_that_claims_for_itself_heard_through_another_by_turns_is_a_conflict(inventory):
    inventory.take(says(T, mac=A, address=HERE, serial="acme|77"))
    own, other = through(T + HOUR, A, HERE), through(T + 2 * HOUR, B, THERE)
    assert told(inventory, own, other) == set(), "it may have been put behind a gateway"
    assert told(inventory, through(T + 3 * HOUR, A, HERE)) == {("identity.claimed-twice", "serial")}
    [pump] = [row for row in inventory.rows() if row.mac == A]
    assert [one.kind for one in inventory.whole(pump.id).relations] == ["behind"]


GATEWAY, RACK = "00:1b:c5:99:00:01", "00:1b:c5:99:00:02"


def heard(at, speaker):
    """Take a pump's word: by itself, or through a gateway."""
    if speaker is None:
        return says(at, mac=A, address=HERE, serial="acme|77", source="pcap.hl7")
    return through(at, speaker, f"10.0.9.{speaker[-1]}")


def speaking_for(inventory, gateway, others=twice.GATEWAY_OTHERS_MIN):
    inventory.take(
        *(through(T - HOUR + n, gateway, f"10.0.9.{gateway[-1]}", f"acme|9{n}") for n in range(others))
    )


def docked(times, *, days=3, places=(None, GATEWAY), every=15 * MINUTE):
    """Say where a pump is heard that is put into a dock and taken out so often a day, as captures say it: again each quarter of an hour."""
    stay = DAY // (2 * times)
    return [heard(T + n * every, places[n * every // stay % len(places)]) for n in range(days * DAY // every)]


@pytest.mark.parametrize("times", [1, 2, 6])
@pytest.mark.parametrize("places", [(None, GATEWAY), (None, GATEWAY, RACK), (GATEWAY, RACK)])
def test_a_device_that_is_docked_and_undocked_is_one(inventory, times, places):
    speaking_for(inventory, GATEWAY)
    speaking_for(inventory, RACK)
    assert told(inventory, *docked(times, places=places)) == set()
    assert len(inventory.rows(search="77")) == 1


def test_four_dockings_in_an_hour_are_too_many(inventory):
    speaking_for(inventory, GATEWAY)
    by_turns = [heard(T + n * 7 * MINUTE, (None, GATEWAY)[n % 2]) for n in range(10)]
    assert told(inventory, *by_turns[:9]) == set()
    assert told(inventory, by_turns[9]) == {("identity.claimed-twice", "serial")}


@pytest.mark.parametrize(("every", "within_h"), [(15 * MINUTE, 2), (HOUR, 9)])
def test_a_second_that_speaks_at_the_same_time_through_a_gateway_is_told(inventory, every, within_h):
    speaking_for(inventory, GATEWAY)
    both = [
        heard(T + n * every + late, speaker)
        for n in range(within_h * HOUR // every)
        for late, speaker in ((0, None), (MINUTE, GATEWAY))
    ]
    assert told(inventory, *both) == {("identity.claimed-twice", "serial")}


def test_it_is_told_whatever_is_taken_at_a_time(inventory):
    speaking_for(inventory, GATEWAY)
    both = [heard(T + n * 8 * MINUTE, (None, GATEWAY)[n % 2]) for n in range(20)]
    assert [(one.kind, one.mark) for one in inventory.take(*both).conflicts] == [
        ("identity.claimed-twice", "serial")
    ]


def test_whoever_speaks_for_few_others_is_no_gateway_to_be_docked_in(inventory):
    speaking_for(inventory, GATEWAY, twice.GATEWAY_OTHERS_MIN - 1)
    assert told(inventory, *docked(1)) == {("identity.claimed-twice", "serial")}


def test_reverse_without_the_rule_a_docked_pump_is_claimed_twice(inventory, monkeypatch):
    speaking_for(inventory, GATEWAY)
    monkeypatch.setattr(twice, "_docks", lambda *_: False)
    assert told(inventory, *docked(1)) == {("identity.claimed-twice", "serial")}


ROW = {"tag": "CE-1", "serial": "acme|77", "host": "pump-77", "source": "cmms"}


def serial_alone(at, speaker):
    """Take the word of a pump that says its serial and nothing that ties it to its card, or its gateway's."""
    return heard(at, speaker) if speaker else through(at, A, HERE)


@pytest.mark.parametrize("host", ["pump-77", "pump-78"])
@pytest.mark.parametrize("others", [0, 1])
def test_a_docked_pump_that_says_a_serial_alone_is_the_one_of_that_name_in_the_list(inventory, host, others):
    """Otherwise its own card is one more that claims for it, and by turns with its gateway."""
    speaking_for(inventory, GATEWAY)
    inventory.take(says(T - HOUR, **ROW), says(T - MINUTE, mac=A, address=HERE, host=host))
    inventory.take(*(through(T - MINUTE + n, A, HERE, f"acme|8{n}") for n in range(others)))
    said = [serial_alone(T + n * HOUR, (None, GATEWAY)[n // 6 % 2]) for n in range(48)]
    is_one = host == "pump-77" and not others
    assert told(inventory, *said) == (set() if is_one else {("identity.claimed-twice", "serial")})
    assert [row.tag for row in inventory.rows(search="00:1b:c5:00:00:01")] == ["CE-1" if is_one else ""]


def test_a_second_that_says_that_serial_is_told_still(inventory):
    speaking_for(inventory, GATEWAY)
    inventory.take(says(T - HOUR, **ROW), says(T - MINUTE, mac=A, address=HERE, host="pump-77"))
    said = [through(T + n * HOUR, *((A, HERE), (C, THERE))[n % 2]) for n in range(4)]
    assert told(inventory, *said) == {("identity.claimed-twice", "serial")}


def test_that_a_card_is_the_one_of_its_row_is_a_merge_on_record(inventory):
    inventory.take(says(T - HOUR, **ROW), says(T - MINUTE, mac=A, address=HERE, host="pump-77"))
    inventory.take(through(T, A, HERE))
    [row] = inventory.rows(search="CE-1")
    assert row.mac == A
    [merge] = inventory.whole(row.id).merges
    assert (merge.act, merge.by, merge.reason) == ("merge", "rule", "name")


def test_reverse_without_the_bound_a_second_speaker_is_silent(inventory, monkeypatch):
    speaking_for(inventory, GATEWAY)
    monkeypatch.setattr(twice, "DOCKED_MAX", 1_000)
    both = [heard(T + n * 8 * MINUTE, (None, GATEWAY)[n % 2]) for n in range(20)]
    assert told(inventory, *both) == set()


def by_both_cards(second, host="mon-2"):
    """Give what a box says that sends its serial through one of its cards and through the other by turns."""
    cards = ((A, HERE, "mon-2"), (second, THERE, host))
    there = [says(T + n, mac=mac, address=address, host=name) for n, (mac, address, name) in enumerate(cards)]
    return there + [through(T + n * HOUR, *cards[n % 2][:2]) for n in range(1, 6)]


def test_a_box_that_says_its_serial_through_both_its_cards_is_no_conflict(inventory):
    assert told(inventory, *by_both_cards(NEAR_A)) == set()


@pytest.mark.parametrize(("second", "host"), [(B, "mon-2"), (C, "mon-2"), (NEAR_A, "mon-3")])
def test_what_is_not_plainly_one_box_and_says_its_serial_by_turns_is_told(inventory, second, host):
    assert ("identity.claimed-twice", "serial") in told(inventory, *by_both_cards(second, host))


def test_a_device_on_the_network_of_which_its_gateway_alone_speaks_is_no_conflict(inventory):
    inventory.take(says(T, mac=A, serial="acme|77", tag="CE-1", source="cmms"))
    said = [
        one
        for n in range(1, 6)
        for one in (says(T + n * HOUR, mac=A, address=HERE), through(T + n * HOUR + 1, B, THERE))
    ]
    assert told(inventory, *said) == set()


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ({"application": "MON|ICU"}, {("identity.name-twice", "host")}),
        ({"ae_title": "US1"}, {("identity.name-twice", "host")}),
        ({}, set()),
    ],
    ids=["hl7", "dicom", "neither"],
)
def test_the_name_of_a_device_given_by_another_makers_card_while_it_is_there(inventory, marks, expected):
    said = [
        says(T, mac=A, address=HERE, host="mon-1", **marks),
        says(T + 2 * HOUR, mac=A, address=HERE, host="mon-1"),
        says(T + HOUR, mac=C, address=THERE, host="mon-1"),
        says(T + 3 * HOUR, mac=A, address=HERE, host="mon-1"),
        says(T + 4 * HOUR, mac=C, address=THERE, host="mon-1"),
    ]
    assert told(inventory, *said) == expected
    assert len(inventory.rows()) == 2


def test_two_devices_that_say_what_they_are_may_have_one_name(inventory):
    """Two makers count alike, and a department names by the number: nobody is anybody else."""
    said = [
        says(T + n * HOUR, mac=mac, address=address, host="pump-7", application=application)
        for n in range(4)
        for mac, address, application in ((A, HERE, "ACME|ICU"), (C, THERE, "OTHER|ICU"))
    ]
    assert told(inventory, *said) == set()


def test_the_name_of_a_device_that_is_gone_may_be_anothers(inventory):
    gone = says(T, mac=A, address=HERE, host="mon-1", application="MON|ICU")
    assert told(inventory, gone, says(T + DAY, mac=C, address=THERE, host="mon-1")) == set()


@pytest.mark.parametrize(
    ("mark", "other", "says_so"),
    [
        ("mac", "", "one network card is in two places by turns"),
        ("host", "", "one network card gives two host names by turns"),
        ("serial", "", "one serial is heard from two by turns"),
        ("tag", "e2", "two endpoints have one tag"),
    ],
)
def test_a_finding_says_what_is_there_twice_though_there_is_no_second_endpoint(mark, other, says_so):
    row = ConflictRow("c", "identity.claimed-twice", "e1", other, mark, T, T + HOUR, times=7)
    details = identities._raised(row).details
    assert str(details["what"]).startswith(says_so)
    assert details["sightings"] == 7
    assert ("other" in details) == bool(other)


NAMED = {"mac": A, "address": HERE, "host": "mon-1", "application": "MON|ICU"}
STRANGER = {"mac": C, "address": THERE, "host": "mon-1"}
BY_NAME = ("identity.name-twice", "host")


def beside(named, stranger, hours=4):
    """Say what two say by turns."""
    return [says(T + n * HOUR, **who) for n in range(1, 2 * hours + 1) for who in [(named, stranger)[n % 2]]]


def test_it_is_told_though_a_list_has_the_name_too_of_one_that_it_cannot_tie_to_the_device(inventory):
    inventory.take(says(T, tag="CE-1", serial="acme|1", host="mon-1", source="cmms"))
    assert told(inventory, *beside(NAMED, STRANGER)) == {BY_NAME}


def test_a_name_that_a_list_alone_has_is_the_devices_that_claims_what_the_list_says(inventory):
    """A device with a fixed address never gives its name: its list does."""
    fixed = {name: value for name, value in NAMED.items() if name != "host"}
    inventory.take(says(T, tag="CE-1", serial="acme|77", host="mon-1", source="cmms"), says(T, **fixed))
    inventory.take(through(T + MINUTE, A, HERE))
    assert told(inventory, *beside(fixed, STRANGER)) == {BY_NAME}


@pytest.mark.parametrize("others", [0, 1])
def test_a_gateway_that_claims_for_several_is_none_of_those_it_claims_for(inventory, others):
    inventory.take(says(T, tag="CE-1", serial="acme|77", host="mon-1", source="cmms"))
    inventory.take(says(T, mac=A, address=HERE, application="GW|ICU"), through(T + MINUTE, A, HERE))
    inventory.take(*(through(T + MINUTE + n, A, HERE, f"acme|9{n}") for n in range(others)))
    own = says(T + HOUR, mac=C, address=THERE, host="mon-1")
    heard_of = through(T + 2 * HOUR, A, HERE)
    again = says(T + 3 * HOUR, mac=C, address=THERE, host="mon-1")
    assert told(inventory, own, heard_of, again) == (set() if others else {BY_NAME})


def test_a_client_id_says_no_more_than_a_card(inventory):
    assert told(inventory, *beside(NAMED, STRANGER | {"client_id": "01" + C.replace(":", "")})) == {BY_NAME}


def test_one_more_of_a_name_that_several_have_is_told_once_it_was_wordless_for_a_day(inventory):
    namesakes = [
        says(T + n * HOUR, mac=mac, address=f"10.0.4.{n % 2}", host="mon-1", application=application)
        for n in range(60)
        for mac, application in [((A, "MON|ICU"), ("00:50:f1:00:00:07", "OTHER|ICU"))[n % 2]]
    ]
    inventory.take(*namesakes)
    third = [says(T + n * HOUR, **STRANGER) for n in range(2, 50, 6)]
    assert told(inventory, *third[:4]) == set(), "it may say what it is yet"
    assert told(inventory, *third[4:]) == {BY_NAME}


def test_a_name_of_more_than_a_few_is_nobodys(inventory, monkeypatch):
    cards = [f"00:50:f1:00:00:{n:02x}" for n in range(twice.NAMESAKES_MAX + 1)]
    speaking = [
        says(T + n * HOUR, mac=mac, address=f"10.0.4.{at}", host="mon-1", application=f"A{at}|ICU")
        for n in range(0, 60, 6)
        for at, mac in enumerate(cards)
    ]
    inventory.take(*speaking)
    stranger = [says(T + n * HOUR, **STRANGER) for n in range(2, 50, 6)]
    assert told(inventory, *stranger) == set()
    monkeypatch.setattr(twice, "NAMESAKES_MAX", len(cards))
    assert told(inventory, says(T + 55 * HOUR, **STRANGER)) == {BY_NAME}
