"""Promises about TLS that is said after its flows were stored: the version goes on what was stored, once, and on nothing else."""

import os

import polars as pl
import pytest
from tests.unit.mapping.test_mapping import SUPPORT
from tests.unit.observing.test_run import go, ssl, talks_of
from tests.zeek import T
from tests.zeek import conn as line

from oathward.core.db import read
from oathward.core.errors import StorageError
from oathward.discovery.model import FLOW_COLUMNS
from oathward.mapping import reading
from oathward.mapping.comparing import compare
from oathward.network import actions, moving, segments, sql, views
from oathward.network.model import ConversationFilters, Sums
from oathward.observing import versions
from oathward.observing.living import Living
from oathward.observing.run import Run

DAY_S = 86_400


def flow(n, **more):
    return line(n, **{"service": "ssl"} | more)


def ran(site, tmp_path, *logs):
    """Read logs, each in a run of its own: name, text."""
    for number, (name, text) in enumerate(logs):
        folder = tmp_path / f"{sum(1 for _ in tmp_path.iterdir())}-{number}"
        folder.mkdir()
        (folder / name).write_text(text)
        go(site, folder / name)


def rows_of(site, table):
    with read(site.engine) as db:
        return sorted(db.execute(table.select()).all(), key=str)


def sums(site):
    """What is summed up, whatever its version: conversations, by hour, by use."""
    names = list(Sums._fields)
    with read(site.engine) as db:
        talks = views.conversations(db, site.site, ConversationFilters())
    totals = pl.DataFrame([row._asdict() for row in rows_of(site, sql.flow_total)])
    by_hour = totals.group_by("hour_us").agg(pl.col(names).sum()).sort("hour_us").rows()
    of_all = tuple(sum(getattr(one.sums, name) for one in talks) for name in names)
    return of_all, by_hour, rows_of(site, sql.flow_use)


def hours_agree(site):
    """Whether the totals of each conversation are its sums, and lie within its times."""
    with read(site.engine) as db:
        for one in views.conversations(db, site.site, ConversationFilters()):
            hours = views.hours(db, site.site, one.id)
            if Sums(*map(sum, zip(*(said for _, said in hours), strict=True))) != one.sums:
                return False
            if not all(one.first_us - 3_600_000_000 < hour <= one.last_us for hour, _ in hours):
                return False
    return True


def test_tls_that_a_later_run_reads_goes_on_flows_that_are_stored(site, tmp_path):
    other = flow(3, server="10.2.0.10") + flow(4, **{"id.resp_p": 443}) + line(5, service="http")
    ran(site, tmp_path, ("conn.log", flow(1) + flow(2) + other + flow(6, client="10.1.0.9")))
    before = sums(site)
    ran(site, tmp_path, ("ssl.log", ssl(1, "TLSv12")))
    assert talks_of(site) == [
        ("http", "", 1, 5), *[("tls", "", 1, 5)] * 3, ("tls", "TLSv1.2", 2, 10),
    ]  # fmt: skip
    assert sums(site) == before
    assert hours_agree(site)
    ran(site, tmp_path, ("conn.log", flow(7)))
    assert talks_of(site)[-1] == ("tls", "TLSv1.2", 3, 15)


@pytest.mark.parametrize("order", [("TLSv10", "TLSv13"), ("TLSv13", "TLSv10")])
def test_of_several_the_weakest_counts_whichever_is_read_first(site, tmp_path, order):
    ran(site, tmp_path, ("conn.log", flow(1)), *(("ssl.log", ssl(n, one)) for n, one in enumerate(order)))
    assert talks_of(site) == [("tls", "TLSv1.0", 1, 5)]
    assert hours_agree(site)


def test_one_weaker_than_what_was_read_before_the_flow_counts_too(site, tmp_path):
    ran(site, tmp_path, ("ssl.log", ssl(1, "TLSv13")), ("conn.log", flow(1)), ("ssl.log", ssl(2, "TLSv10")))
    assert talks_of(site) == [("tls", "TLSv1.0", 1, 5)]


