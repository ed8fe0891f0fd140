"""Promises of identity: one device stays one over cards, addresses, places and parts; nobody becomes somebody by saying so."""

import pytest
from tests.unit.endpoints.conftest import DAY, HOUR, MINUTE, NEAR_A, RANDOM, RANDOM_2, A, B, C, T, says

from oathward.discovery.model import Mark, MarkKind
from oathward.endpoints import resolving

TWICE = "identity.claimed-twice"


def test_an_address_changes_hands_and_both_stay_who_they_are(inventory):
    inventory.take(
        says(T, mac=A, address="10.0.0.1", host="pump-1"),
        says(T + HOUR, mac=B, address="10.0.0.2", host="pump-2"),
        says(T + DAY, mac=A, address="10.0.0.2", host="pump-1"),
        says(T + DAY + HOUR, mac=B, address="10.0.0.1", host="pump-2"),
    )
    a, b = inventory.rows()
    assert (a.mac, a.name, a.address) == (A, "pump-1", "10.0.0.2")
    assert (b.mac, b.name, b.address) == (B, "pump-2", "10.0.0.1")
    for address, at, who in (
        ("10.0.0.1", T, a),
        ("10.0.0.1", T + 20 * HOUR, a),
        ("10.0.0.2", T + 2 * HOUR, b),
        ("10.0.0.2", T + DAY + MINUTE, a),
        ("10.0.0.1", T + DAY + 2 * HOUR, b),
        ("10.0.0.1", T - MINUTE, a),
    ):
        assert inventory.holder(address, at) == who.id
    assert inventory.holder("10.0.0.1", T - HOUR) == ""
    assert inventory.holder("10.0.0.1", T, realm="other") == ""


def test_what_only_an_address_says_is_said_of_who_held_it_then(inventory):
    inventory.take(says(T, mac=A, address="10.0.0.1"), says(T + DAY, mac=B, address="10.0.0.1"))
    inventory.take(
        says(T + HOUR, address="10.0.0.1", facts=[("os", "Windows 7", 0.6)], source="zeek.http"),
        says(T + DAY + HOUR, address="10.0.0.1", facts=[("os", "Debian 12", 0.6)], source="zeek.http"),
    )
    a, b = inventory.rows()
    assert (a.os, b.os) == ("Windows 7", "Debian 12")


def test_the_same_address_in_another_realm_is_somebody_else(inventory):
    inventory.take(says(T, address="10.0.0.1", realm="east"), says(T + 1, address="10.0.0.1", realm="west"))
    assert len(inventory.rows()) == 2


def test_a_card_that_roams_is_one_with_its_segments(inventory):
    inventory.take(*(says(T + n * HOUR, mac=A, segment=s) for n, s in enumerate(("w1", "w2", "w1"))))
    [row] = inventory.rows()
    assert row.segment == "w1"
    said = inventory.whole(row.id).attributes
    assert {one.value for one in said if one.attribute == "segment"} == {"w1", "w2"}
    assert inventory.records() == [], "who roams changes nothing of its configuration"


def test_a_segment_is_where_its_own_card_was_heard_not_where_a_routers_was(inventory):
    """A server that many segments ask is in its own alone, on which side of the router the sensor may stand."""
    virtual = "00:00:5e:00:01:01"
    asked = [says(T + n, mac=C, address=f"10.0.{n}.1", segment="servers") for n in range(9)]
    here = [says(T + n, mac=A, address="10.9.0.1", segment="servers") for n in range(9)]
    there = [
        says(T + n, mac=mac, address="10.9.0.1", segment=f"ward {n}")
        for n in range(9)
        for mac in (C, virtual)
    ]
    inventory.take(*asked, *here, *there)
    [row] = [one for one in inventory.rows() if one.mac == A]
    assert row.segment == "servers"
    said = inventory.whole(row.id).attributes
    assert [one.value for one in said if one.attribute == "segment"] == ["servers"]
    others = [one.segment for one in inventory.rows() if one.address.startswith("10.0.")]
    assert others == [""] * 9


