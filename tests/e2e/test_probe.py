"""``oathward inventory probe`` as somebody types it, in a network of its own: one device, one connection, on record."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INSIDE = """
import json, os, socket, subprocess, sys, threading, time
from oathward.app import build, create
from oathward.core.db import read
from oathward.core.settings import load
from oathward.discovery.model import Mark, MarkKind, Statement
from oathward.endpoints import actions, views
for command in ("link set lo up", "addr add 10.9.0.7/32 dev lo"):
    subprocess.run(["ip", *command.split()], check=True)
data = sys.argv[1]
create(load(data))
with open(f"{data}/oathward.toml", "a") as file:
    file.write("[network]\\nprobes = true\\n")
site = build(load(data), "admin")
now_us = int(time.time() * 1e6)
said = Statement(now_us, "pcap.arp", site.site, (Mark(MarkKind.ADDRESS, "10.9.0.7"),))
actions.take(site.engine, site.site, [said], now_us, "test")
with read(site.engine) as db:
    [row] = views.page(db, site.site, views.Filters()).rows
site.keeper.close()
site.engine.dispose()
door, came = socket.create_server(("10.9.0.7", 8080)), []
def serve():
    while True:
        connection, _ = door.accept()
        came.append(connection.recv(4096))
        connection.sendall(b"HTTP/1.0 200 OK\\r\\nServer: Vista-Web/3\\r\\n\\r\\n")
        connection.close()
threading.Thread(target=serve, daemon=True).start()
def cli(*arguments):
    command = [sys.executable, "-m", "oathward.cli", *arguments, "--data", data, "--json"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
probe = ("inventory", "probe", row.id, "--with", "http", "--port", "8080", "--why", "which server?")
known = [f"--although={risk}" for risk in ("use-unknown", "criticality-unknown", "consequence-unknown")]
print(json.dumps({
    "without": (held := cli(*probe)).returncode, "why": held.stderr, "came": len(came),
    "with": json.loads((done := cli(*probe, *known)).stdout or "{}"), "err": done.stderr,
    "again": cli(*probe, *known).returncode, "asked": [one.decode() for one in came],
    "records": cli("ledger", "search", "--kind", "probe.ended").stdout,
    "shown": cli("inventory", "show", row.id).stdout,
}))
"""


def test_one_probe_of_one_device_from_the_command_line(tmp_path):
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        pytest.skip("no unshare or ip")
    if subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no network namespace may be made here")

    ran = subprocess.run(
        ["unshare", "-n", sys.executable, "-c", textwrap.dedent(INSIDE), str(tmp_path / "site")],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout.splitlines()[-1])
    assert (said["without"], said["came"]) == (65, 0), "risks were not named"
    assert "probe.at-risk" in said["why"]
    assert said["with"]["outcome"] == "answered", said["err"]
    assert said["with"]["told"] == {"server-software": "Vista-Web/3"}
    assert said["again"] == 65
    [request] = said["asked"]
    assert request.startswith("HEAD / HTTP/1.1\r\n")
    assert "answered" in said["records"]
    assert "probe.http" in said["shown"]
    assert "Vista-Web/3" in said["shown"]
