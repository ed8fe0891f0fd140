"""Lists of messages for people: newest first, page by page, with bounds on what is looked at; counts that know where they stop."""

import pytest

from oathward.core.db import connect, create_tables, read, write
from oathward.core.ids import uuid7
from oathward.messages import sql, views
from oathward.messages.model import HeldRow, MessageRow, OutboxRow
from oathward.messages.views import Filters
from oathward.vault.bodies import BodyRef

SITE, START_US, STEP_US = "s", 1_800_000_000_000_000, 1_000_000


def id_at(at_us: int) -> str:
    return uuid7(at_us // 1_000)


def message(n: int, **changes) -> MessageRow:
    at_us = START_US + n * STEP_US
    row = MessageRow(id_at(at_us), SITE, b"%016d" % n, bytes(16), "AA", at_us, f"d-{n % 3}", "s", "ORU^R01", n, "accepted", "")  # fmt: skip
    return row._replace(**changes)


@pytest.fixture
def url(tmp_path):
    """Where the rows lie; ``tests/conformance/test_views_postgres.py`` has another."""
    return f"sqlite:///{tmp_path / 'o.db'}"


@pytest.fixture
def db(url):
    engine = connect(url)
    create_tables(engine)
    with write(engine) as db:
        sql.insert_messages(db, [message(n) for n in range(250)])
        sql.insert_messages(db, [message(250, state="held", reason="device.unknown", device="", type="?")])
        sql.insert_messages(
            db, [message(999, site="another", id=id_at(START_US + 1), duplicate_key=b"x" * 16)]
        )
    with read(engine) as db:
        yield db
    engine.dispose()


def walk(db, filters: Filters, limit: int = 50) -> list[MessageRow]:
    """Follow a list to its end, as somebody who clicks `Older` would."""
    found, after, clicks = [], "", 0
    while True:
        page = views.messages(db, SITE, filters, after=after, limit=limit)
        found += page.rows
        assert len(page.rows) <= limit
        after, clicks = page.after, clicks + 1
        if not after:
            return found
        assert clicks < 1_000


def test_pages_give_every_message_once_newest_first(db):
    found = walk(db, Filters())
    assert [row.received_us for row in found] == sorted((r.received_us for r in found), reverse=True)
    assert len({row.id for row in found}) == len(found) == 251, "this site's alone"


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        (Filters(state="held"), 1),
        (Filters(device="d-1"), 83),
        (Filters(type="?"), 1),
        (Filters(reason="device.unknown"), 1),
        (Filters(device="d-1", state="held"), 0),
        (Filters(device="no-such"), 0),
        (Filters(until_us=START_US + 99 * STEP_US), 100),
        (Filters(until_us=START_US + 99 * STEP_US, device="d-0"), 34),
    ],
)
@pytest.mark.parametrize("look", [20_000, 7])
def test_filters_find_all_whatever_is_looked_at_in_one_go(db, filters, count, look, monkeypatch):
    monkeypatch.setattr(views, "LOOK_MAX", look)
    assert len(walk(db, filters)) == count


@pytest.mark.parametrize("look", [20_000, 7])
@pytest.mark.parametrize(
    ("devices", "count"), [({"d-1"}, 83), ({"d-0", "d-1"}, 167), ({"no-such"}, 0), (set(), 0)]
)
@pytest.mark.parametrize("names", [500, 0])
def test_a_list_of_some_devices_has_theirs_alone(db, devices, count, look, names, monkeypatch):
    monkeypatch.setattr(views, "NAMES_MAX", names)
    monkeypatch.setattr(views, "LOOK_MAX", look)
    found, after = [], ""
    for _ in range(1_000):
        page = views.messages(db, SITE, Filters(), after=after, limit=50, devices=frozenset(devices))
        found += page.rows
        after = page.after
        if not after:
            break
    assert len(found) == len({row.id for row in found}) == count
    assert {row.device for row in found} <= devices
    newer = views.newer(db, SITE, "", devices=frozenset(devices))
    assert newer.number <= min(count, views.NEW_MAX)
    assert look == 7 or newer == (min(count, views.NEW_MAX), count > views.NEW_MAX)


def test_whose_a_message_is_is_told_for_those_of_this_site(db):
    rows = walk(db, Filters())
    for row in (rows[0], rows[1], rows[-1]):
        assert views.device_of(db, SITE, row.id) == row.device
        assert views.device_of(db, "another", row.id) == ""
    assert views.device_of(db, SITE, "no-such") == ""


def test_a_look_that_ended_early_says_how_far_it_came(db, monkeypatch):
    monkeypatch.setattr(views, "LOOK_MAX", 10)
    page = views.messages(db, SITE, Filters(device="no-such"))
    assert page.rows == []
    assert page.looked_us == START_US + 241 * STEP_US
    assert page.after
    monkeypatch.undo()
    assert views.messages(db, SITE, Filters(device="no-such")).looked_us == 0, "all was looked at"


