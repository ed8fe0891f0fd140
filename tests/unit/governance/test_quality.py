"""Counters of traffic are summed by day and kind of device, and by day and link; nothing is counted twice."""

import pytest
from sqlalchemy import event
from tests.site import Site, local
from tests.unit.governance.office import DAY, NOW

from oathward import governing
from oathward.core.clock import micros
from oathward.core.db import write
from oathward.governance.quality import by_kind, by_link
from oathward.messages import traffic
from oathward.messages.traffic import Counts

TODAY = NOW // DAY * DAY
TEN = tuple(Counts(10, late=2, late_hour=1, unidentified=3, duplicates=1))


def test_what_left_on_links_is_not_counted_again_by_kind():
    counts = [(TODAY, "pump", "", TEN), (TODAY, "pump", "ehr", TEN), (TODAY, "monitor", "ehr", TEN)]
    (kind,) = by_kind(counts)
    assert (kind.about, kind.messages, kind.late, kind.late_hour, kind.unidentified) == ("pump", 10, 2, 1, 3)
    (link,) = by_link(counts)
    assert (link.about, link.messages, link.late) == ("ehr", 20, 4)
    assert link.share("late") == pytest.approx(0.2)


def test_the_newest_day_stands_first():
    counts = [(TODAY - DAY, "pump", "", TEN), (TODAY, "pump", "", TEN), (TODAY, "monitor", "", TEN)]
    assert [(row.day_us, row.about) for row in by_kind(counts)] == [
        (TODAY, "monitor"), (TODAY, "pump"), (TODAY - DAY, "pump"),
    ]  # fmt: skip


def test_what_was_held_is_counted_with_its_kind():
    (row,) = by_kind([(TODAY, "", "", tuple(Counts(7, malformed=2, unknown_device=5)))])
    assert (row.about, row.messages, row.malformed, row.unknown_device) == ("unknown", 7, 2, 5)


def test_a_share_of_nothing_is_nothing():
    (row,) = by_kind([(TODAY, "pump", "", tuple(Counts(duplicates=1)))])
    assert row.share("duplicates") == 0.0


def test_the_counters_read_no_device(tmp_path):
    """An estate of a hundred thousand must not make the page slower."""
    site = Site.make(tmp_path / "s")
    site.add(local("pump-1", "P1", kind="pump"))
    with site.admin() as opened, write(opened.engine) as db:
        now_us = micros(opened.clock.now())
        hour_us = now_us - now_us % traffic.HOUR_US
        traffic.add(db, opened.site, {(hour_us, "pump", ""): Counts(2, malformed=1, unknown_device=1)})
        asked = []
        event.listen(opened.engine, "before_cursor_execute", lambda *a: asked.append(a[2]))
        kinds, _ = governing.traffic_quality(db, opened.site, now_us - DAY, now_us + DAY)
        assert [(row.about, row.malformed, row.unknown_device) for row in kinds] == [("pump", 1, 1)]
        assert [one.split("FROM ")[1].split()[0] for one in asked] == ["message_traffic"]
