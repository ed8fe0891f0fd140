"""``oathward observe`` as a listener: an interface, datagrams, connections, until Ctrl-C or SIGTERM.

Rules:
- Asked to stop it ends in order: what was read is stored. Asked twice it ends at once.
- A reader that is lost is told, and another goes on: who can say something that ends one shall not end the listening.
"""

from __future__ import annotations

import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from oathward.core.errors import InputError

if TYPE_CHECKING:
    from oathward.observing.report import SourceReport
    from oathward.observing.run import Run

LIVE_BYTES = 1 << 16


def live(run: Run, interface: str) -> None:
    """Listen on an interface; what a lost reader had waiting goes with it, and listening begins anew."""
    ends: list[socket.socket] = []

    def end() -> None:
        for one in ends:
            with suppress(OSError):  # gone already
                one.shutdown(socket.SHUT_WR)

    stopped = until_stopped(end)
    while not stopped() and _captured(run, interface, ends, stopped).state == "failed":
        say_on_stderr("a reader was lost, and another begins")


def _captured(
    run: Run, interface: str, ends: list[socket.socket], stopped: Callable[[], bool]
) -> SourceReport:
    """Listen once. ``ends``: while it lasts, what is shut down to end it."""
    from oathward.discovery.live import listening

    theirs, ours = socket.socketpair()

    def pass_on(packets: BinaryIO) -> None:
        with suppress(OSError, ValueError):  # the run ended
            while data := packets.read(LIVE_BYTES):
                ours.sendall(data)
        with suppress(OSError):
            ours.shutdown(socket.SHUT_WR)

    with theirs, ours, listening(interface) as packets:
        say_on_stderr(f"listening on {interface}; Ctrl-C ends")
        ends.append(ours)
        if stopped():  # before it was there to be ended
            ours.shutdown(socket.SHUT_WR)
        passing = threading.Thread(target=pass_on, args=(packets,), daemon=True)
        passing.start()
        try:
            return run.stream(theirs.fileno(), f"{interface}.pcapng")
        finally:
            ends.clear()


def udp(run: Run, address: str) -> None:
    """Listen for datagrams of exporters of flows."""
    from oathward.discovery import reading
    from oathward.discovery.observer import observers

    host, port = _address("--udp", address)
    names = [name for name, one in observers().items() if one.datagram is not None]
    if not names:
        raise InputError("--udp", "nothing here reads datagrams")
    stopped = until_stopped()
    with reading.udp(host, port) as door:
        say_on_stderr(f"listening on {address} (UDP); Ctrl-C ends")
        run.datagrams(door.fileno(), f"udp:{address}", names[0], stopped)


def listen(run: Run, address: str) -> None:
    """Listen for connections of sensors, several at once."""
    from oathward.discovery.reading import tcp, unix
    from oathward.observing.connections import Connections

    stopped = until_stopped()
    with unix(address) if "/" in address else tcp(*_address("--listen", address)) as door:
        say_on_stderr(f"listening on {address}; Ctrl-C ends")
        Connections(run, door, say_on_stderr).serve(stopped)


def _address(option: str, text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise InputError(option, "an address of this machine and a port: 127.0.0.1:2055")
    return host.strip("[]"), int(port)


def until_stopped(also: Callable[[], None] = lambda: None) -> Callable[[], bool]:
    """Let Ctrl-C and SIGTERM end a run in order: what was read is stored. Gives whether one came."""
    came: list[int] = []

    def stop(number: int, _frame: object) -> None:
        if came:  # asked twice: at once
            raise KeyboardInterrupt
        came.append(number)
        also()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return lambda: bool(came)


def say_on_stderr(text: str) -> None:
    """Say how it goes to whoever watches; stdout is the result's."""
    print(text, file=sys.stderr, flush=True)
