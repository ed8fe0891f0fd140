"""Closed-loop load over MLLP from a process of its own: ``python -m bench.loadgen 127.0.0.1:2575 --connections 64``.

Rules:
- Each connection keeps ``--window`` messages outstanding; an acknowledgement lets the next one go.
- A sender has its own patients, ``--patients`` in all, and speaks of each in turn, as a ward's devices do.
- Control ids are unique in a run and rise; each answer must name the id it is for.
- Measured after the warm-up only; what is outstanding at the end is waited for and counted as unanswered if it
  does not come. Times are from writing to the answer, in steps of 10 µs.
- With ``--rate`` each connection has its own even beat, begun at a random point; a message that waited because the
  answer before it was late is timed from when it was due, so that a stall is not hidden.
- One JSON document on stdout; ``--marks`` prints a line when measuring begins and when it ends; ``--every`` a line
  a period to stderr.
- ``--fresh`` opens a connection for each message, for servers that serve one a connection; connecting is timed too.

Deliberately absent: reconnects. A connection that breaks is an error and is counted.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import resource
import socket
import ssl
import sys
import time
from array import array
from collections import deque
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter_ns

import uvloop

from bench.message import SENDER_LETTERS, SIZE_BYTES, Template, template

_STEP_NS = 10_000
_STEPS = 3_000_000  # 30 s
_ANSWER_S_MAX = 10.0
_POLL_S = 0.02
_TIMER_NS = 2_000_000
"""uvloop's timers have steps of 1 ms: a message this little behind its time was not held up."""


