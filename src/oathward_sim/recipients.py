"""Recipients that keep what they get, and can be told to misbehave.

Rules:
- What arrived is appended with its time of receipt, before it is acknowledged; nothing is ever taken away.
- Every fault is switched on by a test or the demo and counted, so that the judge knows what to forgive: a
  second copy is forgiven only if the first one was never acknowledged.

Source: HL7 v2.6 §2.9.2; MLLP release 1; FHIR R4 §3.1.0.4, §3.1.0.11.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import socket
import ssl
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from oathward_sim import https
from oathward_sim.hl7 import END, START, answer, frame, header_field

_FRAME_BYTES_MAX = 16 * 1024 * 1024


@dataclass(slots=True)
class Kept:
    """One thing a recipient got.

    Args:
        id: the outgoing id: MSH-10, what an envelope or file name says, or where FHIR was put.
        data: as it came off the wire or the folder.
        acked: whether the recipient answered it; False forgives a second copy.
    """

    at_s: float
    id: str
    data: bytes
    acked: bool = True


@dataclass(slots=True)
class Faults:
    """Switches; all off at the start. Counters go down as faults happen.

    Args:
        refuse: close every connection at once. stall: take bytes, never answer.
        close_mid_ack: for so many messages, answer half and close. slow_s: wait before each answer.
        drop: acknowledge so many messages and keep nothing: the judge must then report them lost.
        code: answer this instead of AA, or of a status that says yes.
        notices: what becomes of notices of what a patient allows: taken, ``refuse`` or ``ignore`` (never answered).
    """

    refuse: bool = False
    stall: bool = False
    close_mid_ack: int = 0
    slow_s: float = 0.0
    drop: int = 0
    code: str = ""
    notices: Literal["", "refuse", "ignore"] = ""


def is_notice(data: bytes) -> bool:
    """Whether a delivery tells what a patient allows: an ``ADT^A31`` with ``CON``, or a Consent."""
    return (b"|ADT^A31" in data and b"\rCON|" in data) or data.startswith(b'{"resourceType":"Consent"')


@dataclass(slots=True)
class Recipient:
    """An MLLP server, plain or TLS.

    Args:
        id: as in the bundle.
        tls: server context; None = plain.
        journal: file that gets one JSON line a thing kept; None = memory only.
        port: 0 = any free one, which ``start`` then sets.
    """

    id: str
    tls: ssl.SSLContext | None = None
    journal: Path | None = None
    host: str = "127.0.0.1"
    port: int = 0
    faults: Faults = field(default_factory=Faults)
    kept: list[Kept] = field(default_factory=list)
    dropped: int = 0
    connections: int = 0
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def notices(self) -> list[Kept]:
        """What came that tells what a patient allows, among all that was kept."""
        return [one for one in self.kept if is_notice(one.data)]

    async def start(self) -> None:
        """Listen; a second start after ``stop`` takes the same port."""
        self._server = await asyncio.start_server(
            self._serve, self.host, self.port, ssl=self.tls, limit=_FRAME_BYTES_MAX
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and close every connection."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.close()
        await asyncio.sleep(0)
        if self._server is not None:
            await self._server.wait_closed()
        self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._writers.add(writer)
        try:
            while not self.faults.refuse and await self._next(reader, writer):
                pass
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass  # the far side went away or talks nonsense, or we are stopping
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _next(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Read and take one message; False closes the connection."""
        body = (await reader.readuntil(END)).removeprefix(START).removesuffix(END)
        item = Kept(time.time(), header_field(body, 10).decode("ascii", "replace"), body, acked=False)
        code = self.faults.code or ("AE" if self._refuses(body) else "AA")
        reply = frame(answer(body, code, datetime.now(UTC)))
        return await self._take(item, reply, writer, yes=code in {"AA", "CA"})

    async def _take(self, item: Kept, reply: bytes, writer: asyncio.StreamWriter, *, yes: bool) -> bool:
        """Keep and answer one message; False closes the connection."""
        faults = self.faults
        if faults.drop > 0:
            faults.drop -= 1
            self.dropped += 1
            writer.write(reply)
            await writer.drain()
            return True
        if yes:
            self._keep(item)
        if faults.stall or (faults.notices == "ignore" and is_notice(item.data)):
            return True
        if faults.close_mid_ack > 0:
            faults.close_mid_ack -= 1
            writer.write(reply[: len(reply) // 2])
            await writer.drain()
            return False
        if faults.slow_s:
            await asyncio.sleep(faults.slow_s)
        writer.write(reply)
        await writer.drain()
        item.acked = True
        return True

    def _refuses(self, data: bytes) -> bool:
        return self.faults.notices == "refuse" and is_notice(data)

    def _keep(self, item: Kept) -> None:
        self.kept.append(item)
        if self.journal is not None:
            line = {"at": item.at_s, "id": item.id, "data": base64.b64encode(item.data).decode()}
            with self.journal.open("a") as out:
                out.write(json.dumps(line) + "\n")


@dataclass(slots=True)
class FhirRecipient(Recipient):
    """An HTTPS server that takes updates, transactions of updates and reads, as a FHIR server does.

    What is kept is known by where it was put: the same thing put there again is a second copy of it.

    Args:
        resources: type and id -> JSON, as they are now.
    """

    resources: dict[str, bytes] = field(default_factory=dict)

    async def _next(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        asked = await https.read_request(reader)
        if asked.method == "GET":
            return await self._say(asked.target, writer)
        places, status = _places(asked)
        status = int(self.faults.code or (422 if self._refuses(asked.body) else status))
        item = Kept(time.time(), " ".join(sorted(places)), asked.body, acked=False)
        taken = status < 300
        said: list[dict[str, Any]] = [{"response": {"status": "200"}} for _ in places]
        body = b""
        if asked.method == "POST" and taken:
            body = json.dumps(
                {"resourceType": "Bundle", "type": "transaction-response", "entry": said}
            ).encode()
        headers = (
            {} if asked.method == "POST" else {"ETag": 'W/"1"', "Location": f"{asked.target}/_history/1"}
        )
        if taken and not self.faults.drop:
            self.resources.update(places)
        return await self._take(item, https.answer(status, body, headers), writer, yes=taken)

    async def _say(self, target: str, writer: asyncio.StreamWriter) -> bool:
        """Answer a read: whether there is something at a place."""
        place = "/".join(target.partition("?")[0].split("/")[-2:])
        found = self.resources.get(place)
        status = int(self.faults.code or (404 if found is None else 200))
        writer.write(https.answer(status, found if found is not None and status == 200 else b"", {}))
        await writer.drain()
        return True


def _places(asked: https.Request) -> tuple[dict[str, bytes], int]:
    """Say what is put where, and with what status that is answered."""
    try:
        body = json.loads(asked.body)
        if asked.method == "PUT":
            place = f"{body['resourceType']}/{body['id']}"
            return ({place: asked.body}, 201) if asked.target.endswith(f"/{place}") else ({}, 400)
        if asked.method != "POST" or body["type"] != "transaction":
            return {}, 405
        entries = [(entry["request"], entry["resource"]) for entry in body["entry"]]
        if any(request["method"] != "PUT" for request, _ in entries):
            return {}, 422
        return {request["url"]: json.dumps(resource).encode() for request, resource in entries}, 200
    except (ValueError, KeyError, TypeError):
        return {}, 400


@dataclass(slots=True)
class Folder:
    """A recipient that looks into a folder: each file that appears is a delivery.

    The same file written again under its name is the same delivery; with other bytes it is another one.

    Args:
        drop: leave so many files that appear unseen, as if they had never come.
    """

    id: str
    path: Path
    drop: int = 0
    dropped: int = 0
    _kept: list[Kept] = field(default_factory=list)
    _known: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    @property
    def notices(self) -> list[Kept]:
        """What came that tells what a patient allows."""
        return [one for one in self.kept if is_notice(one.data)]

    @property
    def kept(self) -> list[Kept]:
        """What came so far; files still being written (``.part``, hidden) are left out."""
        for path in sorted(self.path.iterdir()):
            if path.name.startswith(".") or path.suffix == ".part":
                continue
            changed = path.stat().st_mtime_ns
            known = self._known.get(path.name)
            if known and known[0] == changed:
                continue
            data = path.read_bytes()
            digest = hashlib.sha256(data).digest()
            self._known[path.name] = changed, digest
            if known and known[1] == digest:
                continue
            if self.drop > 0:
                self.drop -= 1
                self.dropped += 1
                continue
            self._kept.append(Kept(changed / 1e9, path.stem, data))
        return self._kept