def test_two_cards_that_claim_one_serial_at_the_same_time_are_two_and_a_conflict(inventory):
    inventory.take(says(T, mac=A, serial="acme|77"))
    taken = inventory.take(says(T + MINUTE, mac=B, serial="acme|77"))
    a, b = inventory.rows()
    assert [(one.kind, one.mark, {one.endpoint, one.other}) for one in taken.conflicts] == [
        (TWICE, "serial", {a.id, b.id})
    ]
    assert (a.conflicts, b.conflicts) == (1, 1)
    again = inventory.take(
        says(T + 2 * MINUTE, mac=A, serial="acme|77"), says(T + 3 * MINUTE, mac=B, serial="acme|77")
    )
    assert len(inventory.rows()) == 2
    assert len(again.conflicts) == 1
    [kept] = inventory.whole(a.id).conflicts
    assert kept.times == 3


def test_reverse_without_the_rule_the_second_would_be_the_first(inventory, monkeypatch):
    monkeypatch.setattr(resolving, "may_follow", lambda *_: True)
    inventory.take(says(T, mac=A, serial="acme|77"))
    inventory.take(says(T + MINUTE, mac=B, serial="acme|77"))
    assert len(inventory.rows()) == 1


def test_a_card_that_stopped_before_another_began_is_a_replaced_part(inventory):
    inventory.take(says(T, mac=A, serial="acme|77"))
    taken = inventory.take(says(T + 3 * DAY, mac=B, serial="acme|77"))
    [row] = inventory.rows()
    assert taken.conflicts == ()
    assert row.mac == B
    [(kind, body)] = inventory.records()
    assert (kind, body["attribute"], body["endpoint"], body["by"]) == (
        "endpoint.changed",
        "mac",
        row.id,
        "p-1",
    )
    assert body["before"] != body["after"]


def test_the_replaced_card_that_comes_back_was_not_replaced(inventory):
    inventory.take(says(T, mac=A, serial="acme|77"))
    inventory.take(says(T + 3 * DAY, mac=B, serial="acme|77"))
    taken = inventory.take(says(T + 4 * DAY, mac=A, serial="acme|77"))
    assert [row.mac for row in inventory.rows()] == [A, B]
    assert [one.kind for one in taken.conflicts] == [TWICE]
    later = inventory.take(says(T + 4 * DAY + MINUTE, mac=B, serial="acme|77"))
    assert len(inventory.rows()) == 2
    assert len(later.conflicts) == 1


def test_what_was_unsure_for_a_day_is_one_after_it(inventory):
    inventory.take(says(T, mac=A, serial="acme|77"))
    taken = inventory.take(says(T + 2 * HOUR, mac=B, serial="acme|77"))
    assert len(inventory.rows()) == 2
    assert taken.conflicts == (), "the first may have stopped for good"
    inventory.take(says(T + 2 * DAY, mac=B, serial="acme|77"))
    assert [row.mac for row in inventory.rows()] == [B]
    assert [kind for kind, _ in inventory.records()][:1] == ["endpoint.merged"]


def test_two_cards_of_one_box_are_one(inventory):
    inventory.take(
        says(T, mac=A, serial="acme|77", host="mon-1"),
        says(T + 1, mac=NEAR_A, serial="acme|77", host="mon-1"),
    )
    [row] = inventory.rows()
    assert {("mac", A), ("mac", NEAR_A)} <= inventory.marks(row.id)


@pytest.mark.parametrize(
    "second",
    [{"mac": NEAR_A, "host": "mon-2"}, {"mac": B, "host": "mon-1"}],
    ids=["other name", "far number"],
)
def test_what_is_not_plainly_one_box_is_two(inventory, second):
    inventory.take(says(T, mac=A, serial="acme|77", host="mon-1"), says(T + 1, serial="acme|77", **second))
    assert len(inventory.rows()) == 2


