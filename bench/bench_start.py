"""How long a gateway takes to be there: ``python -m bench.bench_start`` (or ``make bench ARGS=start``).

Goal: ready, which is keys, policy and devices loaded and every port open, at most 2 s after its process was started.

How:
- A fresh site with both doors open and its keeper running. The gateway's process is started alone, as the supervisor
  starts it, and stopped again, some times over.
- From bytecode, as an installed program: the first start, which may have to compile, does not count.
- Ready is when a connection to the MLLP port is taken and the process says so itself; both from outside.
- CPU is the kernel's, of all its threads, at that moment: what it would take where nobody else is at work.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.site import Site, bundle

from bench import numbers
from bench.site import cpu_s
from oathward.core.process import statuses
from oathward.inventory.model import Device

GOAL_S = 2.0
PATIENCE_S = 60.0


def main() -> int:
    """Measure; 1 when the goal is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--devices", type=int, default=100)
    options = parser.parse_args()
    about = numbers.about()
    numbers.say_about(about)
    folder = Path(tempfile.mkdtemp(prefix="oathward-bench-"))
    try:
        found = measure(folder / "s", options.rounds, options.devices)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    middle = numbers.triple(found["ready_s"])[0]
    print(f"gateway ready  {numbers.spread(found['ready_s'], 2)} s, goal {GOAL_S:.0f} s")
    print(f"its CPU        {numbers.spread(found['cpu_s'], 2)} s")
    numbers.keep("start", {"about": about, **found})
    return int(middle > GOAL_S)


def measure(folder: Path, rounds: int, devices: int) -> dict[str, Any]:
    """Start and stop the gateway beside a keeper that runs."""
    site = Site.make(folder, fhir="", tls=True, console=True)
    site.activate(bundle({"ehr": "mllp://127.0.0.1:9"}))
    site.add(
        *(Device(id=f"mon-{n}", kind="monitor", addresses=frozenset({"127.0.0.1"})) for n in range(devices))
    )
    found: dict[str, list[float]] = {"ready_s": [], "cpu_s": []}
    keeper = start(site, "keeper")
    try:
        wait(site, "keeper", keeper)
        for _ in range(rounds + 1):
            began = time.monotonic()
            gateway = start(site, "gateway")
            try:
                wait(site, "gateway", gateway)
                socket.create_connection(("127.0.0.1", site.port()), 5).close()
                found["ready_s"].append(time.monotonic() - began)
                found["cpu_s"].append(cpu_s(gateway.pid))
            finally:
                stop(gateway)
    finally:
        stop(keeper)
    return {name: values[1:] for name, values in found.items()}  # the first reads everything from the disk


def start(site: Site, role: str) -> subprocess.Popen[bytes]:
    """Start one process as the supervisor does."""
    command = [sys.executable, "-m", "oathward.app", role, "--data", str(site.folder)]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment)


def wait(site: Site, role: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a process says that it is ready."""
    until = time.monotonic() + PATIENCE_S
    while True:
        said = statuses(site.folder / "run").get(role, {})
        if said.get("state") == "ready" and said.get("pid") == process.pid:
            return
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"the {role} did not start")
        time.sleep(0.005)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End it, and wait."""
    if process.poll() is None:
        os.kill(process.pid, signal.SIGTERM)
    process.wait(30)


if __name__ == "__main__":
    raise SystemExit(main())
