"""Start one peer's server and stop it again."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.peers import setup

STOP_S_MAX = 5.0


@dataclass(frozen=True)
class Peer:
    """A peer that listens: its process, the port of 127.0.0.1, and the version it is of."""

    name: str
    version: str
    port: int
    process: subprocess.Popen[str]


@contextmanager
def running(name: str, *, port: int = 0, cpu: int | None = None) -> Iterator[Peer]:
    """Run a peer's server, set up first where it is not.

    Args:
        port: 0 takes a free one.
        cpu: pin the server to this core.
    """
    pinned = ["taskset", "--cpu-list", str(cpu)] if cpu is not None else []
    process = subprocess.Popen(
        [*pinned, *setup.command(name, port)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"{name} ended with {process.wait(STOP_S_MAX)} before it listened")
        said = json.loads(line)
        yield Peer(name, said["version"], said["port"], process)
    finally:
        process.terminate()
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
