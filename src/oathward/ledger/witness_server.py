"""A thin server around the witness: TCP or a Unix socket, bounded in connections and time.

Deliberately absent: any rule (``witness.py``), any parsing (``witness_wire.py``).
"""

from __future__ import annotations

import asyncio
import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from oathward.core.errors import InputError, OathwardError
from oathward.core.reasons import Reason
from oathward.ledger.witness import Answer, Witness
from oathward.ledger.witness_wire import Request, RequestInbox, write_answer

CONNECTIONS_MAX = 64
EXCHANGE_S_MAX = 10.0
_READ_BYTES = 65_536


def parse_address(address: str) -> tuple[str, int] | Path:
    """Read ``HOST:PORT``, ``[V6]:PORT`` or ``unix:PATH``.

    Raises:
        InputError: another form.
    """
    if address.startswith("unix:"):
        return Path(address.removeprefix("unix:"))
    if address.startswith("/"):
        return Path(address)
    host, _, port = address.rpartition(":")
    if not host or not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65_535:
        raise InputError("address", "write HOST:PORT or unix:PATH")
    return host.strip("[]"), int(port)


def respond(witness: Witness, request: Request) -> Answer:
    """Give the witness's answer to one request; a disk that fails is 503, and nothing was cosigned."""
    try:
        if request.method == "POST" and request.path == "/add-checkpoint":
            return witness.add_checkpoint(request.body)
        if request.method == "GET" and request.path.endswith("/checkpoint"):
            return witness.checkpoint(request.path[1:].removesuffix("/checkpoint"))
    except OathwardError as error:
        return Answer(503, f"{error.reason.code}: {error.where} {error.why}\n")
    return Answer(404, "no such page\n")


async def serve(witness: Witness, address: str, ready: Callable[[str], None]) -> None:
    """Serve until cancelled.

    Args:
        ready: told the address in force (with the port that was taken for port 0).

    Raises:
        InputError: the address cannot be read.
        OSError: it cannot be taken.
    """
    open_now = 0

    async def on_connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now
        open_now += 1
        try:
            if open_now <= CONNECTIONS_MAX:
                with suppress(TimeoutError, ConnectionError):
                    async with asyncio.timeout(EXCHANGE_S_MAX):
                        await _exchange(witness, reader, writer)
        finally:
            open_now -= 1
            writer.close()

    where = parse_address(address)
    if isinstance(where, Path):
        _clear_socket(where)
        server = await asyncio.start_unix_server(on_connect, str(where))
        where.chmod(0o666)  # anybody may submit: a checkpoint counts by its signature alone
        ready(f"unix:{where}")
    else:
        server = await asyncio.start_server(on_connect, *where)
        host, port = server.sockets[0].getsockname()[:2]
        ready(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    async with server:
        await server.serve_forever()


async def _exchange(witness: Witness, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    inbox, request = RequestInbox(), None
    try:
        while request is None:
            data = await reader.read(_READ_BYTES)
            if not data:
                return
            request = inbox.feed(data)
    except InputError as error:
        status = 413 if error.reason is Reason.LIMIT_EXCEEDED else 400
        answer = Answer(status, f"{error.reason.code}: {error.where} {error.why}\n")
    else:
        answer = await asyncio.to_thread(respond, witness, request)
    writer.write(write_answer(answer))
    await writer.drain()


def _clear_socket(path: Path) -> None:
    """Remove what a witness that was killed left; its lock on the folder has gone with it."""
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            path.unlink()