@dataclass
class Load:
    """What the run is to be, and what it was."""

    window: int
    count: int | None
    interval_ns: int = 0
    number: int = 0
    running: bool = True
    measuring: bool = False
    sent: int = 0
    acked: int = 0
    refused: int = 0
    strange: int = 0
    broken: int = 0
    answers: int = 0
    steps: array[int] = field(default_factory=lambda: array("I", bytes(4 * _STEPS)))
    recent: list[int] | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def count_answer(self, answer: bytes, control_id: bytes, took_ns: int) -> None:
        """Count one answer; its time only while measuring."""
        if control_id not in answer:
            self.strange += 1
        elif b"MSA|AA|" in answer or b"MSA|CA|" in answer:
            self.acked += 1
        else:
            self.refused += 1
        if self.measuring:
            self.answers += 1
            self.steps[min(took_ns // _STEP_NS, _STEPS - 1)] += 1
            if self.recent is not None:
                self.recent.append(took_ns)

    def percentile(self, share: float) -> float:
        """Give a quantile of the answer times in ms."""
        wanted, seen = share * self.answers, 0
        for step, hits in enumerate(self.steps):
            seen += hits
            if hits and seen >= wanted:
                return round((step + 1) * _STEP_NS / 1e6, 3)
        return 0.0


class Connection(asyncio.Protocol):
    """One connection: sends, reads answers, sends the next."""

    def __init__(self, load: Load, form: Template) -> None:
        self.load = load
        self.form = framed(form)
        self.waiting: deque[tuple[bytes, int]] = deque()
        self.rest = b""
        self.due_ns = self.turn = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP only
        self.transport, self.write = transport, transport.write
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def begin(self, chance: random.Random) -> None:
        self.due_ns = perf_counter_ns() + int(chance.random() * self.load.interval_ns)
        for _ in range(self.load.window):
            self.go()

    def go(self) -> None:
        """Send the next message now, or when it is due."""
        load = self.load
        if not load.interval_ns:
            self.send(perf_counter_ns())
            return
        due_ns, now_ns = self.due_ns, perf_counter_ns()
        self.due_ns = due_ns + load.interval_ns
        if due_ns > now_ns:
            asyncio.get_running_loop().call_later((due_ns - now_ns) / 1e9, self.send, due_ns)
        else:
            self.send(due_ns)

    def send(self, due_ns: int) -> None:
        load = self.load
        if not load.running or load.sent == load.count:
            if load.acked + load.refused == load.count:
                load.done.set()
            return
        number = load.number
        load.number = number + 1
        load.sent += 1
        now_ns = perf_counter_ns()
        control_id = b"%012d" % number
        self.waiting.append((control_id, due_ns if now_ns - due_ns > _TIMER_NS else now_ns))
        self.turn += 1
        self.write(self.form.message(number, self.turn))

    def data_received(self, data: bytes) -> None:
        now = perf_counter_ns()
        if len(self.waiting) == 1 and not self.rest and data.endswith(b"\x1c\r"):
            self.take(data, now)  # the usual case: one answer, whole
            return
        *answers, self.rest = (self.rest + data).split(b"\x1c\r")
        for answer in answers:
            self.take(answer, now)

    def take(self, answer: bytes, now_ns: int) -> None:
        """Count one answer and send the next message."""
        if not self.waiting:
            self.load.strange += 1
            return
        control_id, at_ns = self.waiting.popleft()
        self.load.count_answer(answer, control_id, now_ns - at_ns)
        self.go()

    def connection_lost(self, _error: Exception | None) -> None:
        if self.load.running or self.waiting:
            self.load.broken += 1


class Once(asyncio.Protocol):
    """A connection for one message."""

    def __init__(self) -> None:
        self.got = b""
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.got += data
        if self.got.endswith(b"\x1c\r") and not self.answer.done():
            self.answer.set_result(self.got)

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.answer.done():
            self.answer.set_result(b"")


async def one_each(load: Load, form: Template, host: str, port: int) -> None:
    """Send messages, each over a connection of its own."""
    loop, form, turn = asyncio.get_running_loop(), framed(form), 0
    while load.running and load.sent != load.count:
        number = load.number
        load.number = number + 1
        load.sent += 1
        control_id, at_ns = b"%012d" % number, perf_counter_ns()
        transport, once = await loop.create_connection(Once, host, port)
        turn += 1
        transport.write(form.message(number, turn))
        try:
            answer = await asyncio.wait_for(once.answer, _ANSWER_S_MAX)
        except TimeoutError:
            answer = b""
        if answer:
            load.count_answer(answer, control_id, perf_counter_ns() - at_ns)
        else:
            load.broken += 1
        transport.close()


def framed(form: Template) -> Template:
    """The pieces of a sender's messages with the frame around them."""
    return replace(form, begin=b"\x0b" + form.begin, end=form.end + b"\x1c\r")


async def run(options: argparse.Namespace) -> dict[str, object]:
    """Connect, warm up, measure, wait for the last answers, sum up."""
    load = Load(options.window, options.count, number=options.first_id)
    if options.rate:
        load.interval_ns = int(options.connections / options.rate * 1e9)
    connections, callers = await begin(load, options)
    ticker = asyncio.ensure_future(tick(load, options.every)) if options.every else None
    await asyncio.sleep(options.warm_up)
    mark(options, "begin")
    load.measuring, acked, cpu, start = True, load.acked, cpu_s(), time.perf_counter()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(load.done.wait(), options.seconds)
    load.measuring = False
    seconds, cpu, acked = time.perf_counter() - start, cpu_s() - cpu, load.acked - acked
    mark(options, "end")
    load.running = False
    unanswered = await last_answers(load, connections)
    if ticker:
        ticker.cancel()
    await asyncio.gather(*callers)
    for connection in connections:
        connection.transport.close()
    await asyncio.sleep(0.05)
    return {
        "acked_per_s": round(acked / seconds, 1), "seconds": round(seconds, 3), "acked_measured": acked,
        "p50_ms": load.percentile(0.5), "p99_ms": load.percentile(0.99), "max_ms": load.percentile(1.0),
        "cpu_s": round(cpu, 3), "cpu_us_per_message": round(cpu / acked * 1e6, 2) if acked else None,
        "sent": load.sent, "acked": load.acked, "refused": load.refused, "strange": load.strange,
        "unanswered": unanswered, "broken": load.broken, "connections": options.connections, "window": options.window,
        "patients": options.patients, "message_bytes": SIZE_BYTES, "tls": bool(options.ca), "next_id": load.number,
    }  # fmt: skip


async def begin(
    load: Load, options: argparse.Namespace
) -> tuple[list[Connection], list[asyncio.Future[None]]]:
    """Open the connections and start sending; with ``--fresh`` start the callers."""
    host, _, port = options.to.rpartition(":")
    loop, chance = asyncio.get_running_loop(), random.Random(options.first_id)
    own = max(1, options.patients // options.senders)
    forms = {name: template(name, own, n * own) for n, name in enumerate(senders(options))}
    names = [list(forms)[index % len(forms)] for index in range(options.connections)]
    if options.fresh:
        return [], [asyncio.ensure_future(one_each(load, forms[n], host, int(port))) for n in names]
    connections = []
    for name in names:
        context = tls(options, name)
        _, connection = await loop.create_connection(
            lambda form=forms[name]: Connection(load, form), host, int(port), ssl=context,
            server_hostname=options.server_name if context else None,
        )  # fmt: skip
        connections.append(connection)
    for connection in connections:
        connection.begin(chance)
    return connections, []


async def last_answers(load: Load, connections: list[Connection]) -> int:
    """Wait for what is outstanding; gives how much did not come."""
    for _ in range(int(_ANSWER_S_MAX / _POLL_S)):
        if load.broken >= len(connections) or not any(c.waiting for c in connections):
            break
        await asyncio.sleep(_POLL_S)
    return sum(len(c.waiting) for c in connections)


def mark(options: argparse.Namespace, name: str) -> None:
    """Say that measuring begins or ends."""
    if options.marks:
        print(json.dumps({"mark": name}), flush=True)


def senders(options: argparse.Namespace) -> list[str]:
    """Name the senders; with more than one they are numbered: ``LOAD-000`` …"""
    if options.senders == 1:
        return [options.sender]
    return [f"{options.sender[:4]}-{n:03d}"[:SENDER_LETTERS] for n in range(options.senders)]


def tls(options: argparse.Namespace, name: str) -> ssl.SSLContext | None:
    """Make a sender's TLS context; ``{}`` in the file names stands for its name."""
    if not options.ca:
        return None
    context = ssl.create_default_context(cafile=options.ca)
    if options.cert:
        context.load_cert_chain(options.cert.replace("{}", name), options.key.replace("{}", name))
    return context


def cpu_s() -> float:
    """CPU time of this process, user and system."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def tick(load: Load, every_s: float) -> None:
    """Say how it goes."""
    load.recent, before, at = [], load.acked, time.perf_counter()
    while True:
        await asyncio.sleep(every_s)
        times, load.recent, now = sorted(load.recent), [], time.perf_counter()
        share = {"p50_ms": 0.5, "p99_ms": 0.99, "max_ms": 1.0}
        quantiles = {
            name: round(times[min(len(times) - 1, int(part * len(times)))] / 1e6, 2) if times else 0.0
            for name, part in share.items()
        }
        line = {"acked_per_s": round((load.acked - before) / (now - at), 1), "acked": load.acked} | quantiles
        print(json.dumps(line), file=sys.stderr, flush=True)
        before, at = load.acked, now


def parser() -> argparse.ArgumentParser:
    """The options."""
    p = argparse.ArgumentParser(
        prog="bench.loadgen", description=__doc__.partition("\n")[0] if __doc__ else ""
    )
    p.add_argument("to", help="host:port")
    p.add_argument("--connections", type=int, default=1)
    p.add_argument("--window", type=int, default=1, help="messages outstanding on a connection")
    p.add_argument("--seconds", type=float, default=5.0, help="measured, after the warm-up")
    p.add_argument("--warm-up", type=float, default=1.0)
    p.add_argument("--count", type=int, default=None, help="stop after so many messages, warm-up included")
    p.add_argument(
        "--rate", type=float, default=0.0, help="messages a second in all; 0 = as fast as answered"
    )
    p.add_argument("--patients", type=int, default=1_000)
    p.add_argument("--sender", default="LOAD-000", help="MSH-3")
    p.add_argument("--senders", type=int, default=1, help="how many, numbered; connections take turns")
    p.add_argument("--first-id", type=int, default=time.time_ns() // 1_000_000 % 10**9 * 1_000)
    p.add_argument("--ca", default="", help="TLS: who signed the server")
    p.add_argument("--cert", default="", help="TLS: client certificate; {} is the sender's name")
    p.add_argument("--key", default="")
    p.add_argument("--server-name", default="localhost")
    p.add_argument("--fresh", action="store_true", help="a new connection for each message")
    p.add_argument("--marks", action="store_true", help="print a line when measuring begins and ends")
    p.add_argument("--every", type=float, default=0.0, help="print a line to stderr every so many seconds")
    return p


def main(arguments: list[str] | None = None) -> int:
    """Run and print; 1 when an answer was wrong, missing, or a connection broke."""
    options = parser().parse_args(arguments)
    if options.key and not Path(options.key.replace("{}", senders(options)[0])).exists():
        raise SystemExit("no such key file")
    result = uvloop.run(run(options))
    print(json.dumps(result), flush=True)
    return 1 if result["strange"] or result["unanswered"] or result["broken"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
