"""kill -9 at every named place, and at random: every acknowledged message is stored once and delivered."""

import random
import time

import pytest
from tests.faults.load import Sender, judge
from tests.site import Site, bundle, local
from tests.wire import Recipient

GATEWAY_POINTS = ("bodies-appended", "bodies-flushed", "before-append", "before-commit", "committed")
COURIER_POINTS = ("read", "answered", "before-commit", "recorded")
POINTS = [f"gateway.{p}" for p in GATEWAY_POINTS] + [f"courier.{p}" for p in COURIER_POINTS]


@pytest.fixture
def recipient():
    recipient = Recipient()
    yield recipient
    recipient.close()


@pytest.fixture
def site(tmp_path, recipient):
    site = Site.make(tmp_path / "s")
    site.activate(bundle({"ehr": recipient.address}))
    site.add(local())
    yield site
    site.stop()


def settle(site, senders, recipient, patience_s=60):
    for sender in senders:
        sender.join(patience_s)
    assert not any(sender.is_alive() for sender in senders)
    site.wait(lambda: site.rows("SELECT count(*) FROM outbox WHERE state = 'pending'") == [(0,)], 30)
    time.sleep(0.3)


@pytest.mark.parametrize("place", POINTS)
def test_killed_at(site, recipient, tmp_path, place):
    mark = tmp_path / "killed"
    site.start(OATHWARD_KILL_AT=f"{place}:3", OATHWARD_KILL_MARK=str(mark))
    senders = [Sender(f"{name}x", site.port, 25) for name in "abcd"]
    for sender in senders:
        sender.start()
    settle(site, senders, recipient)
    assert mark.exists(), "the process was killed at this place"
    found = judge(senders, recipient)
    assert sum(len(sender.acked) for sender in senders) == 100
    assert found.lost == []
    assert found.twice_with_other_ids == [], "stored once: one outgoing id a message"
    if place.startswith("gateway"):
        assert found.repeated == 0, "no fault on the way out: each delivery happens once"
    assert len(site.rows("SELECT id FROM message")) == 100
    assert site.cli("ledger", "verify")["ok"]


def test_without_a_fault_nothing_is_repeated(site, recipient):
    site.start()
    senders = [Sender(f"{name}x", site.port, 50) for name in "abcd"]
    for sender in senders:
        sender.start()
    settle(site, senders, recipient)
    found = judge(senders, recipient)
    assert (found.lost, found.repeated, found.twice_with_other_ids) == ([], 0, [])
    assert len(recipient.kept) == 200


def rounds(site, recipient, kills, seed):
    print(f"seed {seed}")
    rng = random.Random(seed)
    site.start()
    senders = [Sender(f"{name}x", site.port, 10_000) for name in "abcd"]
    for sender in senders:
        sender.start()
    for _ in range(kills):
        time.sleep(rng.uniform(0.05, 0.6))
        role = rng.choice(["gateway", "gateway", "courier", "keeper"])
        try:
            site.kill(role)
        except (OSError, KeyError, ValueError):
            continue  # it is being started again
        site.wait(lambda role=role: site.rows("SELECT 1") and _is_up(site, role), 30)
    for sender in senders:
        sender.stop = True
    settle(site, senders, recipient)
    found = judge(senders, recipient)
    assert found.lost == []
    assert found.twice_with_other_ids == []
    assert site.cli("ledger", "verify")["ok"]
    return sum(len(sender.acked) for sender in senders)


def _is_up(site, role):
    try:
        return site.status(role)["state"] == "ready"
    except (OSError, ValueError):
        return False


def test_killed_at_random_a_few_times(site, recipient):
    assert rounds(site, recipient, kills=6, seed=random.randrange(1 << 30)) > 0


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_killed_at_random_a_hundred_times(site, recipient):
    assert rounds(site, recipient, kills=100, seed=random.randrange(1 << 30)) > 0