def test_the_sites_list_says_that_two_cards_are_one(inventory):
    inventory.take(says(T, mac=A, serial="acme|77"), says(T + 1, mac=B, serial="acme|77"))
    inventory.take(says(T + HOUR, mac=[A, B], serial="acme|77", tag="CE-1", source="cmms"))
    [row] = inventory.rows()
    assert row.tag == "CE-1"


def test_what_stands_in_a_list_is_who_first_speaks_as_it(inventory):
    inventory.take(says(T, serial="acme|77", tag="CE-1", source="cmms", facts=[("location", "OR 3", 1.0)]))
    inventory.take(says(T + HOUR, mac=A, address="10.0.0.1"))
    inventory.take(says(T + 2 * HOUR, mac=A, serial="acme|77"))
    taken = inventory.take(says(T + 2 * HOUR + 1, mac=B, serial="acme|77"))
    first, second = inventory.rows()
    assert (first.tag, first.mac, first.location) == ("CE-1", A, "OR 3")
    assert (second.tag, second.mac) == ("", B)
    assert len(taken.conflicts) == 1


def test_one_serial_under_two_numbers_of_the_site_is_two_and_a_conflict(inventory):
    taken = inventory.take(says(T, serial="acme|77", tag="CE-1"), says(T + 1, serial="acme|77", tag="CE-2"))
    assert [row.tag for row in inventory.rows()] == ["CE-1", "CE-2"]
    assert len(taken.conflicts) == 1


def test_one_card_in_two_realms_at_once_is_two_and_later_it_moved(inventory):
    taken = inventory.take(says(T, mac=A, realm="east"), says(T + MINUTE, mac=A, realm="west"))
    assert len(inventory.rows()) == 2
    assert [one.mark for one in taken.conflicts] == ["mac"]
    inventory.take(says(T, mac=C, realm="east"), says(T + DAY, mac=C, realm="west"))
    [moved] = [row for row in inventory.rows() if row.mac == C]
    assert moved.realm == "west"


def test_a_clone_of_a_card_shows_by_names_that_come_back(inventory):
    taken = inventory.take(
        *(says(T + n * MINUTE, mac=A, host=h) for n, h in enumerate(("pump-1", "cloned", "pump-1")))
    )
    assert [(one.kind, one.mark) for one in taken.conflicts] == [(TWICE, "host")]
    fine = inventory.take(
        *(says(T + n * MINUTE, mac=B, host=h) for n, h in enumerate(("old-name", "new-name")))
    )
    assert fine.conflicts == (), "renamed once"


def test_a_card_in_front_of_many_tells_nobody_from_anybody(inventory):
    router = [says(T + n, mac=A, address=f"10.9.0.{n}", source="zeek.conn") for n in range(1, 31)]
    inventory.take(*router)
    rows = inventory.rows()
    assert len(rows) == 30
    assert {row.mac for row in rows} == {""}
    inventory.take(says(T + MINUTE, mac=A, address="10.9.0.7", facts=[("os", "Debian 12", 0.5)]))
    assert [row.address for row in inventory.rows() if row.os] == ["10.9.0.7"]


def test_a_card_found_to_front_later_gives_back_what_was_not_its_own(inventory):
    inventory.take(*(says(T + n, mac=A, address=f"10.9.0.{n}", host=f"host-{n}") for n in (1, 2, 3)))
    inventory.take(
        *(says(T + MINUTE + n, mac=A, address=f"10.9.0.{n}", host=f"host-{n}") for n in range(4, 20))
    )
    inventory.take(says(T + HOUR, address="10.9.0.2", host="host-2", source="zeek.dns"))
    found = {row.name for row in inventory.rows() if row.address == "10.9.0.2"}
    assert found == {"host-2"}
    assert len([row for row in inventory.rows() if row.mac == A]) == 1


def test_a_random_card_follows_its_name_in_its_realm_and_no_real_one(inventory):
    inventory.take(says(T, mac=RANDOM, host="anna-phone"))
    inventory.take(says(T + DAY, mac=RANDOM_2, host="anna-phone"))
    assert len(inventory.rows()) == 1
    inventory.take(says(T, mac=A, host="pump-9"), says(T + DAY, mac="da:a1:19:00:00:09", host="pump-9"))
    assert len(inventory.rows()) == 3, "a random card is no pump because it says so"
    inventory.take(says(T + 2 * DAY, mac="da:a1:19:00:00:0a", host="anna-phone", realm="guests"))
    assert len(inventory.rows()) == 4


