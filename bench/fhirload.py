"""Clients of a FHIR door: ``python -m bench.fhirload``; each posts one reading after the other and waits for its answer.

The last line on stdout: ``{"stored": …, "refused": …, "seconds": …, "p99_ms": …}``, of the time after the warm-up.
Requests are written before, so that the clients cost little.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import time

import uvloop
from tests.fhir_wire import request

from bench.bench_fhir import PATIENTS, observation
from oathward.protocols.fhir.json import dumps

_LENGTH = b"content-length: "


class Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, requests: list[bytes], stats: Stats) -> None:
        self._requests, self._stats, self._buffer, self._sent_s = requests, stats, b"", 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP only
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        at = head.lower().find(_LENGTH)
        size = int(head[at + len(_LENGTH) :].split(b"\r", 1)[0]) if at >= 0 else 0
        if len(rest) < size:
            return
        self._buffer = rest[size:]
        self._stats.answered(head[9:12], time.monotonic() - self._sent_s)
        self._next()

    def connection_lost(self, _error: Exception | None) -> None:
        self._stats.lost += 1

    def _next(self) -> None:
        if self._requests:
            self._sent_s = time.monotonic()
            self._transport.write(self._requests.pop())
        else:
            self._stats.dry = True


class Stats:
    """What came back."""

    def __init__(self) -> None:
        self.stored = self.refused = self.lost = 0
        self.waited_s: list[float] = []
        self.dry = False

    def answered(self, status: bytes, waited_s: float) -> None:
        """Count one answer."""
        self.waited_s.append(waited_s)
        if status in (b"200", b"201"):
            self.stored += 1
        else:
            self.refused += 1


async def load(options: argparse.Namespace) -> Stats:
    """Post until the time is over; nobody may run out of readings, nor lose the connection."""
    context = ssl.create_default_context(cafile=options.ca)
    context.load_cert_chain(options.cert, options.key)
    stats, loop, per_client = Stats(), asyncio.get_running_loop(), options.messages // options.connections
    for n in range(options.connections):
        first = options.first + n * per_client
        requests = [
            request("POST", "/fhir/Observation", dumps(observation(i, i % PATIENTS)))
            for i in range(first, first + per_client)
        ]
        await loop.create_connection(
            lambda mine=requests: Client(mine, stats),
            "127.0.0.1", options.port, ssl=context, server_hostname="localhost",
        )  # fmt: skip
    await asyncio.sleep(options.warm_up)
    print(json.dumps({"begin": True}), flush=True)
    stats.stored, stats.refused, stats.waited_s = 0, 0, []
    await asyncio.sleep(options.seconds)
    assert not stats.dry, "out of readings: ask for more"
    assert not stats.lost, "a connection was lost"
    return stats


def main() -> int:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--ca", "--cert", "--key"):
        parser.add_argument(name, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--messages", type=int, default=64_000)
    parser.add_argument("--first", type=int, default=10_000_000)
    parser.add_argument("--warm-up", type=float, default=3.0)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    stats = uvloop.run(load(options))
    waited = sorted(stats.waited_s) or [0.0]
    found = {
        "stored": stats.stored,
        "refused": stats.refused,
        "seconds": options.seconds,
        "p99_ms": waited[int(len(waited) * 0.99)] * 1e3,
    }
    print(json.dumps(found), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
