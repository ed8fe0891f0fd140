"""Capture from an interface: in a network of its own, and what is said where it cannot be."""

import os
import shutil
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from oathward.core.errors import InputError
from oathward.discovery.live import listening

ROOT = Path(__file__).resolve().parents[3]
needs_dumpcap = pytest.mark.skipif(
    shutil.which("dumpcap") is None, reason="no dumpcap (Debian: wireshark-common)"
)


def own_network() -> str:
    """Why no network of one's own can be made here; empty where it can."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return "no unshare or ip"
    tried = subprocess.run(
        ["unshare", "-n", "ip", "link", "add", "veth0", "type", "veth", "peer", "name", "veth1"],
        capture_output=True,
        check=False,
    )
    return "" if tried.returncode == 0 else "no network namespace with a veth pair may be made here"


INSIDE = """
    import socket, subprocess, sys, threading, time
    from tests import captured as write
    from oathward.discovery.live import listening
    from oathward.discovery.model import Around
    from oathward.discovery.observers.pcap import OBSERVER

    for command in ("link add veth0 type veth peer name veth1", "link set veth0 up", "link set veth1 up"):
        subprocess.run(["ip", *command.split()], check=True)

    def send():
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
            sender.bind(("veth0", 0))
            talk = write.Talk().say(0, write.mllp(write.HL7_MESSAGE)).say(1, write.mllp(write.HL7_ACK)).end()
            for frame in talk.frames:
                sender.send(frame)

    with listening("veth1", for_s=2) as stream:
        threading.Timer(0.3, send).start()
        parts = list(OBSERVER.read(stream, Around(realm="a-site")))
    services = [name for part in parts if part.flows is not None for name in part.flows["service"]]
    marks = {mark.value for part in parts for one in part.statements for mark in one.marks}
    assert "hl7" in services, services
    assert "PUMP|ICU" in marks, marks
    with listening("veth1") as stream:  # ended while it listens
        children = subprocess.run(["pgrep", "-x", "dumpcap", "-P", str(__import__("os").getpid())], capture_output=True).stdout.split()
    print("children", len(children))
    left = subprocess.run(["pgrep", "-x", "dumpcap", "-P", str(__import__("os").getpid())], capture_output=True).stdout.split()
    print("left", len(left))
"""


@needs_dumpcap
def test_packets_of_an_interface_are_read_and_dumpcap_is_gone_afterwards():
    why = own_network()
    if why:
        pytest.skip(why)
    ran = subprocess.run(
        ["unshare", "-n", sys.executable, "-c", textwrap.dedent(INSIDE)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == ["children", "1", "left", "0"]


@needs_dumpcap
@pytest.mark.parametrize(
    "name", ["nothing9", "-h", "rpcap://10.0.0.1/eth0", "TCP@10.0.0.1:80", "/tmp/a-pipe", ""]
)
def test_what_is_no_interface_of_this_machine_is_refused_before_anything_starts(name):
    with pytest.raises(InputError) as raised, listening(name):
        pass
    assert (raised.value.reason.code, raised.value.where) == ("not-found", "interface")
    assert not name or name not in str(raised.value)


def test_without_dumpcap_it_says_what_to_install():
    with pytest.raises(InputError, match="wireshark-common"), listening("lo", dumpcap="no-such-program"):
        pass


def stand_in(tmp_path, script: str) -> str:
    """A program in dumpcap's place."""
    file = tmp_path / "stand-in"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return str(file)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("You do not have permission to capture on device", "add this user to the group"),
        ("(That device is not up)", "that is up"),
        ("something nobody foresaw", "by hand"),
    ],
)
def test_what_dumpcap_says_becomes_what_to_do(tmp_path, said, told):
    program = stand_in(tmp_path, f"echo '{said}' >&2; exit 2")
    with pytest.raises(InputError, match=told), listening("lo", dumpcap=program):
        pass


def test_dumpcap_gets_nothing_of_ours(tmp_path, monkeypatch):
    monkeypatch.setenv("A_SECRET", "of ours")
    kept = os.open(ROOT / "README.md", os.O_RDONLY)
    os.set_inheritable(kept, True)
    program = stand_in(tmp_path, "/usr/bin/env; ls /proc/self/fd | tr '\\n' ' '; readlink /proc/self/fd/0")
    with listening("lo", dumpcap=program) as stream:
        said = b""
        while more := stream.read(4_096):
            said += more
    os.close(kept)
    text = said.decode()
    assert "A_SECRET" not in text
    assert "/dev/null" in text
    assert str(kept) not in text.split("\n")[-2].split()


def test_one_that_will_not_end_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr("oathward.discovery.live.END_TIMEOUT_S", 0.2)
    program = stand_in(tmp_path, "trap '' TERM PIPE; echo $$; while true; do sleep 0.05; done")
    with listening("lo", dumpcap=program) as stream:
        number = int(stream.read(100))
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)
