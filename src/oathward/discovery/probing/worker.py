"""Hold one conversation in a process of its own that can do nothing else: ``python -m oathward.discovery.probing.worker FD``.

| parent | worker |
|---|---|
| kind, address, port, AE title | ready |
| the connection, opened; how long it may take | what was told |

Rules:
- Confined (``core.sandbox``) before the connection is handed over: it opens none itself, no files, no other programs, bounded memory.
- At most ``BYTES_MAX`` are read and ``time_s`` is taken, however they drip; then the connection is closed.

Deliberately absent: keys, database, clock; whether to believe what it says (``connecting``).
"""

from __future__ import annotations

import socket
import sys
import time
from dataclasses import replace

from oathward.core import frames
from oathward.core.sandbox import confine, no_more_threads
from oathward.discovery.probing.probe import BYTES_MAX, Outcome, Talk, Told, probes

MEMORY_BYTES_MAX = 1 << 30


def main(arguments: list[str]) -> int:
    """Hold one conversation for the parent."""
    parent = socket.socket(fileno=int(arguments[0]))
    asked = frames.receive(parent)
    if asked is None:
        return 1
    probe = probes()[asked[0]["kind"]]
    assert probe.talk is not None
    talk = probe.talk(asked[0]["address"], asked[0]["port"], asked[0]["called"])
    first = talk.begin()
    confine(MEMORY_BYTES_MAX)
    no_more_threads()
    frames.send(parent, {"ready": True})
    begun = frames.receive(parent, 1)
    if begun is None or len(begun[1]) != 1:
        return 1
    told = converse(talk, first, begun[1][0], begun[0]["time_s"])
    frames.send(
        parent,
        {
            "outcome": told.outcome.value,
            "facts": [list(fact) for fact in told.facts],
            "certificate": told.certificate,
            "detail": told.detail,
            "received": told.received_bytes,
        },
    )
    return 0


def converse(talk: Talk, first: bytes, fd: int, time_s: float) -> Told:
    """Talk over a connection until there is nothing more to ask, the other side ends it, or time or bytes are used up."""
    until_s, received, ended = time.monotonic() + time_s, 0, False
    with socket.socket(fileno=fd) as connection:
        try:
            _send(connection, first, until_s)
            while not talk.done and not ended and received < BYTES_MAX:
                connection.settimeout(_left(until_s))
                data = connection.recv(min(4_096, BYTES_MAX - received))
                received, ended = received + len(data), not data
                _send(connection, talk.take(data) if data else b"", until_s)
        except TimeoutError:
            pass
        except OSError:  # reset, or gone while we spoke
            ended = True
    told = replace(talk.told(), received_bytes=received)
    if told.outcome is not Outcome.SILENT:
        return told
    if received >= BYTES_MAX:
        return replace(told, outcome=Outcome.OTHER)
    return replace(told, outcome=Outcome.ENDED) if ended else told


def _send(connection: socket.socket, data: bytes, until_s: float) -> None:
    if data:
        connection.settimeout(_left(until_s))
        connection.sendall(data)


def _left(until_s: float) -> float:
    """Give how long there is left.

    Raises:
        TimeoutError: no time.
    """
    left_s = until_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
