"""The gateway notes when a narrowing was in effect there: beside the data path, once, and a bug in it stops nobody."""

import asyncio

import pytest
from tests.gate import gate_of
from tests.site import Site, bundle, local
from tests.unit.courier.standing_site import says_no, take
from tests.wire import oru

from oathward.gateway import effects


@pytest.fixture
def site(tmp_path):
    site = Site.make(tmp_path / "s")
    site.activate(bundle({"ehr": f"file://{tmp_path}/ehr"}))
    site.add(local())
    take(site, oru("m1"))
    return site


def rows(site):
    return site.rows("SELECT process, version, link, withdrawn, in_flight, away FROM consent_effect")


def noting(gate, what):
    async def go():
        task = effects.noting(gate)
        try:
            await what(task)
        finally:
            task.cancel()

    asyncio.run(go())


async def until(what):
    async with asyncio.timeout(15):
        while not what():
            await asyncio.sleep(0.02)


def test_what_comes_while_it_runs_and_what_came_before(site, tmp_path):
    says_no(site, tmp_path, "--purpose", "TREAT")
    with gate_of(site) as gate:

        async def go(_):
            await until(lambda: rows(site))
            assert rows(site) == [("gateway", 1, "ehr", 0, 0, 1)]
            await asyncio.to_thread(says_no, site, tmp_path, "--replace", "--purpose", "HRESCH")
            await asyncio.to_thread(says_no, site, tmp_path, "--replace", "--purpose", "TREAT")
            await asyncio.to_thread(gate.refresh)
            await until(lambda: len(rows(site)) == 2)

        noting(gate, go)
    assert sorted(rows(site))[1] == ("gateway", 3, "ehr", 0, 0, 0)
    assert len(site.records("consent.effective")) == 2


def test_a_bug_in_it_is_said_and_stops_nothing(site, tmp_path, monkeypatch, capsys):
    says_no(site, tmp_path)

    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(effects, "note", broken)
    with gate_of(site) as gate:

        async def go(task):
            await until(task.done)
            await asyncio.sleep(0)
            gate.refresh()

        noting(gate, go)
    assert "gateway.effects" in "".join(capsys.readouterr()), "wherever the log goes"
