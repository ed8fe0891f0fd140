"""What listens, end to end: the command as it is typed, something said on the network, Ctrl-C, and it stands in the picture."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests import exporters, forked

from oathward.app import create
from oathward.core.db import connect, read
from oathward.core.settings import load

ROOT = Path(__file__).resolve().parents[2]
RUN = [sys.executable, "-m", "oathward.cli", "observe", "--json"]
END_S = 60
NOW_S = int(time.time())


@pytest.fixture
def data(tmp_path):
    create(load(tmp_path / "data"))
    return tmp_path / "data"


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def listening(data, *options, before=()):
    """Start the command, wait until it listens; ended by Ctrl-C, its report is in ``told``."""
    told = {}
    command = [*before, *RUN, *options, "--data", str(data)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )  # fmt: skip
    try:
        said = process.stderr.readline()
        assert said.startswith("listening on"), said + process.stderr.read()
        yield told
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=END_S)
        assert process.returncode == 0, error
        told.update(json.loads(out))
    finally:
        process.kill()
        process.wait()


def cli(data, *words):
    done = forked.run([*words, "--data", str(data), "--json"])
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def finished(data) -> bool:
    """Say whether a source was stored to its end: a connection that ended, while the next is waited for."""
    engine = connect(load(data).database_url)
    with read(engine) as db:
        found = db.exec_driver_sql("SELECT count(*) FROM observed_source WHERE finished").scalar()
    engine.dispose()
    return bool(found)


def test_flow_records_come_over_udp_and_what_waited_for_its_other_half_is_not_lost(data):
    port = free_port(socket.SOCK_DGRAM)
    go = ("10.1.0.5", "10.1.0.9", 50_000, 2_575)
    with (
        listening(data, "--udp", f"127.0.0.1:{port}") as told,
        socket.socket(type=socket.SOCK_DGRAM) as exporter,
    ):
        one_way = exporters.v5((*go, 6, 9, 900), sent_s=NOW_S)  # nobody saw what went back
        exporter.sendto(one_way, ("127.0.0.1", port))
    assert told["flows"] == 1
    [source] = told["sources"]
    assert (source["observer"], source["flows"]) == ("netflow", 1)


def test_lines_of_a_dhcp_server_come_over_tcp(data):
    port = free_port(socket.SOCK_STREAM)
    at = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(NOW_S - 60))
    line = f"{at} dhcp1 dhcpd[7]: DHCPACK on 10.1.0.5 to 00:11:22:00:00:05 (pump-5) via eth0\n"
    with listening(data, "--listen", f"127.0.0.1:{port}") as told:
        with socket.create_connection(("127.0.0.1", port)) as server:
            server.sendall(line.encode())
        until = time.monotonic() + END_S
        while not finished(data) and time.monotonic() < until:
            time.sleep(0.1)
    assert told["sources"][0]["observer"] == "dhcp_server"
    assert told["statements"] == 1
    assert "pump-5" in json.dumps(cli(data, "inventory", "list"))


SEND = """
    import socket, sys
    from tests import captured as write

    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind(("veth0", 0))
        talk = write.Talk().say(0, write.mllp(write.HL7_MESSAGE)).say(1, write.mllp(write.HL7_ACK)).end()
        for frame in talk.frames:
            sender.send(frame)
"""


@pytest.fixture
def namespace():
    """A network of its own with a pair of interfaces; gone afterwards."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("ip", "dumpcap"))):
        pytest.skip("needs root, ip and dumpcap: a network of its own with a pair of interfaces")
    name = f"oathward-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no network of its own may be made here: {made.stderr.strip()}")
    within = ["ip", "netns", "exec", name]
    try:
        for command in ("link add veth0 type veth peer name veth1", "link set veth0 up", "link set veth1 up"):
            subprocess.run([*within, "ip", *command.split()], check=True)
        yield within
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def test_packets_of_an_interface_are_seen_as_they_pass(data, namespace):
    send = [*namespace, sys.executable, "-c", textwrap.dedent(SEND)]
    for wait_s in (0.5, 2, 8, 32):  # how long a packet takes through the kernel and dumpcap, nobody says
        with listening(data, "--live", "veth1", before=namespace) as told:
            subprocess.run(send, cwd=ROOT, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
            time.sleep(wait_s)
        if told["clear_text"]:
            break
    assert told["sources"][0]["observer"] == "pcap"
    assert told["flows"] >= 1
    assert told["clear_text"]
    assert "PUMP" in json.dumps(cli(data, "inventory", "list"))
