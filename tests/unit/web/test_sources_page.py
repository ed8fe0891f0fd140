"""Promises of the page of sources: what was read, what was refused and why, who is silent longer than usual."""

import pytest
from tests.unit.web.test_patients_page import viewer, world  # noqa: F401  fixtures

from oathward.core.db import read, write
from oathward.network import actions, listening, sql
from oathward.network.model import ObservedSource

HOUR = 3_600_000_000
EVIL = "<script>alert(1)</script>.log"


@pytest.fixture(autouse=True)
def nothing_read(world):  # noqa: F811  the fixture
    with write(world.gate.engine) as db:
        db.execute(sql.observed_source.delete())


def heard(world, name, hours_ago, *, refused=None, observer="zeek", ahead=0, sessions=0):  # noqa: F811  the fixture
    """Note a source that told of something so many hours ago, and was read to its end then."""
    at_us = world.gate.now_us() - hours_ago * HOUR
    row = ObservedSource(
        "", observer, name, "main", "", 0, 0, 4, f"{name}{hours_ago}", 99, 1, 7, 3, sum((refused or {}).values()),
        at_us - HOUR, at_us + ahead, at_us, False, sessions,
    )  # fmt: skip
    with write(world.gate.engine) as db:
        known = actions.begin_source(db, world.gate.site, row, lambda _: "")
        actions.end_source(db, world.gate.site, known, refused or {})


def streams(world):  # noqa: F811  the fixture
    with read(world.gate.engine) as db:
        return {one.name: one for one in listening.streams(db, world.gate.site)}


def silent(world):  # noqa: F811  the fixture
    return {name for name, one in streams(world).items() if one.is_silent(world.gate.now_us())}


def test_before_anything_was_read_the_page_says_what_would_fill_it(world):  # noqa: F811  the fixture
    assert "Nothing was read yet" in viewer(world, "p-privacy").get("/sources").text


def test_files_of_one_log_are_one_line_and_what_was_refused_says_why(world):  # noqa: F811  the fixture
    for hour in range(3):
        heard(world, f"/logs/conn.0{hour}.log.gz", hour, refused={"observation.cut": 2})
    assert {name: len(one.sources) for name, one in streams(world).items()} == {"conn.#.log": 3}
    page = viewer(world, "p-privacy").get("/sources").text
    assert "6 × " in page
    assert "observation.cut" in page
    assert "21" in page  # flows of all three
    assert "3 files" in page


def test_sessions_are_counted_beside_flows(world):  # noqa: F811  the fixture
    heard(world, "ssl.log", 1, sessions=4_321)
    page = viewer(world, "p-privacy").get("/sources").text
    assert '<td class="n" data-head="Flows">7</td>' in page
    assert '<td class="n" data-head="Sessions">4,321</td>' in page


def test_a_log_whose_own_name_has_numbers_is_called_by_it(world):  # noqa: F811  the fixture
    heard(world, "2026-05-04/x509.log", 1)
    heard(world, "2026-05-05/x509.log", 2)
    page = viewer(world, "p-privacy").get("/sources").text
    assert "x509.log<" in page
    assert "x#.log" not in page


def test_who_is_silent_longer_than_usual_is_told_and_stands_first(world):  # noqa: F811  the fixture
    for hour in range(5):
        heard(world, f"dns.{hour}.log", 30 + hour)
        heard(world, f"conn.{hour}.log", hour)
    assert silent(world) == {"dns.#.log"}
    page = viewer(world, "p-privacy").get("/sources").text
    assert "1 sensor or log is silent longer than usual" in page
    assert page.index("dns.#.log") < page.index("conn.#.log")
    only = viewer(world, "p-privacy").get("/sources?show=silent").text
    assert "conn.#.log" not in only


def test_a_capture_that_was_read_once_is_never_silent(world):  # noqa: F811  the fixture
    heard(world, "visit.pcap", 9_000, observer="pcap")
    assert silent(world) == set()
    assert "too little to say what is usual" in viewer(world, "p-privacy").get("/sources").text


def test_long_pauses_that_are_usual_are_no_silence(world):  # noqa: F811  the fixture
    for at in (30, 54, 78, 102):
        heard(world, "daily.log", at)
    assert silent(world) == set()


def test_a_log_whose_clock_is_ahead_does_not_keep_its_stream_alive(world):  # noqa: F811  the fixture
    for hour in range(5):
        heard(world, f"dns.{hour}.log", 30 + hour, ahead=9_000 * HOUR if hour == 0 else 0)
    assert silent(world) == {"dns.#.log"}


def test_names_of_files_are_never_markup(world):  # noqa: F811  the fixture
    heard(world, EVIL, 1)
    heard(world, EVIL, 2)
    assert "<script>alert" not in viewer(world, "p-privacy").get("/sources").text
