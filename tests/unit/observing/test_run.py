"""Promises about a run: each source once, read on where it was left, stored whole or not at all, everything told."""

import gzip
import json
import os
import socket
import time
from collections import Counter

import polars as pl
import pytest
from tests import exporters
from tests.captured import Talk, pcap
from tests.leases import holder_of
from tests.zeek import T
from tests.zeek import conn as line

from oathward.core.db import read
from oathward.core.errors import StorageError
from oathward.core.reasons import Reason
from oathward.discovery import reading
from oathward.discovery.apart import Reader, ReaderError
from oathward.discovery.model import FLOW_COLUMNS
from oathward.endpoints import views as endpoints
from oathward.network import actions, segments, views
from oathward.network.model import ConversationFilters
from oathward.observing import joining, parts
from oathward.observing.living import Living
from oathward.observing.run import Run


def lines(*numbers):
    return "".join(line(n) for n in numbers)


def go(site, *paths, **more):
    run = Run(site, "r", Living(site, "p-1"), **more)
    run.paths([str(path) for path in paths])
    return run


def kept(site):
    """Flows by totals, and by segments."""
    with read(site.engine) as db:
        talks = views.conversations(db, site.site, ConversationFilters())
    return sum(one.sums.flows for one in talks), segments.scan(site.settings.data, 0, 2**60).collect().height


def states(run):
    return [one.state for one in run.report.sources]


def test_the_same_source_again_adds_nothing_wherever_it_lies(site, tmp_path):
    log = tmp_path / "conn.log"
    log.write_text(lines(*range(10)))
    assert states(go(site, log)) == ["read"]
    assert kept(site) == (10, 10)
    moved = tmp_path / "old" / "conn.1.log.gz"
    moved.parent.mkdir()
    moved.write_bytes(gzip.compress(log.read_bytes()))
    assert states(go(site, log, moved.parent)) == ["known", "known"]
    assert kept(site) == (10, 10)
    with read(site.engine) as db:
        [source] = views.sources(db, site.site)
    assert (source.flows, source.finished, source.offset) == (10, True, log.stat().st_size)


def test_of_a_log_that_grew_only_what_is_new_is_read(site, tmp_path):
    log = tmp_path / "conn.log"
    log.write_text(lines(*range(5)) + line(5)[:-9])
    first = go(site, log)
    assert (kept(site)[0], first.report.sources[0].held_bytes > 0) == (5, True)
    with log.open("a") as file:
        file.write(line(5)[-9:] + line(6))
    second = go(site, log)
    assert (kept(site), second.report.sources[0].flows) == ((7, 7), 2)
    assert not second.report.refused
    log.rename(tmp_path / "conn.log.1")  # rotated: the new one is another
    log.write_text(lines(7, 8))
    assert [(one.name, one.state, one.flows) for one in go(site, tmp_path / "conn.log.1", log).report.sources] == [
        ("conn.log.1", "known", 0), ("conn.log", "read", 2),
    ]  # fmt: skip
    assert kept(site) == (9, 9)


def test_the_header_of_a_log_with_columns_goes_with_what_is_new(site, tmp_path):
    header = (
        "#separator \\x09\n#path\tconn\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\n"
    )
    header += "#types\ttime\tstring\taddr\tport\taddr\tport\tenum\n"
    log = tmp_path / "conn.log"
    log.write_text(header + f"{T}.0\tC1\t10.1.0.1\t1\t10.2.0.9\t2575\ttcp\n")
    go(site, log)
    with log.open("a") as file:
        file.write(f"{T + 1}.0\tC2\t10.1.0.1\t1\t10.2.0.9\t2575\ttcp\n")
    assert [(one.flows, dict(one.refused)) for one in go(site, log).report.sources] == [(1, {})]
    assert kept(site) == (2, 2)


