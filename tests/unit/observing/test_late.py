"""What leases say that were read after the flows of their time: sums go to the device that had the address, none twice, none lost."""

import json
import os
import random
import shutil
import signal
from collections import Counter
from dataclasses import replace

import pytest
from sqlalchemy import func, select
from tests.unit.observing.test_run import go

from oathward.app import build
from oathward.core.db import read
from oathward.core.settings import load
from oathward.discovery.model import Clear
from oathward.endpoints import tables
from oathward.endpoints import views as endpoints
from oathward.network import moving, sql, views
from oathward.network.model import ConversationFilters, Sums
from oathward.observing import caring, late
from oathward.observing.living import Living
from oathward.observing.run import Run

BEGIN = 1_790_000_000 // 3_600 * 3_600
"""The begin of an hour, seconds."""

HOUR = 3_600
ONE, TWO, THREE = (f"00:1b:c5:00:00:0{n}" for n in (1, 2, 3))
SERVER = "10.2.0.9"


def flow(at, client="10.1.0.1", server=SERVER, n=0, sent=100, **more):
    said = {"ts": BEGIN + at, "uid": f"C{at}-{client}-{n}", "id.orig_h": client, "id.orig_p": 1_024}
    said |= {"id.resp_h": server, "id.resp_p": 2_575, "proto": "tcp", "duration": 0.5, "orig_bytes": sent}
    return json.dumps(said | {"resp_bytes": 7, "conn_state": "SF"} | more) + "\n"


def lease(at, mac, address="10.1.0.1"):
    said = {"ts": BEGIN + at, "uids": [f"D{at}{mac}"], "client_addr": address, "mac": mac}
    said |= {"assigned_addr": address, "msg_types": ["DISCOVER", "OFFER", "REQUEST", "ACK"]}
    return json.dumps(said | {"lease_time": 36_000.0}) + "\n"


def written(path, lines):
    path.write_text("".join(lines))
    return path