def test_what_a_flow_says_itself_is_no_weaker_for_what_another_says(site, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:  # a capture's, that saw the version itself
        patched.setattr(
            "oathward.observing.joining.Tls.put", lambda _, flows: flows.with_columns(tls=pl.lit("TLSv1.3"))
        )
        ran(site, tmp_path, ("conn.log", flow(1)))
    ran(site, tmp_path, ("ssl.log", ssl(2, "TLSv10")))
    assert talks_of(site) == [("tls", "TLSv1.3", 1, 5)]


@pytest.mark.parametrize(("days", "goes"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_it_goes_on_flows_of_a_day_before_and_after_alone(site, tmp_path, days, goes):
    """The same whichever is read first."""
    logs = [("conn.log", flow(0)), ("ssl.log", ssl(days * DAY_S, "TLSv12"))]
    ran(site, tmp_path, *logs)
    assert (("tls", "TLSv1.2", 1, 5) in talks_of(site)) is goes
    ran(site, tmp_path, ("ssl.log", ssl(20 * DAY_S + days * DAY_S, "TLSv11")), ("conn.log", flow(20 * DAY_S)))
    assert (("tls", "TLSv1.1", 1, 5) in talks_of(site)) is goes


def test_a_flow_that_went_on_for_days_has_one_version(site, tmp_path):
    ran(site, tmp_path, ("conn.log", flow(0, duration=47 * 3_600.0, orig_bytes=480, resp_bytes=48)))
    before = sums(site)
    ran(site, tmp_path, ("ssl.log", ssl(-DAY_S, "TLSv12")))
    assert talks_of(site) == [("tls", "TLSv1.2", 1, 480)]
    assert sums(site) == before


def lines_of(site, run, text):
    theirs, ours = os.pipe()
    os.write(ours, text.encode())
    os.close(ours)
    run.stream(theirs, "eve.json")
    os.close(theirs)


@pytest.mark.parametrize("first", ["conn", "ssl", "both"])
def test_tls_of_another_connection_of_one_listener_goes_on_its_flows(site, first):
    run = Run(site, "r", Living(site, "p-1"))
    conn, tls = flow(1, _path="conn"), ssl(1, "TLSv12", _path="ssl")
    texts = {"conn": (conn, tls), "ssl": (tls, conn), "both": (conn + tls,)}[first]
    lines_of(site, run, flow(0, server="10.2.0.77"))  # what was kept of the day is looked up by now
    for text in texts:
        lines_of(site, run, text)
    assert talks_of(site) == [("tls", "", 1, 5), ("tls", "TLSv1.2", 1, 5)]
    assert hours_agree(site)


def test_ended_in_the_middle_it_goes_on_and_gives_once(site, tmp_path, monkeypatch):
    monkeypatch.setattr(moving, "MOVED_MAX", 1)
    ran(site, tmp_path, ("conn.log", flow(1) + flow(2, client="10.1.0.2") + flow(3, client="10.1.0.3")))
    before, log = sums(site), tmp_path / "ssl.log"
    log.write_text(
        "".join(ssl(n, "TLSv12", **{"uid": f"S{n}", "id.orig_h": f"10.1.0.{n}"}) for n in (1, 2, 3))
    )
    give, store, given = versions.give, actions.store, []

    def cut(*arguments):
        given.append(arguments)
        if len(given) == 2:
            raise StorageError("database", "is gone")
        return give(*arguments)

    def gone(*_):
        raise StorageError("database", "is gone")

    for module, name, broken in ((versions, "give", cut), (actions, "store", gone)):
        with monkeypatch.context() as patched:
            patched.setattr(module, name, broken)
            with pytest.raises(StorageError):
                go(site, log)
        assert sums(site) == before
    assert (versions.give, actions.store) == (give, store)
    go(site, log)
    assert talks_of(site) == [("tls", "TLSv1.2", 1, 5)] * 3
    assert sums(site) == before
    assert hours_agree(site)


def test_single_flows_stay_as_they_were_written(site, tmp_path):
    ran(site, tmp_path, ("conn.log", flow(1)), ("ssl.log", ssl(1, "TLSv12")))
    found = segments.scan(site.settings.data, 0, 2**60).collect()
    assert sorted(found["tls"].to_list()) == ["", "TLSv1.2"]
    assert list(found.columns) == list(FLOW_COLUMNS)


def test_a_version_below_what_is_declared_differs_once_it_is_said(site, tmp_path):
    there = {"id.resp_h": "198.51.100.9", "id.resp_p": 443}

    def differences():
        with read(site.engine) as db:
            talks = views.conversations(db, site.site, ConversationFilters())
            observed = list(reading._observed(db, site, talks, (T + 9) * 1_000_000))
        return {one.kind for one in compare([SUPPORT], observed).differences}

    ran(site, tmp_path, ("conn.log", flow(1, **there)))
    assert "connection.below-minimum" not in differences()
    ran(site, tmp_path, ("ssl.log", ssl(1, "TLSv10", **there)))
    assert "connection.below-minimum" in differences()