def test_two_random_cards_with_one_name_at_the_same_time_are_two(inventory):
    inventory.take(says(T, mac=RANDOM, host="anna-phone"), says(T + MINUTE, mac=RANDOM_2, host="anna-phone"))
    assert len(inventory.rows()) == 2
    inventory.take(
        says(T, mac="da:00:00:00:00:01", host="iPhone"), says(T + DAY, mac="da:00:00:00:00:02", host="iphone")
    )
    assert len(inventory.rows()) == 4, "a name that phones leave the factory with is nobody's"


def test_what_stands_behind_a_gateway_is_its_own_with_its_parent(inventory):
    gate = [Mark(MarkKind.MAC, A), Mark(MarkKind.ADDRESS, "10.0.0.1")]
    inventory.take(*(says(T + n, serial=f"acme|{n % 3 + 100}", behind=gate) for n in range(9)))
    gateway, *pumps = inventory.rows()
    assert gateway.mac == A
    assert sorted(row.serial for row in pumps) == ["100", "101", "102"]
    assert {row.parent for row in pumps} == {gateway.id}
    assert inventory.holder("10.0.0.1", T + 5) == gateway.id


def test_what_is_off_the_network_is_known_by_its_account_and_its_hub(inventory):
    hub = [Mark(MarkKind.ACCOUNT, "acme|hub-1")]
    inventory.take(says(T, account="acme|w-1", behind=hub), says(T + DAY, account="acme|w-1", behind=hub))
    found, wearable = sorted(inventory.rows(), key=lambda row: row.parent)
    assert (wearable.sort, wearable.parent, wearable.last_us) == ("account", found.id, T + DAY)


def test_many_that_share_an_address_are_told_apart_by_what_they_claim(inventory):
    said = [says(T + n * MINUTE, address="10.0.0.9", serial=f"acme|{n % 4 + 200}") for n in range(12)]
    inventory.take(*said)
    assert sorted(row.serial for row in inventory.rows()) == ["200", "201", "202", "203"]
    inventory.take(says(T + HOUR, address="10.0.0.9", serial="acme|202"))
    assert len(inventory.rows()) == 4


def test_who_claims_from_elsewhere_what_somebody_is_becomes_nobody_else(inventory):
    inventory.take(
        says(T, address="10.0.0.1", serial="acme|501"), says(T, address="10.0.0.2", serial="acme|502")
    )
    taken = inventory.take(says(T + MINUTE, address="10.0.0.2", serial="acme|501"))
    assert [one.mark for one in taken.conflicts] == ["serial"]
    assert len(inventory.rows()) == 3
    inventory.take(says(T + 2 * MINUTE, address="10.0.0.2", serial="acme|501"))
    assert len(inventory.rows()) == 3


def test_names_alone_find_the_one_that_has_them_or_are_unclear(inventory):
    inventory.take(
        says(T, mac=A, ae_title="CT1"), says(T, mac=B, ae_title="STORE"), says(T, mac=C, ae_title="STORE")
    )
    taken = inventory.take(says(T + 1, ae_title="CT1"), says(T + 1, ae_title="STORE"))
    assert len(inventory.rows()) == 3
    assert taken.counts["unclear"] == 1


@pytest.mark.parametrize("serial", ["acme|0000", "acme|unknown", "acme|To be filled by O.E.M.", "|"])
def test_a_serial_of_nobody_is_no_claim(inventory, serial):
    inventory.take(says(T, mac=A, serial=serial), says(T + 5 * DAY, mac=B, serial=serial))
    assert len(inventory.rows()) == 2


def test_an_address_seen_before_its_card_is_the_same(inventory):
    inventory.take(
        says(T, address="10.0.0.1", source="zeek.conn"), says(T + MINUTE, mac=A, address="10.0.0.1")
    )
    assert [row.mac for row in inventory.rows()] == [A]


