"""How late messages were is counted once they are stored: one row a kind of device, link and hour, nothing of a single message."""

import json
import time

import pytest
from tests.property.test_planted_fhir import HUB, OBSERVATION, world  # noqa: F401  a fixture

import oathward.ledger.tables  # noqa: F401  declares its tables
from oathward.core.clock import from_micros
from oathward.core.db import connect, create_tables, read
from oathward.core.errors import StorageError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.gateway.arrival import NOT_ASKED, Arrival, Outcome, Outgoing, Prepared
from oathward.gateway.commit import commit_group
from oathward.gateway.path import handle
from oathward.gateway.sent import of_dtm, of_fhir
from oathward.gateway.traffic import Traffic
from oathward.gateway.wires import FHIR
from oathward.inventory.model import Peer
from oathward.messages import traffic
from oathward.messages.model import HeldRow, MessageRow, OutboxRow
from oathward.messages.traffic import DAY_US, HOUR_US, Counts
from oathward.patients.model import Resolution
from oathward.protocols.fhir.message import Request
from oathward.protocols.fhir.reader import request_bytes

NOW = 1_793_000_000_000_000 // DAY_US * DAY_US + 10 * HOUR_US
PEER = Peer("127.0.0.1")


@pytest.fixture(autouse=True)
def in_berlin(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "utc_s"),
    [
        (b"20260504073105+0200", 1777872665),
        (b"20260504053105.1234+0000", 1777872665),
        (b"202605040031-0500", 1777872660),
        (b"20260504073105", 1777872665),  # no zone: that of the machine, summer time there
        (b"20261204073105", 1796365865),
        (b"20260504", 0),
        (b"2026050407", 0),
        (b"", 0),
        (b"not a time at all", 0),
        (b"20261304073105Z", 0),
        (b"20260504273105", 0),
    ],
)
def test_the_time_of_msh_7(text, utc_s):
    assert of_dtm(text) == utc_s * 1_000_000


@pytest.mark.parametrize(
    ("raw", "utc_s"),
    [
        (b'POST Observation\n\n{"effectiveDateTime": "2026-05-04T07:31:05+02:00"}', 1777872665),
        (b'POST Observation\n\n{"issued":"2026-05-04T05:31:05.123Z"}', 1777872665),
        (b'POST \n\n{"resourceType":"Bundle","timestamp":"2026-05-04T05:31:05Z"}', 1777872665),
        (b'POST Observation\n\n{"effectiveDateTime": "2026-05-04"}', 0),
        (b'POST Observation\n\n{"status": "final"}', 0),
        (b'POST Observation\n\n{"x":"' + b"a" * 20_000 + b'","issued":"2026-05-04T05:31:05Z"}', 0),
    ],
)
def test_the_time_of_a_fhir_request(raw, utc_s):
    assert of_fhir(raw) == utc_s * 1_000_000


def prepared(
    sent_us, *, kind="known", links=(), outcome=Outcome.STORED, release="", device="mon-1", at_us=NOW
):
    arrival = Arrival(uuid7(), b"", PEER, at_us, release=release)
    row = MessageRow(arrival.id, "north", b"", b"", "AA", at_us, device, "s", "ORU^R01", 1, "accepted", "")
    out = OutboxRow("X", "north", arrival.id, "", device, "s", "k", None, False, "b", 0, b"", b"", 0, at_us)
    outgoing = [Outgoing(None, out._replace(link=link)) for link in links]
    made = Prepared(
        arrival, row, [], lambda _: [], outgoing=outgoing, resolutions=[Resolution("s", "s", kind)]
    )
    made.outcome, made.sent_us, made.kind = outcome, sent_us, "monitor"
    return made


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/site.db"


@pytest.fixture
def engine(url):
    engine = connect(url)
    create_tables(engine)
    yield engine
    engine.dispose()


def counted(engine, *messages):
    found = Traffic(300.0)
    found.count(messages)
    found.flush(engine, "north")
    with read(engine) as db:
        return {(r.kind, r.link): r.counts for r in traffic.by_day(db, "north", NOW - DAY_US, NOW + DAY_US)}


@pytest.mark.parametrize(
    ("ago_s", "wanted"),
    [
        (0, {}),
        (299, {}),
        (301, {"late": 1}),
        (3_601, {"late": 1, "late_hour": 1}),
        (90_000, {"late": 1, "late_hour": 1, "late_day": 1}),
        (-299, {}),
        (-301, {"ahead": 1}),
    ],
)
def test_how_late_a_message_was(engine, ago_s, wanted):
    found = counted(engine, prepared(NOW - ago_s * 1_000_000))
    assert found == {("monitor", ""): Counts(messages=1, **wanted)}


