"""A fast recipient: acknowledges, counts, and keeps on request: ``python -m bench.sink --ports 0 0 0``.

Rules:
- First line on stdout: ``{"ports": […]}``. Then one JSON line for each line on stdin: ``stats``, ``reset``, ``quit``; the end
  of stdin is ``quit``.
- Answers of one read are written together; MSH-10 is echoed.
- ``--distinct`` remembers ids, so that a second copy is counted; ``--keep`` appends every message to a file, framed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import socket
import ssl
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import uvloop

_END = b"\x1c\r"


@dataclass
class Port:
    """What one port got."""

    port: int = 0
    messages: int = 0
    size: int = 0
    twice: int = 0
    connections: int = 0
    last_s: float = 0.0
    ids: set[bytes] | None = None

    def stats(self) -> dict[str, object]:
        return {
            "port": self.port, "messages": self.messages, "bytes": self.size, "twice": self.twice,
            "connections": self.connections, "last_s": self.last_s,
        }  # fmt: skip


@dataclass
class Sink:
    """All ports and the file."""

    ports: list[Port] = field(default_factory=list)
    file: BinaryIO | None = None


class Connection(asyncio.Protocol):
    """One connection to a port."""

    def __init__(self, sink: Sink, port: Port) -> None:
        self.sink, self.port, self.rest = sink, port, b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP only
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port.connections += 1

    def data_received(self, data: bytes) -> None:
        port, file = self.port, self.sink.file
        if self.rest:
            data = self.rest + data
        *frames, self.rest = data.split(_END)
        answers = []
        for frame in frames:
            control_id = frame.split(b"|", 10)[9]
            answers.append(
                b"\x0bMSH|^~\\&|||||||ACK|A%b|P|2.6\rMSA|AA|%b\r\x1c\r" % (control_id[-18:], control_id)
            )
            port.size += len(frame)
            if port.ids is not None:
                if control_id in port.ids:
                    port.twice += 1
                port.ids.add(control_id)
            if file is not None:
                file.write(frame + _END)
        if answers:
            port.messages += len(answers)
            port.last_s = time.time()
            self.transport.write(b"".join(answers))


async def serve(options: argparse.Namespace) -> None:
    """Listen until told to stop."""
    sink = Sink(file=Path(options.keep).open("ab") if options.keep else None)  # noqa: ASYNC230, SIM115  once, at the start; closed at the end
    loop = asyncio.get_running_loop()
    context = tls(options)
    for number in options.ports:
        port = Port(ids=set() if options.distinct else None)
        server = await loop.create_server(
            lambda port=port: Connection(sink, port), options.host, number, ssl=context
        )
        port.port = server.sockets[0].getsockname()[1]
        sink.ports.append(port)
    say({"ports": [p.port for p in sink.ports]})
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while (line := (await commands.readline()).decode().strip()) and line != "quit":
        if line == "reset":
            for port in sink.ports:
                port.messages = port.size = port.twice = 0
                port.ids = set() if options.distinct else None
        say(stats(sink))
    if sink.file is not None:
        sink.file.close()
    say(stats(sink))


def stats(sink: Sink) -> dict[str, object]:
    """Sum up."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "messages": sum(p.messages for p in sink.ports), "ports": [p.stats() for p in sink.ports],
        "cpu_s": round(used.ru_utime + used.ru_stime, 3), "at_s": time.time(),
    }  # fmt: skip


def say(value: dict[str, object]) -> None:
    """Print one JSON line."""
    print(json.dumps(value), flush=True)


def tls(options: argparse.Namespace) -> ssl.SSLContext | None:
    """Make the server's TLS context; with ``--ca`` clients must show a certificate."""
    if not options.cert:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.cert, options.key)
    if options.ca:
        context.load_verify_locations(options.ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def main(arguments: list[str] | None = None) -> int:
    """Run until stdin says stop."""
    p = argparse.ArgumentParser(prog="bench.sink", description=__doc__.partition("\n")[0] if __doc__ else "")
    p.add_argument("--host", default="127.0.0.1")
    p.add_argument("--ports", type=int, nargs="+", default=[0])
    p.add_argument("--keep", default="", help="append every message to this file")
    p.add_argument("--distinct", action="store_true", help="count second copies")
    p.add_argument("--cert", default="")
    p.add_argument("--key", default="")
    p.add_argument("--ca", default="", help="ask clients for a certificate of this authority")
    uvloop.run(serve(p.parse_args(arguments)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
