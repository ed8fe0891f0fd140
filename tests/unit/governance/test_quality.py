"""Counters of traffic are summed by day and kind of device, and by day and link; nothing is counted twice."""

import pytest
from sqlalchemy import event
from tests.site import Site, local
from tests.unit.governance.office import DAY, NOW

from oathward import governing
from oathward.core.clock import micros
from oathward.core.db import write
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.governance.quality import by_kind, by_link, is_malformed
from oathward.messages import sql as messages
from oathward.messages.model import HeldRow
from oathward.messages.traffic import Counts

TODAY = NOW // DAY * DAY
TEN = tuple(Counts(10, late=2, late_hour=1, unidentified=3, duplicates=1))


def test_what_left_on_links_is_not_counted_again_by_kind():
    counts = [(TODAY, "pump", "", TEN), (TODAY, "pump", "ehr", TEN), (TODAY, "monitor", "ehr", TEN)]
    (kind,) = by_kind(counts, [], {})
    assert (kind.about, kind.messages, kind.late, kind.late_hour, kind.unidentified) == ("pump", 10, 2, 1, 3)
    (link,) = by_link(counts)
    assert (link.about, link.messages, link.late) == ("ehr", 20, 4)
    assert link.share("late") == pytest.approx(0.2)


def test_the_newest_day_stands_first():
    counts = [(TODAY - DAY, "pump", "", TEN), (TODAY, "pump", "", TEN), (TODAY, "monitor", "", TEN)]
    assert [(row.day_us, row.about) for row in by_kind(counts, [], {})] == [
        (TODAY, "monitor"), (TODAY, "pump"), (TODAY - DAY, "pump"),
    ]  # fmt: skip


def test_what_lies_in_quarantine_is_counted_by_its_reason():
    held = [
        (TODAY, "pump-1", Reason.SEPARATORS_INVALID.code, 2),
        (TODAY, "", Reason.DEVICE_UNKNOWN.code, 5),
        (TODAY, "pump-1", Reason.CONSENT_WAITING.code, 7),
    ]
    rows = {row.about: row for row in by_kind([], held, {"pump-1": "pump"})}
    assert (rows["pump"].malformed, rows["pump"].unknown_device) == (2, 0)
    assert (rows["unknown"].malformed, rows["unknown"].unknown_device) == (0, 5)


@pytest.mark.parametrize(
    ("reason", "is_so"),
    [
        (Reason.MESSAGE_UNDECODABLE, True),
        (Reason.JSON_INVALID, True),
        (Reason.FRAME_JUNK, True),
        (Reason.DEVICE_UNKNOWN, False),
        (Reason.PATIENTS_SEVERAL, False),
        (Reason.GUARD_STOPPED, False),
        (Reason.CONSENT_WAITING, False),
    ],
)
def test_which_reasons_say_malformed(reason, is_so):
    assert is_malformed(reason.code) is is_so


def test_a_share_of_nothing_is_nothing():
    (row,) = by_kind([(TODAY, "pump", "", tuple(Counts(duplicates=1)))], [], {})
    assert row.share("duplicates") == 0.0


def test_the_counters_read_no_more_devices_than_they_name(tmp_path):
    """Devices whose messages are held for other reasons are not looked up, and none one by one."""
    site = Site.make(tmp_path / "s")
    site.add(*(local(f"pump-{n}", f"P{n}", kind="pump") for n in range(3)))
    with site.admin() as opened, write(opened.engine) as db:
        now_us = micros(opened.clock.now())
        reasons = ("fhir.invalid", "device.identity-mismatch", "guard.stopped")
        rows = [
            HeldRow(uuid7(now_us // 1_000), opened.site, now_us, f"pump-{n}", "", reason, "", "")
            for n, reason in enumerate(reasons)
        ]
        messages.insert_held(db, rows)
        asked = []
        event.listen(opened.engine, "before_cursor_execute", lambda *a: asked.append(a[2]))
        kinds, _ = governing.traffic_quality(db, opened.site, now_us - DAY, now_us + DAY)
        assert [(row.about, row.malformed, row.unknown_device) for row in kinds] == [("pump", 1, 1)]
        assert sum("FROM device" in one for one in asked) == 1