def test_what_a_message_does_not_say_is_untimed_and_what_cannot_be_read_is_not(engine):
    found = counted(engine, prepared(0), prepared(NOT_ASKED))
    assert found == {("monitor", ""): Counts(messages=2, untimed=1)}


def test_each_link_has_what_left_on_it(engine):
    late, known = NOW - 400_000_000, prepared(NOW, links=("ehr",))
    found = counted(engine, prepared(late, kind="holding", links=("ehr", "research")), known)
    assert found == {
        ("monitor", ""): Counts(messages=2, late=1, unidentified=1),
        ("monitor", "ehr"): Counts(messages=2, late=1, unidentified=1),
        ("monitor", "research"): Counts(messages=1, late=1, unidentified=1),
    }


def test_a_duplicate_is_counted_and_a_release_and_a_failure_are_not(engine):
    again = prepared(NOW, outcome=Outcome.DUPLICATE)
    found = counted(engine, again, prepared(NOW, release="r"), prepared(NOW, outcome=Outcome.FAILED))
    assert found[("monitor", "")] == Counts(duplicates=1)


def test_rows_are_added_to_and_summed_by_day(engine):
    counted(engine, prepared(NOW))
    counted(engine, prepared(NOW, at_us=NOW + HOUR_US))
    counted(engine, prepared(NOW), prepared(NOW, at_us=NOW - 11 * HOUR_US))
    with read(engine) as db:
        rows = traffic.by_day(db, "north", NOW - DAY_US, NOW + DAY_US)
    assert [(r.day_us, r.counts.messages) for r in rows] == [
        (NOW // DAY_US * DAY_US - DAY_US, 1),
        (NOW // DAY_US * DAY_US, 3),
    ]


def test_counts_that_could_not_be_written_are_written_later(engine, tmp_path):
    elsewhere = connect(f"sqlite:///{tmp_path}/none.db")  # without tables
    found = Traffic(300.0)
    found.count([prepared(NOW)])
    with pytest.raises(StorageError):
        found.flush(elsewhere, "north")
    elsewhere.dispose()
    found.count([prepared(NOW)])
    found.flush(engine, "north")
    with read(engine) as db:
        (row,) = traffic.by_day(db, "north", NOW - DAY_US, NOW + DAY_US)
    assert row.counts == Counts(messages=2)


def test_a_late_request_is_counted_when_it_was_committed_and_a_broken_one_is_not_untimed(world):  # noqa: F811  a fixture
    _, gate = world
    now_us = gate.now_us()
    late = from_micros(now_us - 7_200_000_000).isoformat(timespec="seconds")
    body = {k: v for k, v in OBSERVATION.items() if k != "id"} | {"effectiveDateTime": late}
    raws = [json.dumps(body).encode(), b'{"resourceType": ']
    group = [
        handle(gate, Arrival(uuid7(), request_bytes(Request("POST", "Observation"), raw), HUB, now_us, FHIR))
        for raw in raws
    ]
    commit_group(gate, group)
    gate.traffic.flush(gate.engine, gate.site)
    with read(gate.engine) as db:
        rows = traffic.by_day(db, gate.site, now_us - DAY_US, now_us + DAY_US)
    of_devices = traffic.total(row.counts for row in rows if not row.link)
    assert (of_devices.messages, of_devices.late, of_devices.late_hour, of_devices.untimed) == (2, 1, 1, 0)
    left = {row.link for row in rows if row.link}
    assert left == {o.row.link for one in group for o in one.outgoing}
    assert left, "something left on a link"
    assert (of_devices.malformed, of_devices.unknown_device) == (1, 0)


@pytest.mark.parametrize(
    ("reason", "wanted"),
    [
        (Reason.MESSAGE_UNDECODABLE, {"malformed": 1}),
        (Reason.SEPARATORS_INVALID, {"malformed": 1}),
        (Reason.JSON_INVALID, {"malformed": 1}),
        (Reason.FRAME_JUNK, {"malformed": 1}),
        (Reason.DEVICE_UNKNOWN, {"unknown_device": 1}),
        (Reason.DEVICE_MISMATCH, {"unknown_device": 1}),
        (Reason.PATIENTS_SEVERAL, {}),
        (Reason.GUARD_STOPPED, {}),
        (Reason.CONSENT_WAITING, {}),
    ],
)
def test_what_is_held_whole_is_counted_by_its_reason(engine, reason, wanted):
    message = prepared(NOW)
    message.held = HeldRow(message.message.id, "north", NOW, "", "", reason.code, "", "")
    assert counted(engine, message) == {("monitor", ""): Counts(messages=1, **wanted)}


def test_what_is_held_for_some_links_is_neither(engine):
    message = prepared(NOW, links=("ehr",))
    message.held = HeldRow(message.message.id, "north", NOW, "", "", Reason.JSON_INVALID.code, "", "research")
    assert counted(engine, message)[("monitor", "")] == Counts(messages=1)