def test_a_batch_taken_twice_is_taken_once(inventory):
    said = [
        says(T + n, mac=A, address="10.0.0.1", serial="acme|91", facts=[("model", "X", 0.8)])
        for n in range(3)
    ]
    inventory.take(*said)
    before = inventory.whole(inventory.rows()[0].id)
    inventory.take(*said)
    assert inventory.whole(inventory.rows()[0].id) == before


def test_what_marks_nobody_is_counted(inventory):
    taken = inventory.take(
        says(T, mac="ff:ff:ff:ff:ff:ff"), says(T, address="127.0.0.1"), says(T, host="localhost")
    )
    assert taken.counts["empty"] == 3
    assert inventory.rows() == []


def test_one_card_in_two_places_at_once_is_a_conflict_and_a_move_is_none(inventory):
    places = ("10.0.1.5", "10.0.3.9")
    taken = inventory.take(*(says(T + n * 5 * MINUTE, mac=A, address=places[n % 2]) for n in range(6)))
    assert [(one.kind, one.mark) for one in taken.conflicts] == [(TWICE, "mac")]
    once = inventory.take(
        *(says(T + n * 5 * MINUTE, mac=B, address=p) for n, p in enumerate((*places, places[0])))
    )
    assert once.conflicts == (), "back again once"
    alias = [
        says(T + n * MINUTE, mac=C, address=f"10.0.8.{n % 2 + 1}", source="zeek.conn") for n in range(20)
    ]
    assert inventory.take(*alias).conflicts == (), "a second address of the same network"


def test_a_connection_read_before_its_lease_is_the_same_endpoint(inventory):
    inventory.take(says(T + HOUR, address="10.0.0.1", source="zeek.conn"))
    inventory.take(says(T, mac=A, address="10.0.0.1"))
    assert [(row.mac, row.address) for row in inventory.rows()] == [(A, "10.0.0.1")]
    inventory.take(
        says(T, address="10.0.0.7", source="zeek.conn"), says(T + 17 * MINUTE, mac=B, address="10.0.0.7")
    )
    assert len(inventory.rows()) == 2
    inventory.take(
        says(T, address="10.0.0.8", source="zeek.conn"), says(T + 3 * DAY, mac=C, address="10.0.0.8")
    )
    assert len(inventory.rows()) == 4, "days later it may be anybody's"


def test_a_claim_heard_behind_two_by_turns_is_a_conflict(inventory):
    gates = [
        [Mark(MarkKind.MAC, mac), Mark(MarkKind.ADDRESS, f"10.0.0.{n}")] for n, mac in enumerate((A, B), 1)
    ]
    moved = inventory.take(*(says(T + n * HOUR, serial="acme|77", behind=gates[n]) for n in (0, 1)))
    assert moved.conflicts == (), "carried to another gateway"
    taken = inventory.take(says(T + 2 * HOUR, serial="acme|77", behind=gates[0]))
    assert [(one.kind, one.mark) for one in taken.conflicts] == [(TWICE, "serial")]


def test_neighbouring_cards_with_one_name_in_other_statements_are_one_box(inventory):
    taken = inventory.take(
        says(T, mac=A, eui64="001bc50000000777"),
        says(T + 1, mac=NEAR_A, eui64="001bc50000000777"),
        says(T + 2, mac=A, host="mon-1"),
        says(T + 3, mac=NEAR_A, host="mon-1"),
        says(T + 4, mac=A, eui64="001bc50000000777"),
    )
    [row] = inventory.rows()
    assert taken.conflicts == ()
    assert row.conflicts == 0


def test_an_address_of_a_list_is_whose_it_is_when_it_speaks(inventory):
    inventory.take(says(T, tag="IT-1", serial="acme|55", address="10.0.0.50", source="netbox"))
    inventory.take(says(T + DAY, mac=A, address="10.0.0.50"))
    [row] = inventory.rows()
    assert (row.tag, row.mac, row.address) == ("IT-1", A, "10.0.0.50")


