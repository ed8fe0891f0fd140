"""Recipients that note when bytes about a patient were in their sockets: ``python -m bench.arrivals CERT KEY``.

Three paths: a fast MLLP recipient, a slow one that reads ten bytes each ten milliseconds, a FHIR server by TLS. What came of a patient
is told by the hospital number, eight digits that begin with 97 and stand in every message of the load generator.

Rules:
- First line on stdout: ``{"fast": port, "slow": port, "fhir": port}``. Then one JSON line for each line on stdin: ``counts``,
  ``slow`` (from now on it is slow), ``wire`` (whose messages the slow one is reading), ``report`` (last byte by path and patient; the slow one then reads the
  rest at once), ``quit``.
- A time is when the bytes were in this end's socket, not when they were read: of the slow one the kernel is asked.
- The clock is that of the machine, as the site's is.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import re
import socket
import ssl
import struct
import sys
import termios
import time
from dataclasses import dataclass, field

_END = b"\x1c\r"
NUMBER = re.compile(rb"\b97\d{6}\b")
_LOOK_S = 0.01
_BITE = 10


@dataclass
class Path:
    """What one recipient got. ``last``: patient -> when the last byte about them had come."""

    messages: int = 0
    last: dict[str, float] = field(default_factory=dict)

    def got(self, message: bytes, at_s: float) -> None:
        self.messages += 1
        found = NUMBER.search(message)
        if found:
            self.last[found[0].decode()] = at_s


class Fast(asyncio.Protocol):
    """Answers each MLLP message at once."""

    def __init__(self, path: Path) -> None:
        self.path, self.rest = path, b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP only
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        at_s = time.time()
        *frames, self.rest = (self.rest + data).split(_END)
        for frame in frames:
            self.path.got(frame, at_s)
        self.transport.write(b"".join(map(answer, frames)))
        if self.rest and (found := NUMBER.search(self.rest)):
            self.path.last[found[0].decode()] = at_s  # half a message counts


class Fhir(asyncio.Protocol):
    """Answers ``201`` to updates, and a response for each entry to transactions; has nothing yet."""

    def __init__(self, path: Path) -> None:
        self.path, self.rest = path, b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP only
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        at_s, self.rest = time.time(), self.rest + data
        while (end := self.rest.find(b"\r\n\r\n")) >= 0:
            head = self.rest[:end].lower()
            size = re.search(rb"content-length: (\d+)", head)
            stop = end + 4 + (int(size[1]) if size else 0)
            body = self.rest[end + 4 : stop]
            if found := NUMBER.search(body):
                self.path.last[found[0].decode()] = at_s
            if len(self.rest) < stop:
                return
            self.rest = self.rest[stop:]
            self._answer(head, body, at_s)

    def _answer(self, head: bytes, body: bytes, at_s: float) -> None:
        said = b""
        if head.startswith(b"get"):
            status = b"404"
        else:
            self.path.got(body, at_s)
            status = b"201" if head.startswith(b"put") else b"200"
            if status == b"200":
                entries = [{"response": {"status": "201"}}] * body.count(b'"request":')
                said = json.dumps(
                    {"resourceType": "Bundle", "type": "transaction-response", "entry": entries}
                ).encode()
        self.transport.write(
            b"HTTP/1.1 %b X\r\nContent-Type: application/fhir+json\r\nContent-Length: %d\r\n\r\n%b"
            % (status, len(said), said)
        )


@dataclass
class Trickle:
    """One connection of the slow recipient. ``arrived``: (when, how many bytes had come by then)."""

    read: bytearray = field(default_factory=bytearray)
    arrived: list[tuple[float, int]] = field(default_factory=list)
    answered: int = 0

    def messages(self) -> list[tuple[int, int, str]]:
        """Give (first byte, behind the last, patient) of each message, half ones too."""
        found, start = [], 0
        for body in bytes(self.read).split(_END):
            end = start + len(body) + len(_END)
            if number := NUMBER.search(body):
                found.append((start, end, number[0].decode()))
            start = end
        return found

    def last_byte(self, start: int, end: int) -> float:
        """When the last of some bytes had come."""
        behind = 0
        last_s = 0.0
        for at_s, count in self.arrived:
            if count > start and behind < end:
                last_s = at_s
            behind = count
        return last_s


class Slow:
    """A recipient that reads a kilobyte a second once it is told to, and the rest at once when all is over."""

    def __init__(self) -> None:
        self.path, self.trickles = Path(), list[Trickle]()
        self.hurry, self.closing = True, False
        self.server = socket.socket()
        self.server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.server.bind(("127.0.0.1", 0))
        self.server.listen(64)
        self.server.setblocking(False)
        self.port = self.server.getsockname()[1]
        self.tasks = set[asyncio.Task[None]]()

    async def accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            one, _ = await loop.sock_accept(self.server)
            task = asyncio.create_task(self._serve(one))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _serve(self, one: socket.socket) -> None:
        trickle = Trickle()
        self.trickles.append(trickle)
        with one, contextlib.suppress(OSError):
            while True:
                await asyncio.sleep(_LOOK_S / 10 if self.hurry else _LOOK_S)
                [waits] = struct.unpack("i", fcntl.ioctl(one, termios.FIONREAD, b"\0" * 4))
                there = len(trickle.read) + waits
                if there > (trickle.arrived[-1][1] if trickle.arrived else 0):
                    trickle.arrived.append((time.time(), there))
                try:
                    data = one.recv(1 << 20 if self.hurry or self.closing else _BITE)
                except BlockingIOError:
                    if self.closing:
                        return
                    continue
                if not data:
                    return
                trickle.read += data
                if not self.closing and (end := trickle.read.find(_END, trickle.answered)) >= 0:
                    self.path.messages += 1
                    one.send(answer(bytes(trickle.read[trickle.answered : end])))
                    trickle.answered = end + len(_END)

    def on_wire(self) -> list[str]:
        """Give the patients whose messages are being read now."""
        found = (NUMBER.search(one.read, one.answered) for one in self.trickles)
        return [number[0].decode() for number in found if number]

    async def report(self) -> dict[str, float]:
        """Read the rest, and say when the last byte about each patient had come."""
        self.closing = True
        await asyncio.sleep(0.5)
        last: dict[str, float] = {}
        for trickle in self.trickles:
            for start, end, number in trickle.messages():
                last[number] = max(last.get(number, 0.0), trickle.last_byte(start, end))
        return last


def answer(frame: bytes) -> bytes:
    """Acknowledge one message."""
    control_id = frame.split(b"|", 10)[9]
    return b"\x0bMSH|^~\\&|||||||ACK|A%b|P|2.6\rMSA|AA|%b\r\x1c\r" % (control_id[-18:], control_id)


async def serve(certificate: str, key: str) -> None:
    """Listen until told to stop."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    loop = asyncio.get_running_loop()
    fast, fhir, slow = Path(), Path(), Slow()
    servers = [
        await loop.create_server(lambda: Fast(fast), "127.0.0.1", 0),
        await loop.create_server(lambda: Fhir(fhir), "127.0.0.1", 0, ssl=context),
    ]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    accepting = asyncio.create_task(slow.accept())
    say({"fast": ports[0], "fhir": ports[1], "slow": slow.port})
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while (word := (await commands.readline()).decode().strip()) and word != "quit":
        if word == "wire":
            say({"slow": slow.on_wire()})
        elif word == "report":
            say({"fast": fast.last, "fhir": fhir.last, "slow": await slow.report()})
        else:
            slow.hurry = slow.hurry and word != "slow"
            say({"fast": fast.messages, "fhir": fhir.messages, "slow": slow.path.messages})
    accepting.cancel()
    say({})


def say(value: dict[str, object]) -> None:
    """Print one JSON line."""
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:3]))