def test_counts_stop_at_a_bound_and_say_so(db, monkeypatch):
    assert views.received_since(db, SITE, 0) == (251, False)
    assert views.received_since(db, SITE, START_US + 249 * STEP_US) == (2, False)
    monkeypatch.setattr(views, "COUNT_MAX", 100)
    assert views.received_since(db, SITE, 0) == (100, True)
    bounds = [START_US, START_US + 10 * STEP_US, START_US + 60 * STEP_US, START_US + 1_000 * STEP_US]
    assert views.received_by(db, SITE, bounds) == [10, 50, 100]


def test_what_is_newer_than_a_page_is_counted(db):
    than = views.messages(db, SITE, Filters(), limit=1).rows[0].id
    assert views.newer(db, SITE, than) == (0, False)
    older = views.messages(db, SITE, Filters(), limit=11).rows[-1].id
    assert views.newer(db, SITE, older) == (10, False)
    assert views.newer(db, SITE, older, state="held") == (1, False)
    assert views.newer(db, SITE, "") == (views.NEW_MAX, True)
    assert views.latest(db, SITE).id == than
    assert views.latest(db, "nobody") is None


def test_quarantine_is_listed_by_state_and_reason(url, monkeypatch):
    engine = connect(url)
    create_tables(engine)
    rows = [
        HeldRow(id_at(START_US + n * STEP_US), SITE, START_US + n * STEP_US, f"d-{n % 2}", "10.0.0.1 -",
                ("device.unknown", "guard.stopped")[n % 5 == 0], "PID-3", "", ("held", "released")[n % 4 == 0])
        for n in range(100)
    ]  # fmt: skip
    with write(engine) as db:
        sql.insert_held(db, rows)
    monkeypatch.setattr(views, "LOOK_MAX", 9)
    with read(engine) as db:

        def all_of(**filters) -> int:
            found, after = [], ""
            while True:
                page = views.held(db, SITE, **filters, after=after, limit=10)
                found += page.rows
                after = page.after
                if not after:
                    assert len({row.message for row in found}) == len(found)
                    return len(found)

        assert all_of() == 75
        assert all_of(state="released") == 25
        assert all_of(state="") == 100
        assert all_of(reason="guard.stopped") == 15
        assert all_of(reason="guard.stopped", state="") == 20
        assert all_of(device="d-1") == 50
        assert views.newer_held(db, SITE, rows[89].message) == (8, False)
    engine.dispose()


def test_what_was_settled_long_ago_is_not_walked_through(tmp_path):
    engine = connect(f"sqlite:///{tmp_path / 'p.db'}")
    create_tables(engine)
    with read(engine) as db:
        query = "SELECT * FROM quarantine WHERE site = 's' AND state = 'held' ORDER BY message DESC"
        plan = " ".join(str(row) for row in db.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}"))
    assert "quarantine_held" in plan
    engine.dispose()


def test_what_waits_is_told_by_link_with_its_oldest(url):
    engine = connect(url)
    create_tables(engine)

    def row(n: int, link: str, state: str, reason: str = "") -> OutboxRow:
        return OutboxRow(f"O{n}", SITE, f"m{n}", link, "d", "s", "k", BodyRef("o", 1, n, 9, bytes(32)), False, "b@1",
                         0, bytes(32), bytes(32), 0, START_US + n, state=state, reason=reason)  # fmt: skip

    with write(engine) as db:
        sql.insert_outbox(db, [row(5, "ehr", "pending"), row(3, "ehr", "dead"), row(4, "ehr", "pending"), row(9, "a", "blocked"), row(1, "ehr", "dead", "decision.permit-narrowed"), row(2, "z", "dead", "decision.permit-narrowed")])  # fmt: skip
    with read(engine) as db:
        found = views.waiting(db)
        assert [(w.link, w.states, w.oldest_us) for w in found] == [
            ("a", {"blocked": 1}, START_US + 9),
            ("ehr", {"dead": 2, "pending": 2}, START_US + 3),
            ("z", {"dead": 1}, 0),
        ]
        assert [w.withdrawn for w in found] == [0, 1, 1], "what may not be sent any more needs nobody"
        assert [w.waits_us for w in found] == [START_US + 9, START_US + 4, 0], (
            "what was set aside waits no more"
        )
        first = views.outbox_page(db, SITE, limit=2)
        rest = views.outbox_page(db, SITE, after=first[-1].seq, limit=9)
        assert [r.seq for r in first + rest] == sorted((r.seq for r in first + rest), reverse=True)
        assert len(first + rest) == 6
        assert [r.id for r in views.outbox_page(db, SITE, link="ehr", state="pending")] == ["O4", "O5"]
        assert views.outbox_page(db, "another") == []
        assert [r.id for r in views.deliveries(db, "m4")] == ["O4"]
    engine.dispose()


@pytest.mark.parametrize("text", ["", "x", "no-such-id-at-all"])
def test_what_is_no_id_has_no_time(text):
    assert views.time_of(text) == 0