def test_everything_that_is_not_read_is_told(site, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("hello")
    (tmp_path / "in" / "empty").write_text("")
    (tmp_path / "in" / "link").symlink_to("/etc/passwd")
    log = tmp_path / "in" / "conn.log"
    log.write_text(line(1) + "{broken\n" + line(2, ts=T + 10**9))
    report = go(site, tmp_path / "in").report
    assert {one.name: one.state for one in report.sources} == {
        "conn.log": "read", "empty": "empty", "link": "skipped", "notes.txt": "unknown",
    }  # fmt: skip
    assert {code for code, _ in report.refused} == {"observation.broken", "observation.time"}
    with read(site.engine) as db:
        rows = db.exec_driver_sql("SELECT body FROM ledger_record WHERE kind = 'network.observed'").fetchall()
    assert [json.loads(row[0])["body"]["refused"] for row in rows] == [
        {"observation.broken": 1, "observation.time": 1}
    ]


def test_who_was_seen_is_there_with_who_held_the_address_then(site, tmp_path):
    log = tmp_path / "conn.log"
    log.write_text(line(1) + line(2, server="8.8.8.8") + line(3, client="10.1.0.2"))
    run = go(site, log)
    assert run.endpoints.counts()["new"] == 3  # nobody of ours is 8.8.8.8
    with read(site.engine) as db:
        talks = {
            one.key.server: one
            for one in views.conversations(db, site.site, ConversationFilters(address="10.1.0.1"))
        }
        pump = holder_of(db, site.site, "r", "10.1.0.1", (T + 1) * 1_000_000)
        assert {one.key.client_endpoint for one in talks.values()} == {pump}
        assert (talks["8.8.8.8"].key.server_endpoint, talks["8.8.8.8"].server_zone) == ("", "external")
        assert len(views.peers(db, site.site, [pump])) == 2


def test_a_dry_run_stores_nothing(site, tmp_path):
    log = tmp_path / "conn.log"
    log.write_text(lines(1, 2))
    assert go(site, log, dry=True).report.sources[0].flows == 2
    with read(site.engine) as db:
        assert views.sources(db, site.site) == []
        assert endpoints.page(db, site.site, endpoints.Filters()).total == 0
    assert kept(site) == (0, 0)


@pytest.mark.parametrize(("where", "at"), [("segment", 5), ("totals", 1), ("totals", 2), ("finish", 1)])
def test_after_a_crash_it_goes_on_and_counts_nothing_twice(site, tmp_path, monkeypatch, where, at):
    """Stopped as it writes the segment of its second group (the first is of two days, each flushed twice), totals of its first or second, the record of its end."""
    monkeypatch.setattr(
        parts, "GROUP_FLOWS", 1
    )  # a group a part; a log longer than a reader's block has several
    count = 50_000 if at > 1 else 6
    log = tmp_path / "conn.log"
    log.write_text(lines(*range(count)))
    calls = Counter()
    home, name = {
        "segment": (segments, "_flush"),
        "totals": (actions, "store"),
        "finish": (actions, "end_source"),
    }[where]
    real = getattr(home, name)

    def stop(*arguments):
        calls[name] += 1
        if calls[name] == at:
            raise StorageError("database", "stopped")
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(home, name, stop)
        with pytest.raises(StorageError):
            go(site, log)
    if at > 1:
        assert 0 < kept(site)[0] < count
    with log.open("a") as file:
        file.write(lines(count, count + 1))
    go(site, log)
    assert kept(site) == (count + 2, count + 2)


def test_after_a_crash_groups_may_be_cut_elsewhere(site, tmp_path, monkeypatch):
    """A group of two days was written and its totals were not; read again, the second day comes with a later group."""
    log = tmp_path / "conn.log"
    days = [line(n, ts=T + n % 9_000) for n in range(45_000)] + [
        line(n, ts=T + n + 86_400) for n in range(99)
    ]
    log.write_text("".join(days))

    def stop(*_):
        raise StorageError("database", "stopped")

    with monkeypatch.context() as patch:
        patch.setattr(actions, "store", stop)
        with pytest.raises(StorageError):
            go(site, log)
    monkeypatch.setattr(parts, "GROUP_FLOWS", 1)
    go(site, log)
    assert kept(site) == (45_099, 45_099)


def test_a_capture_that_was_written_just_now_is_read_to_its_last_byte(site, tmp_path):
    """Only lines are held back; a capture has none."""
    ip = bytes.fromhex("4500001c000000004011000000000000")[:12] + bytes([10, 1, 0, 1, 10, 2, 0, 9])
    frame = (
        bytes(12)
        + b"\x08\x00"
        + ip
        + (5_000).to_bytes(2, "big")
        + (2_055).to_bytes(2, "big")
        + bytes([0, 8, 0, 0])
    )
    capture = tmp_path / "a.pcap"
    head = bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000")
    sizes = len(frame).to_bytes(4, "little") * 2
    capture.write_bytes(
        head + b"".join((T + n).to_bytes(4, "little") + bytes(4) + sizes + frame for n in range(3))
    )
    first = go(site, capture)
    assert (states(first), dict(first.report.refused), kept(site)) == (["read"], {}, (1, 1))
    assert states(go(site, capture)) == ["known"]
    with capture.open("ab") as file:
        file.write((T + 9).to_bytes(4, "little") + bytes(4) + sizes + frame)
    assert states(go(site, capture)) == ["grown"]
    assert kept(site) == (1, 1)


def test_a_reader_that_is_lost_is_told_and_the_next_source_is_read(site, tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "conn.1.log").write_text(lines(1))
    (tmp_path / "in" / "conn.2.log").write_text(lines(2))
    real, lost = Reader.read, []

    def read_or_lose(self, begin=0):
        if not lost:
            lost.append(1)
            raise ReaderError("source", "what read it ended")
        return real(self, begin)

    monkeypatch.setattr(Reader, "read", read_or_lose)
    assert states(go(site, tmp_path / "in")) == ["failed", "read"]
    assert states(go(site, tmp_path / "in")) == ["read", "known"]
    assert kept(site) == (2, 2)


def test_a_reader_that_is_lost_while_datagrams_come_is_replaced_and_what_it_told_is_kept(site, monkeypatch):
    readers, looks = [], Counter()
    make = Run.reader
    monkeypatch.setattr(Run, "reader", lambda *a, **more: readers.append(make(*a, **more)) or readers[-1])
    with reading.udp("127.0.0.1", 0) as door, socket.socket(type=socket.SOCK_DGRAM) as exporter:

        def say(port):
            there, back = ("10.1.0.5", "10.1.0.9", port, 2_575), ("10.1.0.9", "10.1.0.5", 2_575, port)
            exporter.sendto(
                exporters.v5((*there, 6, 9, 900), (*back, 6, 9, 90), sent_s=int(time.time())),
                door.getsockname(),
            )

        def until():
            """Asked before each look of a reader: it gets one datagram, looks, and then it is lost, or the end."""
            looks[len(readers)] += 1
            if looks[len(readers)] == 1 and readers:
                say(50_000 + len(readers))
            elif len(readers) == 1:
                readers[0]._process.kill()
            return looks[2] > 1

        found = Run(site, "r", Living(site, "p-1")).datagrams(door.fileno(), "udp", "netflow", until)
    assert kept(site) == (2, 2)
    assert found.refused == {(Reason.OBSERVED_READER.code, "source"): 1}


SSL = {
    "uid": "C1",
    "id.orig_h": "10.1.0.1",
    "id.orig_p": 1_024,
    "id.resp_h": "10.2.0.9",
    "id.resp_p": 2_575,
    "established": True,
    "resumed": False,
    "server_name": "pacs.example",
}


def ssl(n, version, **more):
    return json.dumps({"ts": T + n, "version": version} | SSL | more) + "\n"


def talks_of(site):
    with read(site.engine) as db:
        rows = views.conversations(db, site.site, ConversationFilters())
    return sorted((one.key.service, one.key.tls, one.sums.flows, one.sums.client_bytes) for one in rows)


def test_tls_that_stands_in_a_log_of_its_own_goes_on_the_flows_that_another_counts(site, tmp_path):
    """Else each conversation would stand twice: with its bytes, and with its version."""
    (tmp_path / "zeek").mkdir()
    (tmp_path / "zeek" / "conn.log").write_text(
        line(1, service="ssl") + line(2, service="http") + line(3, service="ssl", server="10.2.0.10")
    )
    (tmp_path / "zeek" / "ssl.log").write_text(ssl(1, "TLSv13") + ssl(2, "TLSv12", uid="C2"))
    go(site, tmp_path / "zeek")
    assert talks_of(site) == [("http", "", 1, 5), ("tls", "", 1, 5), ("tls", "TLSv1.2", 1, 5)]
    names = segments.scan(site.settings.data, 0, 2**60).collect()["server_name"].to_list()
    assert names.count("pacs.example") == 3, "said twice, and on the flow"


def test_tls_that_nobody_counts_is_a_conversation_of_its_own(site, tmp_path):
    log = tmp_path / "ssl.log"
    log.write_text(ssl(1, "TLSv12"))
    (tmp_path / "conn.log").write_text(line(1, service="ssl"))
    go(site, log)  # the other one was not named
    assert talks_of(site) == [("tls", "TLSv1.2", 0, 0)]


def test_rows_that_say_more_of_flows_are_told_as_what_they_are(site, tmp_path):
    (tmp_path / "zeek").mkdir()
    (tmp_path / "zeek" / "conn.log").write_text(line(1, service="ssl") + line(2))
    (tmp_path / "zeek" / "ssl.log").write_text(
        ssl(1, "TLSv13") + ssl(2, "TLSv12", uid="C2") + ssl(3, "TLSv12", uid="C3")
    )
    found = go(site, tmp_path / "zeek").report.sources
    assert [(one.name, one.flows, one.sessions) for one in found] == [("ssl.log", 0, 3), ("conn.log", 2, 0)]
    assert states(go(site, tmp_path / "zeek")) == ["known", "known"]


def test_tls_that_an_earlier_run_read_goes_on_flows_that_end_later(site, tmp_path):
    """Zeek logs TLS when a connection begins, and the connection when it ends."""
    logs = {
        "conn.log": line(0),
        "ssl.log": ssl(-86_400, "TLSv12") + ssl(1, "TLSv13", uid="C2", **{"id.resp_p": 2_576}),
    }
    zeek = tmp_path / "zeek"
    zeek.mkdir()
    for name, text in logs.items():
        (zeek / name).write_text(text)
    go(site, zeek)
    with (zeek / "conn.log").open("a") as log:
        log.write(line(5, service="ssl") + line(6, service="ssl", **{"id.resp_p": 2_577}))
    assert [one.flows for one in go(site, zeek).report.sources if one.state == "read"] == [2]
    assert talks_of(site) == [("", "", 1, 5), ("tls", "", 1, 5), ("tls", "TLSv1.2", 1, 5)]
    (zeek / "conn.log").write_text(line(3 * 86_400, service="ssl"))
    go(site, zeek)
    assert talks_of(site).count(("tls", "", 1, 5)) == 2, "what is days old is another connection's"


def test_what_is_remembered_of_tls_is_bounded(monkeypatch):
    monkeypatch.setattr(joining, "KEYS_MAX", 3)
    tls, columns = joining.Tls(), {name: getattr(pl, kind) for name, kind in FLOW_COLUMNS.items()}
    for n in range(10):
        row = dict.fromkeys(FLOW_COLUMNS) | {"client": f"10.0.0.{n}", "tls": "TLSv1.2"}
        assert tls.told(pl.DataFrame([row], schema=columns)).is_empty()
        assert len(tls._known) <= 3


def test_who_was_given_an_address_is_read_before_what_came_from_it(site, tmp_path):
    zeek = tmp_path / "zeek"
    zeek.mkdir()
    (zeek / "conn.log").write_text(line(1))
    said = {
        "ts": T,
        "uids": ["C9"],
        "client_addr": "10.1.0.1",
        "mac": "00:1b:c5:00:00:01",
        "host_name": "pump-1",
    }
    (zeek / "dhcp.log").write_text(
        json.dumps(said | {"assigned_addr": "10.1.0.1", "msg_types": ["ACK"], "lease_time": 3_600.0}) + "\n"
    )
    run = go(site, zeek)
    assert [one.name for one in run.report.sources if one.state == "read"] == ["dhcp.log", "conn.log"]
    with read(site.engine) as db:
        [talk] = views.conversations(db, site.site, ConversationFilters())
        assert (
            endpoints.names(db, site.site, [talk.key.client_endpoint])[talk.key.client_endpoint].name
            == "pump-1"
        )


def test_two_runs_over_one_source_add_it_once(site, tmp_path, monkeypatch):
    log = tmp_path / "conn.log"
    log.write_text(lines(1, 2, 3))
    real, inside = Reader.read, []

    def meanwhile(self, begin=0):
        if not inside:
            inside.append(None)
            inside.append(go(site, log))
        return real(self, begin)

    monkeypatch.setattr(Reader, "read", meanwhile)
    assert states(go(site, log)) == ["failed"]
    assert states(inside[1]) == ["read"]
    assert kept(site) == (3, 3)


def test_old_flows_go_counted_from_the_last_that_was_seen(site, tmp_path):
    days = site.settings.network.flow_days
    old, new = tmp_path / "conn.1.log", tmp_path / "conn.2.log"
    old.write_text(line(0))
    assert go(site, old)
    assert kept(site) == (1, 1)
    new.write_text(line((days + 2) * 86_400))
    go(site, new)
    assert kept(site) == (2, 1)


def test_a_file_that_is_gone_or_another_by_now_is_told_and_the_next_is_read(site, tmp_path, monkeypatch):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.log", "b.log", "c.log"):
        (folder / name).write_text(line(ord(name[0])))
    found = list(reading.found([str(folder)]))
    (folder / "a.log").unlink()
    (folder / "b.log").unlink()
    os.mkfifo(folder / "b.log")
    (folder / "c.log").rename(folder / "d.log")
    (folder / "c.log").symlink_to("d.log")
    found += [one for one in reading.found([str(folder)]) if one.name == "d.log"]
    monkeypatch.setattr(reading, "found", lambda _: iter(found))
    assert states(go(site, folder)) == ["failed", "failed", "failed", "read"]
    assert kept(site) == (1, 1)


def test_a_folder_that_may_not_be_read_and_a_link_to_nothing_are_told(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    (tmp_path / "dangling").symlink_to("nothing")

    def walk(folder, onerror):
        onerror(PermissionError(13, "Permission denied", f"{folder}/closed"))
        return iter([(folder, [], [])])

    monkeypatch.setattr(os, "walk", walk)
    skipped = list(reading.found([str(tmp_path / "in"), str(tmp_path / "dangling")]))
    assert [(one.name, one.what[:14]) for one in skipped] == [
        ("closed", "cannot be read"),
        ("dangling", "cannot be read"),
    ]


def test_what_comes_from_the_future_is_left_out_whatever_reads_it(site):
    now = int(site.clock.now().timestamp())
    theirs, ours = os.pipe()
    sent = [line(0, ts=now), line(1, ts=now + 2 * 86_400), line(2, ts=4e12), line(3, ts=now, duration=1e10)]
    os.write(ours, "".join(sent).encode())
    os.close(ours)
    run = Run(site, "r", Living(site, "p-1"))
    found = run.stream(theirs, "conn.log")
    os.close(theirs)
    assert (found.flows, found.refused["observation.time", "time"]) == (2, 2)
    with read(site.engine) as db:
        talks = views.conversations(db, site.site, ConversationFilters())
    assert max(one.last_us for one in talks) <= (now + 86_460) * 1_000_000


def test_what_a_clock_that_was_lost_wrote_is_no_beginning(site, tmp_path):
    (tmp_path / "conn.log").write_text(
        "".join([line(0, ts=12), line(1, ts=946_684_799), line(2, ts=946_684_800)])
    )
    (tmp_path / "x.pcap").write_bytes(pcap(Talk().end().frames, start_us=1_000_000))
    report = go(site, tmp_path / "conn.log", tmp_path / "x.pcap").report
    assert sum(n for (reason, _), n in report.refused.items() if reason == "observation.time") > 2
    assert [one.first_us for one in report.sources if one.first_us] == [946_684_800_000_000]


@pytest.mark.parametrize("kind", ["capture", "log"])
def test_a_source_that_was_nothing_but_a_header_hides_no_other_that_begins_so(site, tmp_path, kind):
    if kind == "capture":
        talks = [Talk(source=port).end().frames for port in (40_001, 40_002)]
        header, *rest = (pcap(frames, start_us=T * 1_000_000) for frames in ([], *talks))
    else:
        header = b"#separator \\x09\n#path\tconn\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\n"
        rest = [header + b"%d.0\t10.1.0.1\t1\t10.2.0.9\t2575\n" % (T + n) for n in (1, 2)]
    for n, data in enumerate((header, *rest)):
        (tmp_path / f"{n}").write_bytes(data)
    assert states(go(site, *(tmp_path / f"{n}" for n in range(3)))) == ["read", "read", "read"]
    assert kept(site) == (2, 2)
    (tmp_path / "0").write_bytes(rest[0])  # it grew, to what another holds
    assert states(go(site, *(tmp_path / f"{n}" for n in range(3)))) == ["known", "known", "known"]
    assert kept(site) == (2, 2)
