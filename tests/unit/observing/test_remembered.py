"""Promises about what is remembered of sources: what was read whole is not read again, what it told is counted as what it is."""

import gzip
import json

import pytest
from tests.captured import Talk, pcap
from tests.unit.observing.test_run import go, kept, ssl, states
from tests.zeek import T
from tests.zeek import conn as line

from oathward.core.db import read
from oathward.core.errors import StorageError
from oathward.network import actions, listening, views
from oathward.observing import run as runs

HEADER = b"#separator \\x09\n#path\tconn\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\n"
STATS = json.dumps({"timestamp": "2026-09-21T14:13:20.000000+0000", "event_type": "stats"}).encode() + b"\n"


@pytest.fixture
def readers(monkeypatch):
    """Names of sources for which a reader was started."""
    begun = []

    class Counted(runs.Reader):
        def __init__(self, fd, around, **more):
            begun.append(around.name)
            super().__init__(fd, around, **more)

    monkeypatch.setattr(runs, "Reader", Counted)
    return begun


def sources(site):
    with read(site.engine) as db:
        return {one.name: one for one in views.sources(db, site.site)}


NOTHING = {
    "nothing.log": b"",
    "header.log": HEADER,
    "closed.log.gz": gzip.compress(HEADER + b"#close\t2026-09-21-00-00-00\n"),
    "eve.json": STATS,
    "empty.pcap": pcap([], start_us=T * 1_000_000),
    "odd.pcap": pcap([bytes(12) + b"\x88\x99" + bytes(46)], start_us=T * 1_000_000),
}
"""Files that tell of no flow and state nothing."""


@pytest.mark.parametrize("name", NOTHING)
def test_what_told_of_nothing_is_remembered_as_read(site, tmp_path, readers, name):
    path = tmp_path / name
    path.write_bytes(NOTHING[name])
    assert states(go(site, path)) == ["read" if NOTHING[name] else "empty"]
    readers.clear()
    for _ in range(2):
        assert states(go(site, path)) == ["known" if NOTHING[name] else "empty"]
    assert readers == [], "a process for what is known whole"


def test_what_is_known_whole_is_not_read_again_and_what_grew_is(site, tmp_path, readers):
    log, packed, capture = tmp_path / "conn.log", tmp_path / "old.log.gz", tmp_path / "a.pcap"
    log.write_text(line(1))
    packed.write_bytes(gzip.compress(line(7).encode()))
    capture.write_bytes(pcap(Talk().end().frames, start_us=T * 1_000_000))
    go(site, log, packed, capture)
    readers.clear()
    again = go(site, log, packed, capture)
    assert (states(again), readers) == (["known"] * 3, [])
    assert [one.observer for one in again.report.sources] == ["zeek", "zeek", "pcap"]
    with log.open("a") as file:
        file.write(line(2))
    packed.write_bytes(gzip.compress((line(7) + line(8)).encode()))
    assert states(go(site, log, packed, capture)) == ["read", "read", "known"]
    assert readers == ["conn.log", "old.log.gz"]
    assert kept(site) == (5, 5)


def test_a_last_line_that_waits_for_its_end_is_read_when_nobody_writes_any_more(site, tmp_path, monkeypatch):
    log = tmp_path / "conn.log"
    log.write_text(line(1) + line(2).rstrip())
    assert go(site, log).report.sources[0].held_bytes
    monkeypatch.setattr(runs, "FOLLOWED_US", -(2**40))
    assert states(go(site, log)) == ["read"]
    assert kept(site) == (2, 2)


@pytest.mark.parametrize("name", ["conn.log", "a.pcap"])
def test_what_was_read_to_its_end_before_a_crash_is_finished_by_the_next_run(
    site, tmp_path, monkeypatch, readers, name
):
    """Else it would be read again each time, and stand there as not read to its end."""
    data = {"conn.log": line(1).encode(), "a.pcap": pcap(Talk().end().frames, start_us=T * 1_000_000)}
    (tmp_path / name).write_bytes(data[name])

    def crash(*_):
        raise StorageError("database", "is gone")

    with monkeypatch.context() as patched:
        patched.setattr(actions, "end_source", crash)
        with pytest.raises(StorageError):
            go(site, tmp_path / name)
    assert not sources(site)[name].finished
    assert states(go(site, tmp_path / name)) == ["known"]
    assert sources(site)[name].finished
    readers.clear()
    go(site, tmp_path / name)
    assert (readers, kept(site)[0]) == ([], 1)


def test_rows_that_say_more_of_flows_are_counted_as_sessions(site, tmp_path):
    (tmp_path / "zeek").mkdir()
    (tmp_path / "zeek" / "conn.log").write_text(line(1, service="ssl") + line(2))
    (tmp_path / "zeek" / "ssl.log").write_text(ssl(1, "TLSv13") + ssl(2, "TLSv12", uid="C2"))
    go(site, tmp_path / "zeek")
    found = sources(site)
    assert {name: (one.flows, one.sessions) for name, one in found.items()} == {
        "conn.log": (2, 0),
        "ssl.log": (0, 2),
    }
    with read(site.engine) as db:
        rows = listening.streams(db, site.site)
        rows_of = db.exec_driver_sql("SELECT body FROM ledger_record WHERE kind = 'network.observed'")
        bodies = [json.loads(row[0])["body"] for row in rows_of]
    assert {one.name: (one.flows, one.sessions) for one in rows} == {"conn.log": (2, 0), "ssl.log": (0, 2)}
    assert sorted((one["flows"], one["sessions"]) for one in bodies) == [(0, 2), (2, 0)]


def test_a_file_that_became_shorter_and_begins_as_before_is_told(site, tmp_path):
    """Else what was written to it anew would be missed without a word."""
    log = tmp_path / "conn.log"
    begin = "".join(line(n, note="x" * 600) for n in range(8))
    log.write_text(begin + line(20) + line(21))
    assert [one.why for one in go(site, log).report.sources] == [""]
    log.write_text(begin + line(30))
    for _ in range(2):
        [found] = go(site, log).report.sources
        assert (found.state, found.why[:13]) == ("known", "it is shorter")
    assert kept(site) == (10, 10)
