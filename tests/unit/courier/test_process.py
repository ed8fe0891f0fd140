"""What the courier's process promises about the parts it stands on: a keeper that is away, a feed that ended."""

import asyncio

import pytest
from tests.site import Site, bundle, local
from tests.wire import oru

from oathward.app import build
from oathward.core.clock import Clock, micros
from oathward.core.db import write
from oathward.core.errors import KeeperError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.courier import process
from oathward.courier.process import Courier
from oathward.gateway.arrival import Outcome
from oathward.gateway.commit import commit_group
from oathward.gateway.gate import Gate
from oathward.gateway.path import arrive
from oathward.inventory.model import Peer
from oathward.patients import sql as patients
from oathward.patients.model import Edge, EdgeKind

PEER = Peer("127.0.0.1", None, ())
COUNT = 5


@pytest.fixture
def site(tmp_path):
    """A site whose gateway took some messages for a folder; no courier yet."""
    (tmp_path / "ehr").mkdir()
    site = Site.make(tmp_path / "s")
    site.activate(bundle({"ehr": f"file://{tmp_path}/ehr"}))
    site.add(local())
    gate = Gate(build(site.settings, "gateway"))
    group = [one for n in range(COUNT) for one in arrive(gate, oru(f"m{n}"), PEER)]
    commit_group(gate, group)
    assert {one.outcome for one in group} == {Outcome.STORED}
    gate.close()
    gate.opened.keeper.close()
    gate.engine.dispose()
    return site


def deliver(site, what):
    """Run ``what`` with a courier in this process."""

    async def go():
        opened = build(site.settings, "courier")
        courier = Courier(opened)
        try:
            await what(courier)
        finally:
            await courier.stop()
            opened.keeper.close()
            opened.engine.dispose()

    asyncio.run(go())


async def until(what, patience_s=10.0):
    async with asyncio.timeout(patience_s):
        while not what():
            await asyncio.sleep(0.01)


def states(site):
    return [state for (state,) in site.rows("SELECT state FROM outbox")]


def kept(site):
    return len(list((site.folder.parent / "ehr").glob("*.hl7")))


def test_a_keeper_that_is_away_gives_up_no_delivery(site, monkeypatch):
    monkeypatch.setattr("oathward.courier.feed._RESCAN_S", 0.5)

    async def go(courier):
        keys = courier.site.keeper.outbox_keys
        courier.knows.opener.renew({})  # what these are sealed to is new to this courier

        asked = []

        def away():
            asked.append(1)
            raise KeeperError("keeper", "did not answer in time")

        monkeypatch.setattr(courier.site.keeper, "outbox_keys", away)
        await courier.refresh()
        await until(lambda: courier.knows.counts["postponed"])
        await asyncio.sleep(0.1)
        assert len(asked) == 1, "once a look, not once a row"
        await until(lambda: len(asked) > 1)
        assert (kept(site), states(site)) == (0, ["pending"] * COUNT)
        monkeypatch.setattr(courier.site.keeper, "outbox_keys", keys)
        await until(lambda: not states(site))
        assert kept(site) == COUNT

    deliver(site, go)
    assert not site.records("message.dead")


def test_a_feed_that_ended_is_started_again(site):
    async def go(courier):
        bodies, courier.knows.bodies = courier.knows.bodies, None  # a bug of ours: the feed's task ends
        await courier.refresh()
        await until(courier._feeds["ehr"].task.done)
        assert (kept(site), len(states(site))) == (0, COUNT)
        courier.knows.bodies = bodies
        await courier.refresh()
        await until(lambda: not states(site))
        assert kept(site) == COUNT

    deliver(site, go)


def test_a_feed_that_ends_again_and_again_is_said_and_comes_after_pauses(site, monkeypatch):
    """Care too: the rows of its link wait, status and a finding say why, and it goes on as soon as it can."""
    monkeypatch.setattr(process, "_PAUSE_FIRST_S", 0.1)

    async def go(courier):
        bodies, courier.knows.bodies = courier.knows.bodies, None
        await courier.refresh()
        started = 0
        async with asyncio.timeout(10):
            while courier._broken.get("ehr", process._Broken(0)).times < 3:
                before = courier._feeds.get("ehr")
                await asyncio.sleep(0.02)
                await courier.refresh()
                await courier.note_troubles()
                started += courier._feeds.get("ehr") not in {before, None}
        assert courier.links()["ehr"]["trouble"] == Reason.INTERNAL.code
        assert started == 2, "once at once, once after a pause"
        assert (kept(site), len(states(site))) == (0, COUNT)
        courier.knows.bodies = bodies
        async with asyncio.timeout(10):
            while states(site):
                await courier.refresh()
                await asyncio.sleep(0.02)
        assert kept(site) == COUNT
        assert courier.links()["ehr"]["trouble"], "it has to stand for a while"
        monkeypatch.setattr(process, "_HEALTHY_S", 0.0)
        await courier.refresh()
        assert courier.links()["ehr"]["trouble"] == ""

    deliver(site, go)
    said = [one for one in site.records("finding.raised") if one["body"]["finding"] == "delivery.trouble"]
    assert [(one["links"], one["body"]["reason"]) for one in said] == [(["ehr"], Reason.INTERNAL.code)]


def test_new_rows_are_looked_for_as_long_as_the_process_runs(site):
    async def go(courier):
        await courier.refresh()
        await until(lambda: not states(site))
        assert courier.looking
        courier._looking.cancel()
        await asyncio.sleep(0)
        assert not courier.looking, "its process ends then, and is started anew"

    deliver(site, go)


def test_a_denial_of_whoever_the_patient_is_now_holds_what_waits(site, tmp_path):
    """A merge while a delivery waits, then a withdrawal: it is said of the person, the row names the former subject."""
    identifiers = tmp_path / "ids"
    identifiers.write_text("99999123^^^HOSP^MR\n")
    now = site.cli("consent", "record", "--deny", "--identifier-file", str(identifiers))["subject"]
    [(then,)] = site.rows("SELECT DISTINCT subject FROM outbox")
    at_us = micros(Clock().now())

    async def go(courier):
        await courier.refresh()
        assert not courier.knows.consents.of(courier.site.engine, (then,))[1]
        edge = Edge(uuid7(), EdgeKind.MERGED, then, now, "A40", "adt", at_us, "")
        with write(courier.site.engine) as db:
            patients.insert_edges(db, courier.site.site, [edge])
        reconsidered = courier._feeds["ehr"].feed._turn
        await courier.refresh()
        assert courier._feeds["ehr"].feed._turn > reconsidered
        [fact] = courier.knows.consents.of(courier.site.engine, (then,))[1]
        assert not fact.permit

    deliver(site, go)
