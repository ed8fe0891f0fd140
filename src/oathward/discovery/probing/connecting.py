"""One connection to one address and port, opened here, and talked over by a worker that is confined; what it says is believed as far as a stranger.

Rules:
- One connection and no second one, whatever comes of it: nothing is tried again.
- The worker stands ready before the connection is opened, so that a device never waits for us.
- At most ``CONNECT_S_MAX`` to open it and ``ANSWER_S_MAX`` to talk; a worker that takes longer is ended, and with it the connection.
- Of what the worker says only what its kind may tell is taken, printable and short.

Deliberately absent: whether the device may be asked, and on whose order (``observing.probing``); names: an address is asked as it is.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from typing import Any

from oathward.core import frames, workers
from oathward.core.sandbox import SandboxError
from oathward.discovery.model import Fact
from oathward.discovery.probing.probe import (
    ANSWER_S_MAX,
    BYTES_MAX,
    CONNECT_S_MAX,
    Outcome,
    Probe,
    Told,
    probes,
)
from oathward.discovery.values import printable

START_S_MAX = 60.0
FACTS_MAX = 32
ANSWER_BYTES_MAX = 1 << 20
"""Of what a worker says of one answer."""
DETAIL_LENGTH_MAX = 100
_GRACE_S = 2.0
_DIGEST = re.compile(r"[0-9a-f]{64}")


def ask(kind: str, address: str, port: int, called: str = "") -> Told:
    """Open one connection, talk, close it.

    Args:
        kind: of ``probes()``. address: of IP. called: AE title of DICOM; empty where nobody knows it.

    Raises:
        SandboxError: no worker could be started or confined; nothing was opened then.
    """
    probe = probes()[kind]
    if probe.talk is None:
        opened = _connected(address, port)
        if isinstance(opened, Outcome):
            return Told(opened)
        opened.close()
        return Told(Outcome.OPEN)
    process, ours = workers.start("oathward.discovery.probing.worker")
    try:
        _ready(ours, {"kind": kind, "address": address, "port": port, "called": called})
        opened = _connected(address, port)
        if isinstance(opened, Outcome):
            return Told(opened)
        with opened:
            frames.send(ours, {"time_s": ANSWER_S_MAX}, [opened.fileno()])
        head = _receive(ours, ANSWER_S_MAX + _GRACE_S)
        return _told(head, probe) if head is not None else Told(Outcome.LOST)
    except OSError:
        return Told(Outcome.LOST)
    finally:
        process.kill()
        process.wait()
        ours.close()


def _ready(ours: socket.socket, asked: dict[str, Any]) -> None:
    """Tell a worker what it will talk, and wait until it is confined.

    Raises:
        SandboxError: it never was.
    """
    try:
        frames.send(ours, asked)
        head = _receive(ours, START_S_MAX)
    except OSError as error:
        raise SandboxError("what would talk to a device did not start, or could not be confined") from error
    if head is None or head.get("ready") is not True:
        raise SandboxError("what would talk to a device did not start, or could not be confined")


def _connected(address: str, port: int) -> socket.socket | Outcome:
    """Open the one connection, or say what came of it."""
    opened = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    opened.settimeout(CONNECT_S_MAX)
    try:
        opened.connect((address, port))
    except OSError as error:
        opened.close()
        if isinstance(error, ConnectionRefusedError):
            return Outcome.REFUSED
        return Outcome.NO_ANSWER if isinstance(error, TimeoutError) else Outcome.UNREACHABLE
    return opened


def _receive(ours: socket.socket, time_s: float) -> dict[str, Any] | None:
    ours.settimeout(time_s)
    got = frames.receive(ours, time_s=time_s, bytes_max=ANSWER_BYTES_MAX)
    return got[0] if got is not None else None


def _told(head: Mapping[str, Any], probe: Probe) -> Told:
    """Read what a worker says as a stranger's word; what cannot be is ``LOST``."""
    try:
        outcome = Outcome(head["outcome"])
        facts = tuple(
            Fact(name, printable(value), min(1.0, max(0.0, float(sure))))
            for name, value, sure in head["facts"][:FACTS_MAX]
            if name in probe.says and printable(value)
        )
        digest = head["certificate"] if _DIGEST.fullmatch(head["certificate"]) else ""
        received = min(max(int(head["received"]), 0), BYTES_MAX)
        detail = printable(head["detail"])[:DETAIL_LENGTH_MAX]
    except (KeyError, TypeError, ValueError):
        return Told(Outcome.LOST)
    return Told(outcome, facts, digest if "certificate-subject" in probe.says else "", detail, received)
