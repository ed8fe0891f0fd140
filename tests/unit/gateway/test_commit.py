"""Messages that come together are committed together; one that comes alone waits for nobody."""

import asyncio
import dataclasses
import time

import pytest
from tests.site import Site, bundle, local
from tests.wire import oru

from oathward.app import build
from oathward.core.db import read
from oathward.core.errors import StorageError
from oathward.core.labels import Assurance
from oathward.gateway import commit
from oathward.gateway.arrival import Outcome
from oathward.gateway.commit import Committer, commit_group
from oathward.gateway.gate import Gate
from oathward.gateway.path import arrive
from oathward.gateway.wires import HL7V2
from oathward.inventory.model import Peer
from oathward.messages import sql as messages
from oathward.protocols.hl7v2.reader import decode

PEER = Peer("127.0.0.1", None, ())


@pytest.fixture
def gate(tmp_path):
    site = Site.make(tmp_path / "s")
    site.activate(bundle({"ehr": "mllp://127.0.0.1:9"}))
    site.add(local(authoritative_adt=True))
    gate = Gate(build(site.settings, "gateway"))
    yield gate
    gate.close()
    gate.opened.keeper.close()


def results(gate, count, first=0):
    return [arrive(gate, oru(f"m{n}"), PEER)[0] for n in range(first, first + count)]


def submit_turn_by_turn(gate, prepared, *, delay_s=None, group_max=256):
    """Submit one message a turn of the loop; gives the sizes of the groups."""

    async def run():
        loop, groups = asyncio.get_running_loop(), []
        committer = Committer(gate, groups.append, group_max=group_max, loop=loop)
        if delay_s is not None:
            committer._delay_s = delay_s
        for one in prepared:
            committer.submit(one)
            time.sleep(0.01)  # noqa: ASYNC251  the loop is busy, and the writer could go ahead
            await asyncio.sleep(0)
        await asyncio.to_thread(committer.stop)
        assert all(one.outcome is Outcome.STORED for one in prepared)
        return [len(group) for group in groups]

    return asyncio.run(run())


def test_what_comes_in_turns_that_follow_each_other_is_one_group(gate):
    assert submit_turn_by_turn(gate, results(gate, 20), delay_s=30.0) == [20]


@pytest.mark.parametrize(("delay_s", "sizes"), [(30.0, [3, 2]), (0.0, [3, 1, 1])])
def test_groups_follow_each_other_at_a_distance(gate, delay_s, sizes):
    """Two that come one by one after a group share the next one; without a delay each has a transaction of its own."""
    prepared = results(gate, 5)

    async def run():
        groups = []
        committer = Committer(gate, groups.append, group_max=256, loop=asyncio.get_running_loop())
        committer._delay_s = 30.0
        for one in prepared[:3]:
            committer.submit(one)
        while not groups:
            await asyncio.sleep(0.005)
        committer._delay_s = delay_s
        for one in prepared[3:]:
            committer.submit(one)
            await asyncio.sleep(0.2)
        await asyncio.to_thread(committer.stop)
        return [len(group) for group in groups]

    assert asyncio.run(run()) == sizes


def test_without_a_delay_nothing_is_gathered(gate):
    """The reverse: the writer takes what is there, and that is less than all."""
    assert len(submit_turn_by_turn(gate, results(gate, 20), delay_s=0.0)) > 1


def test_a_group_is_never_larger_than_allowed(gate):
    sizes = submit_turn_by_turn(gate, results(gate, 20), delay_s=30.0, group_max=8)
    assert sum(sizes) == 20
    assert max(sizes) <= 8


def test_a_message_alone_does_not_wait(gate):
    """The longest wait is for those that others follow."""
    [one] = results(gate, 1)

    async def run():
        committer = Committer(gate, lambda _group: None, group_max=256, loop=asyncio.get_running_loop())
        committer._delay_s = 3600.0
        committer.submit(one)
        until = time.monotonic() + 20
        while one.outcome is None and time.monotonic() < until:
            await asyncio.sleep(0.005)
        await asyncio.to_thread(committer.stop)

    asyncio.run(run())
    assert one.outcome is Outcome.STORED


def test_facts_of_a_message_are_of_one_bundle(gate, monkeypatch):
    """A bundle becomes active in another thread, while a message is labelled."""
    message, active = decode(oru("m1")), gate._active
    device = gate.inventory.device("mon-1")
    whom = gate.resolve(HL7V2, message, device, gate.now_us())
    newer = dataclasses.replace(active, version=active.version + 1)

    def meanwhile(*_):
        gate._active = newer
        gate._facts.clear()
        return frozenset(), "", "", "", ""

    monkeypatch.setattr("oathward.gateway.labelling.seen", meanwhile)
    assert (
        gate.facts_of(HL7V2, message, device, Assurance.ADDRESS, whom).facts.bundle_version == active.version
    )
    assert (
        gate.facts_of(HL7V2, message, device, Assurance.ADDRESS, whom).facts.bundle_version == newer.version
    )
    other = dataclasses.replace(device, tags=frozenset({"research"}))
    assert gate.facts_of(HL7V2, message, other, Assurance.ADDRESS, whom).facts.device_tags == {"research"}
    gate.resolver.rolled_back(whom)


def test_a_delivery_about_two_persons_names_both(gate):
    raw = (
        b"MSH|^~\\&|MON1|WARD|OATHWARD|SITE|20260504081500+0000||ADT^A24^ADT_A24|1|P|2.6\rEVN|A24|20260504\r"
        b"PID|1||11111111^^^HOSP^MR||Doe^Jane\rPID|2||22222222^^^HOSP^MR||Doe^June\r"
    )
    [prepared] = arrive(gate, raw, PEER)
    commit_group(gate, [prepared])
    with read(gate.engine) as db:
        [row] = messages.pending(db, "ehr", 0, 10)
    assert len(set(row.persons)) == 2
    assert row.persons[0] == row.subject


def test_a_duplicate_of_a_message_whose_commit_failed_is_stored_at_the_next_try(gate, monkeypatch):
    """What it was a duplicate of was rolled back: it must not be answered as one."""
    first, again = arrive(gate, oru("F1"), PEER)[0], arrive(gate, oru("F1"), PEER)[0]
    appended = commit.ledger.append

    def fails(*_arguments):
        raise StorageError("disk", "fails once")

    monkeypatch.setattr(commit.ledger, "append", fails)
    with pytest.raises(StorageError):
        commit_group(gate, [first, again])
    assert again.outcome is Outcome.DUPLICATE
    monkeypatch.setattr(commit.ledger, "append", appended)
    commit_group(gate, [again])
    assert again.outcome is Outcome.STORED
    with read(gate.engine) as db:
        assert messages.message_row(db, again.message.id) is not None
