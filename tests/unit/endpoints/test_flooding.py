"""Promises about a source that suddenly tells of far more endpoints than ever: what it says of one once is counted and waits; nobody real is lost."""

import pytest
from tests.unit.endpoints.conftest import DAY, HOUR, MINUTE, SITE, A, B, T, says

from oathward.core.db import read
from oathward.discovery.model import Mark, MarkKind
from oathward.endpoints import flooding, newcomers
from oathward.endpoints.model import SourceRow
from oathward.observing import identities

ARP = "pcap.arp"


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Bounds a thousandth of what they are."""
    monkeypatch.setattr(flooding, "FIRST_DAY_MIN", 2)
    monkeypatch.setattr(flooding, "FIRST_DAY_MAX", 50)
    monkeypatch.setattr(flooding, "HOUR_MIN", 5)
    monkeypatch.setattr(flooding, "HOUR_MAX", 20)


def frames(at, count, *, first=0, source=ARP, apart=1_000, realm="main"):
    """Give ARP frames, each of a card and an address of its own."""
    return [
        says(
            at + n * apart,
            source=source,
            realm=realm,
            segment="ward",
            mac=f"00:1b:c5:{(first + n) >> 16:02x}:{(first + n) >> 8 & 255:02x}:{(first + n) & 255:02x}",
            address=f"10.{(first + n) >> 16}.{(first + n) >> 8 & 255}.{(first + n) & 255 or 1}",
        )
        for n in range(count)
    ]


def floods(inventory, now=T + 100 * DAY):
    with read(inventory.engine) as db:
        return newcomers.floods(db, SITE, now)


def settled(inventory, count=8):
    """A first day is over: so many devices were heard in it, and are heard the day after."""
    inventory.take(*frames(T, count), *frames(T + DAY, count))


def test_a_first_day_is_read_whole(inventory):
    taken = inventory.take(*frames(T, 45), *frames(T + HOUR, 45, source="pcap.ip"))
    assert (taken.counts["new"], taken.counts["held"]) == (45, 0)
    assert floods(inventory) == []


def test_a_flood_on_the_first_day_is_bounded_and_counted(inventory):
    taken = inventory.take(*frames(T, 100))
    assert (taken.counts["new"], taken.counts["held"]) == (50, 50)
    assert len(inventory.rows()) == 50
    [flood] = floods(inventory)
    assert (flood.source, flood.realm, flood.held, flood.segment) == (ARP, "main", 50, "ward")
    assert (flood.from_us, flood.until_us) == (T + 50_000, T + 99_000)


def test_after_it_an_hour_has_what_is_usual_and_the_next_has_it_again(inventory):
    settled(inventory)
    assert inventory.take(*frames(T + 2 * DAY, 30, first=100)).counts["held"] == 25
    assert inventory.take(*frames(T + 2 * DAY + HOUR, 4, first=200)).counts["held"] == 0


def test_what_is_usual_grows_with_what_was_but_not_with_floods_nor_for_ever(inventory):
    usual = flooding.usual
    assert usual(SourceRow("", "")) == 5
    assert usual(SourceRow("", "", first_day=40)) == 10
    assert usual(SourceRow("", "", most=4)) == 16
    assert usual(SourceRow("", "", most=400)) == 20
    settled(inventory)
    inventory.take(*frames(T + 2 * DAY, 30, first=100), *frames(T + 2 * DAY + HOUR, 1, first=300))
    assert floods(inventory)[0].most == 0, "the hour of a flood is no example"
    inventory.take(*frames(T + 2 * DAY + HOUR + MINUTE, 2, first=400))
    inventory.take(*frames(T + 2 * DAY + 2 * HOUR, 1, first=500))
    assert floods(inventory)[0].most == 3


def test_who_is_heard_again_is_an_endpoint_with_what_it_says(inventory):
    settled(inventory)
    flood = frames(T + 2 * DAY, 30, first=100)
    inventory.take(*flood)
    before = len(inventory.rows())
    late = frames(T + 2 * DAY + 11 * MINUTE, 30, first=100)
    assert inventory.take(late[29]).counts["new"] == 1
    assert len(inventory.rows()) == before + 1
    [one] = floods(inventory)
    assert (one.held, one.taken) == (25, 1)
    other = frames(T + 2 * DAY + 1, 30, first=100, source="zeek.dhcp")[28]
    assert inventory.take(other).counts["new"] == 1, "another source says it too"


def test_the_same_again_at_once_is_no_second_word_and_counts_once(inventory):
    settled(inventory)
    flood = frames(T + 2 * DAY, 30, first=100)
    inventory.take(*flood)
    taken = inventory.take(*flood, *frames(T + 2 * DAY + MINUTE, 30, first=100))
    assert (taken.counts["new"], taken.counts["held"]) == (0, 50)
    assert floods(inventory)[0].held == 25, "statements wait, each mark is counted once"


def test_it_is_the_same_whatever_is_taken_at_a_time(inventory):
    settled(inventory)
    for said in frames(T + 2 * DAY, 12, first=100):
        inventory.take(said)
    assert floods(inventory)[0].held == 7
    assert len(inventory.rows()) == 8 + 5


def test_sources_and_realms_have_bounds_of_their_own(inventory):
    settled(inventory)
    inventory.take(*frames(T + 2 * DAY, 30, first=100))
    assert inventory.take(*frames(T + 2 * DAY, 40, first=300, source="zeek.dhcp")).counts["held"] == 0
    assert inventory.take(*frames(T + 2 * DAY, 40, realm="south")).counts["held"] == 0


def test_what_the_site_says_and_who_is_known_never_waits(inventory):
    settled(inventory)
    inventory.take(says(T, mac=B, address="10.9.0.2", serial="acme|771", source="pcap.hl7"))
    inventory.take(*frames(T + 2 * DAY, 30, first=100))
    at = T + 2 * DAY + MINUTE
    listed = inventory.take(says(at, mac="00:50:c2:11:00:01", tag="CE-9", source=ARP))
    declared = inventory.take(says(at, device="pump-1", source=ARP))
    known = inventory.take(*frames(at, 8))
    assert [one.counts["held"] for one in (listed, declared, known)] == [0, 0, 0]
    spoof = says(at, mac="00:50:c2:11:00:02", address="10.9.0.9", serial="acme|771", source=ARP)
    inventory.take(says(at, mac=B, address="10.9.0.2", serial="acme|771", source="pcap.hl7"))
    assert [one.mark for one in inventory.take(spoof).conflicts] == ["serial"]


def test_who_is_heard_through_one_that_waits_waits(inventory):
    settled(inventory)
    inventory.take(*frames(T + 2 * DAY, 30, first=100))
    behind = [Mark(MarkKind.MAC, A), Mark(MarkKind.ADDRESS, "10.9.0.1")]
    said = says(T + 2 * DAY, serial="acme|5", behind=behind, source=ARP)
    assert inventory.take(said).counts["new"] == 0
    again = says(T + 2 * DAY + 20 * MINUTE, serial="acme|5", behind=behind, source=ARP)
    inventory.take(again)
    assert {row.mac for row in inventory.rows() if row.mac == A} == {A}


def test_an_archive_that_is_read_late_has_hours_of_its_own(inventory):
    settled(inventory)
    inventory.take(*frames(T + 9 * DAY, 1, first=900))
    old = [one for n in range(10) for one in frames(T + 2 * DAY + n * HOUR, 4, first=1_000 + 10 * n)]
    assert inventory.take(*old).counts["held"] == 0


def test_a_clock_that_was_not_set_does_not_use_up_the_first_day(inventory):
    inventory.take(*frames(T - 9_000 * DAY, 1, first=900))
    assert inventory.take(*frames(T, 45)).counts["held"] == 0


def test_memory_is_bounded_and_forgets(inventory, monkeypatch):
    settled(inventory)
    monkeypatch.setattr(newcomers, "ONCE_MAX", 10)
    inventory.take(*frames(T + 2 * DAY, 40, first=100))
    assert floods(inventory)[0].held == 35, "counted, though there was no room to remember it"
    with read(inventory.engine) as db:
        assert db.exec_driver_sql("SELECT count(*) FROM endpoint_once").scalar() == 10
    later = T + 100 * DAY + 8 * DAY
    assert floods(inventory, later) == []
    inventory.take(*frames(T + 10 * DAY, 1, first=900), now=later)
    with read(inventory.engine) as db:
        assert db.exec_driver_sql("SELECT count(*) FROM endpoint_once").scalar() == 0


def test_reverse_without_the_rule_each_frame_is_an_endpoint(inventory, monkeypatch):
    monkeypatch.setattr(flooding.News, "waits", lambda *_: False)
    settled(inventory)
    inventory.take(*frames(T + 2 * DAY, 30, first=100))
    assert len(inventory.rows()) == 38
    assert floods(inventory) == []


def test_a_finding_says_which_source_where_when_and_how_many():
    row = SourceRow("main", ARP, from_us=T, until_us=T + HOUR, held=99_000, taken=12, segment="ward")
    raised = identities._flood(row)
    assert (raised.kind, raised.about) == ("source.flood", f"source:{ARP}")
    assert raised.details | {"first": "", "last": ""} == {
        "held back": 99_000,
        "heard again": 12,
        "usual in an hour": 5,
        "first": "",
        "last": "",
        "realm": "main",
        "segment": "ward",
    }
    assert raised.details["first"] < raised.details["last"]