def test_a_random_card_in_a_tight_pool_fronts_nobody(inventory):
    pool = [f"10.5.0.{n}" for n in range(1, 5)]
    said = [
        says(T + (n * 12 + k) * HOUR, mac=f"da:00:00:00:00:0{k}", address=pool[(n + k) % 4], source=s)
        for n in range(6)
        for k in range(1, 4)
        for s in ("zeek.dhcp", "zeek.conn")
    ]
    inventory.take(*said)
    assert len(inventory.rows()) == 3


def test_a_certificate_of_many_addresses_outside_makes_nobody_one(inventory):
    shown = "ab" * 32
    taken = inventory.take(
        *(says(T + n * 2 * HOUR, address=f"8.8.4.{n}", certificate=shown) for n in range(1, 6))
    )
    assert len(inventory.rows()) == 5
    assert taken.conflicts == ()


def test_a_card_of_a_factory_that_is_at_two_sites_is_two_whatever_is_read_first(inventory):
    east = [says(T + n * 6 * HOUR, mac=A, realm="east") for n in range(1, 9)]
    west = [says(T + n * 6 * HOUR, mac=A, realm="west") for n in range(9)]
    inventory.take(*east)
    taken = inventory.take(*west)
    assert len(inventory.rows()) == 2
    assert [one.mark for one in taken.conflicts] == ["mac"]


def test_a_list_is_no_sign_of_life(inventory):
    inventory.take(says(T, mac=A, serial="acme|77"))
    inventory.take(says(T + 9 * DAY, mac=A, serial="acme|77", tag="CE-1", source="cmms"))
    inventory.take(
        says(T + 9 * DAY, serial="acme|88", tag="CE-2", source="cmms"),
        says(T + 9 * DAY, mac=B, source="netbox"),
    )
    heard = {(row.tag, row.first_us, row.last_us) for row in inventory.rows()}
    assert heard == {("CE-1", T, T), ("CE-2", 0, 0), ("", 0, 0)}
    inventory.take(says(T + 10 * DAY, mac=C, serial="acme|88"))
    assert {(row.tag, row.last_us) for row in inventory.rows() if row.serial == "88"} == {
        ("CE-2", T + 10 * DAY)
    }


def test_a_random_card_follows_its_name_though_a_list_has_it_too(inventory):
    inventory.take(says(T, tag="CE-7", serial="acme|90", host="tab-100420", source="cmms"))
    inventory.take(
        says(T + HOUR, mac=RANDOM, host="tab-100420"), says(T + DAY, mac=RANDOM_2, host="tab-100420")
    )
    assert len([row for row in inventory.rows() if row.mac]) == 1


def test_who_fills_the_inventory_from_the_network_keeps_out_nothing_that_the_site_says(
    inventory, monkeypatch
):
    monkeypatch.setattr("oathward.endpoints.loading.ENDPOINTS_MAX", 3)
    flood = [says(T + n, source="pcap.arp", mac=f"00:1b:c5:00:10:{n:02x}") for n in range(9)]
    assert inventory.take(*flood).counts["refused"] == 6
    own = [
        says(T + 20, source="cmms", tag="A-1", serial="acme|1"),
        says(T + 21, source="gateway", device="d-1", address="10.0.0.9"),
    ]
    taken = inventory.take(*own, says(T + 22, source="pcap.arp", mac=C))
    assert (taken.counts["new"], taken.counts["refused"]) == (2, 1)


def test_who_becomes_one_with_the_one_it_was_heard_through_is_not_its_own_gateway(inventory):
    inventory.take(says(T, mac=A, address="10.0.0.1"))
    inventory.take(says(T + 1, serial="acme|100", behind=[Mark(MarkKind.ADDRESS, "10.0.0.1")]))
    gateway, pump = inventory.rows()
    assert pump.parent == gateway.id
    inventory.take(says(T + HOUR, mac=A, serial="acme|100"))
    [one] = inventory.rows()
    assert one.parent == ""
