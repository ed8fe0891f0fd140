"""A disk that is full, and a flush that fails: no acknowledgement without storage, and recovery without help."""

import errno
import os
import shutil
import subprocess
import time
from itertools import count

import pytest
from tests.faults.load import Sender, judge
from tests.site import Site, bundle, local
from tests.wire import Client, Recipient, oru

SIZE_MIB = 40


@pytest.fixture
def small_disk(tmp_path):
    """A file system of fixed size, where we may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("needs root to mount a tmpfs of fixed size")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "tmpfs", str(place)],
        check=False,
        capture_output=True,
    )
    if done.returncode:
        pytest.skip("this machine does not let us mount a tmpfs")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place):
    """Take all the space there is."""
    ballast = place / "ballast"
    full = os.strerror(errno.ENOSPC)
    with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match=full):
        file.writelines(bytes(65536) for _ in count())
    return ballast


@pytest.mark.turns(2, "log")  # with the log elsewhere
@pytest.mark.parametrize("log", ["outside", "on the full disk"])
def test_disk_full_means_no_answer_and_then_recovery_without_help(small_disk, log):
    recipient = Recipient()
    site = Site.make(small_disk / "s")
    if log == "outside":
        site.log = small_disk.parent / "serve.log"
    site.activate(bundle({"ehr": recipient.address}))
    site.add(local())
    site.start()
    sender = Sender("ax", site.port, 400)
    try:
        with Client(site.port()) as client:
            assert client.send(oru("before", value="bx0")) == "AA"
        port = site.port()
        ballast = fill(small_disk)
        answered = []
        for number in range(30):
            with Client(port) as client:
                answered.append(
                    client.send(
                        oru(f"full-{number}", value=f"fx{number}", more="NTE|1||" + "A" * 20_000 + "\r")
                    )
                )
        assert "closed" in answered, "without space nothing is acknowledged"
        stored = len(site.rows("SELECT id FROM message"))
        assert stored == 1 + answered.count("AA"), "what was acknowledged is stored, and nothing else"
        ballast.unlink()
        sender.start()
        sender.join(60)
        assert not sender.is_alive()
        site.wait(lambda: site.rows("SELECT count(*) FROM outbox WHERE state = 'pending'") == [(0,)], 30)
        time.sleep(0.3)
        assert site.rows("SELECT state, reason, count(*) FROM outbox GROUP BY 1, 2") == []
        assert judge([sender], recipient).lost == []
        assert site.cli("ledger", "verify")["ok"]
    finally:
        print(site.log.read_text()[-4000:])
        sender.stop = True
        site.stop()
        recipient.close()


def test_a_failed_flush_stops_the_writer_for_good(tmp_path, monkeypatch):
    from oathward.app import build
    from oathward.gateway.arrival import Outcome
    from oathward.gateway.commit import Committer
    from oathward.gateway.gate import Gate
    from oathward.gateway.path import arrive
    from oathward.inventory.model import Peer

    site = Site.make(tmp_path / "s")
    site.activate(bundle({"ehr": "mllp://127.0.0.1:9"}))
    site.add(local())
    gate = Gate(build(site.settings, "gateway"))
    done = []
    committer = Committer(gate, done.extend, group_max=8)

    def send(name):
        [prepared] = arrive(gate, oru(name, value=name), Peer("127.0.0.1"))
        committer.submit(prepared)
        until = time.monotonic() + 5
        while prepared.outcome is None and time.monotonic() < until:
            time.sleep(0.005)
        return prepared.outcome

    try:
        assert send("1") is Outcome.STORED
        real = os.fdatasync

        def broken(_fd):
            raise OSError(errno.EIO, "I/O error")

        monkeypatch.setattr(os, "fdatasync", broken)
        assert send("2") is Outcome.FAILED
        monkeypatch.setattr(os, "fdatasync", real)
        # The pages of the failed flush may be gone although the next flush succeeds: nothing may be built on it.
        assert send("3") is Outcome.FAILED
        assert committer.fatal is not None
        assert len(site.rows("SELECT id FROM message")) == 1
    finally:
        committer.stop()
        gate.close()
        gate.opened.keeper.close()
        gate.engine.dispose()
