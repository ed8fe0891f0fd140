"""A process that hangs is noticed, ended and replaced; nothing acknowledged is lost, and senders come back."""

import os
import signal
import time
import urllib.request

import pytest
from tests.faults.load import Sender, judge
from tests.faults.test_disk import fill, small_disk  # noqa: F401  a fixture
from tests.site import Site, bundle, local
from tests.wire import Recipient

SILENT_S = 2.5
WATCHED = f"[watchdog]\nsilent_s_max = {SILENT_S}\nkeeper_silent_s_max = {2 * SILENT_S}\n"
NOTICED_S = SILENT_S + 3.5
"""Silence, a look, the time to end by itself, and the kill."""


@pytest.fixture
def recipient():
    recipient = Recipient()
    yield recipient
    recipient.close()


def served(folder, recipient, more=WATCHED, **environment):
    site = Site.make(folder, more=more, console=True)
    site.activate(bundle({"ehr": recipient.address}))
    site.add(local())
    return site.start(**environment)


def load(site):
    senders = [Sender(f"{name}x", site.port, 60) for name in "abcd"]
    for sender in senders:
        sender.start()
    return senders


def settle(site, senders):
    for sender in senders:
        sender.join(60)
    assert not any(sender.is_alive() for sender in senders)
    site.wait(lambda: site.rows("SELECT count(*) FROM outbox WHERE state = 'pending'") == [(0,)], 30)
    time.sleep(0.3)


def judged(site, senders, recipient):
    settle(site, senders)
    found = judge(senders, recipient)
    assert sum(len(sender.acked) for sender in senders) == 240
    assert (found.lost, found.twice_with_other_ids) == ([], [])
    assert site.cli("ledger", "verify")["ok"]
    return found


def replaced(site, role, pid):
    """Wait until another process of the role is ready; gives the seconds it took."""
    began_s = time.monotonic()

    def another():
        try:
            status = site.status(role)
        except (OSError, ValueError):
            return False
        return status["pid"] != pid and status["state"] == "ready"

    site.wait(another, 30)
    return time.monotonic() - began_s


@pytest.mark.alone
@pytest.mark.turns(3, "role")  # the gateway, and the keeper, which has a time of its own
@pytest.mark.parametrize("role", ["gateway", "courier", "app", "keeper"])
def test_a_stopped_process_is_replaced(tmp_path, recipient, role):
    site = served(tmp_path / "s", recipient)
    try:
        senders = load(site)
        time.sleep(0.3)
        pid = site.status(role)["pid"]
        os.kill(pid, signal.SIGSTOP)
        assert replaced(site, role, pid) < NOTICED_S + 5.0, "noticed, and the new one has started"
        judged(site, senders, recipient)
        assert site.status("supervisor")["hangs"][role] == 1
        site.wait(
            lambda: (
                [
                    (f["body"]["about"], f["body"]["part"])
                    for f in site.records("finding.raised")
                    if f["body"]["finding"] == "process.hung"
                ]
                == [(role, "process")]
            )
        )
        # The supervisor says it each second; who was started again may be ready before that.
        site.wait(
            lambda: any(
                line["about"] == "watchdog"
                and line["what"].startswith(f"{role} was started again 1 times")
                and "hung" in line["what"]
                for line in site.cli("doctor", check=False)["lines"]
            )
        )
        port = site.status("app")["ports"]["metrics"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
            assert f'oathward_process_hangs_total{{role="{role}"}} 1.0' in page.read().decode()
        assert f"{role}: hangs: `process` has not moved" in site.log.read_text()
    finally:
        site.stop()


@pytest.mark.turns(2, "role")  # the gateway's writer
@pytest.mark.parametrize(
    ("place", "role", "part"),
    [("gateway.before-commit", "gateway", "writer"), ("courier.before-commit", "courier", "recorder")],
)
def test_a_writer_that_hangs_is_found_though_the_loop_turns(tmp_path, recipient, place, role, part):
    mark = tmp_path / "hung"
    site = served(
        tmp_path / "s", recipient,
        OATHWARD_KILL_AT=f"{place}:3", OATHWARD_KILL_MARK=str(mark), OATHWARD_HANG="1",
    )  # fmt: skip
    try:
        pid = site.status(role)["pid"]
        senders = load(site)
        replaced(site, role, pid)
        judged(site, senders, recipient)
        assert mark.exists()
        assert part in {one["part"] for one in site.status("supervisor")["hung"] if one["role"] == role}
    finally:
        site.stop()


def test_with_the_watchdog_off_a_stopped_process_stays(tmp_path, recipient):
    site = served(tmp_path / "s", recipient, more="[watchdog]\nsilent_s_max = 0\n")
    pid = site.status("gateway")["pid"]
    try:
        os.kill(pid, signal.SIGSTOP)
        time.sleep(NOTICED_S)
        assert site.status("gateway")["pid"] == pid
        assert site.status("supervisor")["hangs"]["gateway"] == 0
    finally:
        os.kill(pid, signal.SIGCONT)
        site.stop()


@pytest.mark.alone
def test_a_machine_that_stood_still_kills_nobody(tmp_path, recipient):
    site = served(tmp_path / "s", recipient)
    pids = {role: site.status(role)["pid"] for role in ("keeper", "courier", "app", "gateway")}
    everyone = [site.process.pid, *pids.values()]
    try:
        for pid in everyone:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(2 * SILENT_S)
        for pid in everyone:
            os.kill(pid, signal.SIGCONT)
        time.sleep(2 * SILENT_S)
        assert {role: site.status(role)["pid"] for role in pids} == pids
        assert set(site.status("supervisor")["hangs"].values()) == {0}
    finally:
        site.stop()


@pytest.mark.long  # a machine that stands still, above, writes no status file either
@pytest.mark.alone
def test_a_full_disk_is_no_hang(small_disk, recipient):  # noqa: F811  the fixture
    """Status files cannot be written then; the beats do not go through a file."""
    site = served(small_disk / "s", recipient)
    pids = {role: site.status(role)["pid"] for role in ("keeper", "courier", "app", "gateway")}
    try:
        ballast = fill(small_disk)
        time.sleep(3 * SILENT_S)
        ballast.unlink()
        site.wait(lambda: site.status("supervisor")["at_s"] > time.time() - 2)
        assert {role: site.status(role)["pid"] for role in pids} == pids
        assert set(site.status("supervisor")["hangs"].values()) == {0}
    finally:
        site.stop()
