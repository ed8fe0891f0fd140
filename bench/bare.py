"""An MLLP server that frames with the gateway's code, sends a ready answer and does nothing else: ``python -m bench.bare``.

First line on stdout: ``{"port": …}``; it ends on SIGTERM. ``--cert --key --ca`` make it ask for client certificates.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import socket

import uvloop

from oathward.gateway.listeners.tls import server_context
from oathward.protocols.hl7v2.mllp import Framer, wrap

_ANSWER = b"MSH|^~\\&|OATHWARD|OATHGEN|LOAD|WARD4|20260504081500+0000||ACK^R01^ACK|0|P|2.6||||||UNICODE UTF-8\rMSA|AA|%b\r"


class Bare(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP only
        self.transport, self.framer = transport, Framer()
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        answers = [wrap(_ANSWER % frame.split(b"|", 10)[9]) for frame in self.framer.feed(data)]
        self.transport.write(b"".join(answers))


async def serve(options: argparse.Namespace) -> None:
    """Listen until SIGTERM."""
    context = server_context(options.cert, options.key, options.ca) if options.cert else None
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Bare, "127.0.0.1", 0, ssl=context)
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await stopped.wait()


def main() -> int:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--cert", "--key", "--ca"):
        parser.add_argument(name, default="")
    uvloop.run(serve(parser.parse_args()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