def by_device(site):
    """Sums of each device, peer and hour; a device is its cards, or its address where nobody knows one."""
    with read(site.engine) as db:
        marks = tables.endpoint_mark.c
        cards = {
            row[0]: row[1]
            for row in db.execute(select(marks.endpoint, marks.value).where(marks.kind == "mac"))
        }
        merged = {
            row[0]: row[1] for row in db.execute(select(tables.endpoint.c.id, tables.endpoint.c.merged))
        }

        def who(id_, address):
            while merged.get(id_):
                id_ = merged[id_]
            return cards.get(id_) or (address if id_ else "nobody")

        found = Counter()
        for talk in views.conversations(db, site.site, ConversationFilters()):
            hours = views.hours(db, site.site, talk.id)
            assert sum((Counter(sums._asdict()) for _, sums in hours), Counter()) == +Counter(
                talk.sums._asdict()
            ), "a conversation is the sum of its hours"
            for hour, sums in hours:
                key = (
                    who(talk.key.client_endpoint, talk.key.client),
                    who(talk.key.server_endpoint, talk.key.server),
                )
                found.update(
                    {(*key, hour // 1_000_000 - BEGIN, name): n for name, n in sums._asdict().items()}
                )
        return +found


def used(site):
    """What each endpoint's hours add up to by their own table, and by conversations."""
    use, talk, total = sql.flow_use.c, sql.flow_conversation.c, sql.flow_total.c
    with read(site.engine) as db:
        by_use, by_talk = Counter(), Counter()
        for id_, hour, flows, sent, received in db.execute(
            select(use.endpoint, use.hour_us, use.flows, use.sent_bytes, use.received_bytes)
        ):
            by_use.update({(id_, hour, "flows"): flows, (id_, hour, "bytes"): sent + received})
        both = sql.flow_conversation.join(sql.flow_total, talk.id == total.conversation)
        for side in ("client", "server"):
            end = talk[f"{side}_endpoint"]
            for id_, hour, flows, n in db.execute(
                select(end, total.hour_us, total.flows, total.client_bytes + total.server_bytes)
                .select_from(both)
                .where(end != "")
            ):
                by_talk.update({(id_, hour, "flows"): flows, (id_, hour, "bytes"): n})
        return +by_use, +by_talk


def all_of(site):
    """All sums of a site, over totals and over conversations."""
    with read(site.engine) as db:
        return tuple(
            tuple(db.execute(select(*(func.sum(table.c[name]) for name in Sums._fields))).one())
            for table in (sql.flow_total, sql.flow_conversation)
        )


def pending(site):
    with read(site.engine) as db:
        return db.execute(select(func.count()).select_from(tables.endpoint_lease_late)).scalar_one()


def read_in(site, *paths):
    """Read sources, each in a run of its own; gives what was given."""
    hours = 0
    for path in paths:
        hours += go(site, path).endpoints.settle()
    return hours


def test_sums_go_to_the_two_devices_that_had_an_address_one_after_the_other(site, tmp_path):
    flows = written(tmp_path / "conn.log", [flow(n * HOUR + 60, sent=n + 1) for n in range(6)])
    leases = written(tmp_path / "dhcp.log", [lease(0, ONE), lease(3 * HOUR, TWO)])
    assert read_in(site, flows) == 0
    before = all_of(site)
    assert read_in(site, leases) == 3
    found = by_device(site)
    sent = {(who, hour): n for (who, _, hour, name), n in found.items() if name == "client_bytes"}
    assert sent == {(ONE, n * HOUR): n + 1 for n in range(3)} | {(TWO, n * HOUR): n + 1 for n in range(3, 6)}
    assert (all_of(site), pending(site)) == (before, 0)
    assert used(site)[0] == used(site)[1]
    assert late.settle(site) == late.Given(), "done again it finds nothing"
    with read(site.engine) as db:
        page = {row.mac: row for row in endpoints.page(db, site.site, endpoints.Filters()).rows if row.mac}
        [one] = endpoints.one(db, site.site, page[ONE].id).leases
        [two] = endpoints.one(db, site.site, page[TWO].id).leases
    assert one.until_us < two.from_us == (BEGIN + 3 * HOUR) * 1_000_000, "nobody has it while another has"
    assert two.until_us == (BEGIN + 5 * HOUR + 60) * 1_000_000
    assert page[ONE].last_us < two.from_us, "what was heard later was the other"


@pytest.fixture
def in_time(folder, tmp_path):
    """Another site of the same kind, where leases are read before flows."""
    opened = build(load(shutil.copytree(folder, tmp_path / "in-time")), "admin")
    yield opened
    opened.keeper.close()
    opened.engine.dispose()


def test_the_hour_in_which_a_lease_ends_is_the_last_ones_as_it_is_in_time(site, in_time, tmp_path):
    quarters = [flow(n * HOUR // 4, sent=2**n) for n in range(1, 12)]
    flows = written(tmp_path / "conn.log", quarters)
    leases = written(tmp_path / "dhcp.log", [lease(0, ONE), lease(HOUR + HOUR // 2 + 5, TWO)])
    read_in(site, flows, leases)
    read_in(in_time, leases, flows)
    sent = {key[0:3:2]: n for key, n in by_device(site).items() if key[3] == "client_bytes"}
    assert sent == {
        (ONE, 0): sum(2**n for n in (1, 2, 3)),
        (TWO, HOUR): sum(2**n for n in range(4, 8)),
        (TWO, 2 * HOUR): sum(2**n for n in range(8, 12)),
    }
    assert by_device(site) == by_device(in_time)
    assert all_of(site) == all_of(in_time)


def test_a_lease_of_days_before_has_what_was_seen_of_its_address_since(site, in_time, tmp_path):
    flows = written(tmp_path / "conn.log", [flow(60), flow(HOUR + 60)])
    leases = written(
        tmp_path / "dhcp.log", [lease(-60 * HOUR, ONE), lease(-50 * HOUR, TWO), lease(HOUR, THREE)]
    )
    read_in(site, flows, leases)
    read_in(in_time, leases, flows)
    assert by_device(site) == by_device(in_time)
    assert {key[0:3:2] for key in by_device(site)} == {(TWO, 0), (THREE, HOUR)}


@pytest.mark.parametrize("seed", range(4))
def test_whichever_is_read_first_each_device_did_the_same(site, in_time, tmp_path, seed):
    chance = random.Random(seed)
    addresses = [f"10.1.0.{n}" for n in range(1, 5)]
    flows = [
        flow(at, *chance.sample([*addresses, SERVER, "8.8.8.8"], 2), n, chance.randrange(1_000))
        for n, at in enumerate(sorted(chance.randrange(30 * HOUR) for _ in range(300)))
    ]
    leases = []
    for address in addresses:  # a card has one address, an address several cards by turns
        mine = [f"00:1b:c5:{addresses.index(address):02x}:00:{n:02x}" for n in range(3)]
        times = sorted(n * HOUR for n in chance.sample(range(1, 29), 2))
        leases += [lease(at, mac, address) for at, mac in zip([0, *times], mine, strict=True)]
    said = [written(tmp_path / f"conn-{n}.log", flows[n::3]) for n in range(3)]
    told = [written(tmp_path / f"dhcp-{n}.log", leases[n::2]) for n in range(2)]
    read_in(site, *said)
    before = all_of(site)
    read_in(site, *chance.sample(told, 2))
    read_in(in_time, *told, *said)
    assert all_of(site) == all_of(in_time) == before
    assert by_device(site) == by_device(in_time)
    assert used(site)[0] == used(site)[1]
    assert pending(site) == 0


def test_whoever_never_answered_has_its_sums_too_and_classes_in_clear_text_go_along(site, tmp_path):
    asked = flow(60, client=SERVER, server="10.1.0.1", conn_state="S0", resp_bytes=0)
    flows = written(tmp_path / "conn.log", [asked, flow(4 * HOUR + 60)])
    read_in(site, flows)
    assert {key[1] for key in by_device(site)} == {"nobody", SERVER}
    run = Run(site, "r", Living(site, "p"))
    clear = Clear(
        (BEGIN + 4 * HOUR + 90) * 1_000_000, "r", "10.1.0.1", SERVER, "tcp", 2_575, "hl7", {"name": 3}
    )
    source = run.begin(run.new_source("pcap", "a.pcap"), lambda _: "")
    run._groups.keep(None, [], [clear], source, replace(source, parts=1))
    read_in(site, written(tmp_path / "dhcp.log", [lease(0, ONE), lease(3 * HOUR, TWO)]))
    found = {key[:2] for key in by_device(site)}
    assert found == {(SERVER, ONE), (TWO, SERVER)}
    with read(site.engine) as db:
        talks = views.conversations(db, site.site, ConversationFilters(clear=True))
        [mine] = [row.id for row in endpoints.page(db, site.site, endpoints.Filters()).rows if row.mac == TWO]
        classes = {talk.key.client_endpoint: talk.classes for talk in talks}
        assert classes == {mine: {"name": 3}}
        assert len(views.conversations(db, site.site, ConversationFilters())) == 3, "what is empty is gone"


def test_a_card_that_goes_on_with_its_address_keeps_what_is_its_own(site, tmp_path):
    mine = [flow(n * HOUR + 60, orig_l2_addr=ONE) for n in range(6)]
    read_in(site, written(tmp_path / "conn.log", mine))
    before = by_device(site)
    assert {key[0] for key in before} == {ONE}
    assert read_in(site, written(tmp_path / "dhcp.log", [lease(3 * HOUR, TWO)])) == 0
    assert by_device(site) == before, "its own card says who spoke"


@pytest.fixture
def small(monkeypatch):
    """Transactions that hold three sums each."""
    monkeypatch.setattr(moving, "MOVED_MAX", 3)


def dies_in(data, steps):
    """Go on in a process of its own that is killed in the middle of a transaction, at its ``steps``-th part."""
    if os.fork():
        return os.waitstatus_to_exitcode(os.wait()[1])
    try:
        site, real, left = build(load(data), "admin"), moving._give_clear, [steps]

        def until(*args, **more):
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            real(*args, **more)

        moving._give_clear = until
        late.settle(site)
    finally:
        os._exit(1)


def test_killed_in_the_middle_it_goes_on_and_doubles_nothing(site, small, tmp_path):
    flows = [flow(n * HOUR // 2, server=f"10.2.0.{m}", n=m) for n in range(12) for m in range(1, 5)]
    read_in(site, written(tmp_path / "conn.log", flows))
    before, hours = all_of(site), by_device(site)
    go(site, written(tmp_path / "dhcp.log", [lease(0, ONE), lease(2 * HOUR, TWO)]))
    assert pending(site) > 0
    for kills in range(3):
        assert dies_in(site.settings.data, 2 + kills) == -signal.SIGKILL
        assert all_of(site) == before
        assert used(site)[0] == used(site)[1]
        assert pending(site) > 0
    late.settle(site)
    assert (all_of(site), pending(site)) == (before, 0)
    assert used(site)[0] == used(site)[1]
    moved = {key: n for key, n in by_device(site).items() if key[0] == TWO}
    assert {key[2] for key in moved} == {n * HOUR for n in range(2, 6)}
    assert sum(moved.values()) == sum(n for key, n in hours.items() if key[2] >= 2 * HOUR)


def test_what_is_too_much_for_one_turn_waits_for_the_next(site, small, tmp_path, monkeypatch):
    flows = [flow(n * HOUR // 2, server=f"10.2.0.{m}", n=m) for n in range(12) for m in range(1, 5)]
    read_in(site, written(tmp_path / "conn.log", flows))
    go(site, written(tmp_path / "dhcp.log", [lease(0, ONE), lease(2 * HOUR, TWO)]))
    monkeypatch.setattr(late, "ROWS_MAX", 5)
    turns = []
    while pending(site):
        turns.append(late.settle(site).hours)
    assert sum(turns) == 16
    assert turns == [5, 5, 5, 1]


def test_who_was_known_by_its_address_alone_is_in_use_as_the_device_it_is(site, tmp_path):
    now = int(site.clock.now().timestamp()) - BEGIN
    read_in(site, written(tmp_path / "before.log", [lease(now - 50 * HOUR, ONE, "10.1.0.50")]))
    read_in(site, written(tmp_path / "conn.log", [flow(now - 60, service="hl7")]))
    read_in(site, written(tmp_path / "dhcp.log", [lease(now - 5 * HOUR, ONE)]))
    caring.tend(site)
    with read(site.engine) as db:
        [row] = [row for row in endpoints.page(db, site.site, endpoints.Filters()).rows if row.mac == ONE]
    assert row.care == "in use"


def test_use_by_hour_and_who_is_in_use_follow(site, tmp_path):
    now = int(site.clock.now().timestamp()) - BEGIN
    flows = [flow(now - n, service="hl7", n=n) for n in (60, 120)]
    read_in(site, written(tmp_path / "before.log", [lease(now - 50 * HOUR, TWO, "10.1.0.50")]))
    read_in(site, written(tmp_path / "conn.log", flows))
    read_in(site, written(tmp_path / "dhcp.log", [lease(now - 5 * HOUR, ONE), lease(now - 300, TWO)]))
    caring.tend(site)
    with read(site.engine) as db:
        rows = {row.mac: row for row in endpoints.page(db, site.site, endpoints.Filters()).rows}
        hours = {mac: views.use(db, site.site, [rows[mac].id], 0, 2**62) for mac in (ONE, TWO)}
    assert (rows[ONE].care, rows[TWO].care) == ("", "in use")
    assert hours[ONE] == []
    assert sum(use.flows for use in hours[TWO]) == 2
