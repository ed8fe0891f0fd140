"""One device's connection: send, wait for the acknowledgement, send again after trouble, write it all down.

Rules, as careful devices follow them:
- One message is outstanding at a time; the next one waits for its acknowledgement.
- No acknowledgement means *not stored*: after a reconnect the same bytes go again with the same MSH-10.
- A negative answer (AE, AR, CE, CR) is an answer: it is noted and the message is not sent again.
- Now and then a message that was answered is sent once more, as by a device that lost the answer.

Source: HL7 v2.6 §2.9.2; MLLP release 1; FHIR R4 §3.1.0.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from oathward_sim import https
from oathward_sim.hl7 import END, START, frame
from oathward_sim.plan import Planned, Sent

REPLY_TIMEOUT_S = 10.0
_RETRY_FIRST_S, _RETRY_LONGEST_S = 0.05, 1.0
_REPLY_BYTES_MAX = 65_536
_AGAIN = frozenset({408, 429})


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What a client needs to show who it is: files in PEM. ``ca`` signs the gateway's certificate."""

    ca: Path
    cert: Path | None = None
    key: Path | None = None
    server_name: str = "localhost"

    def context(self) -> ssl.SSLContext:
        """Make the client's TLS context; hosts are checked."""
        context = ssl.create_default_context(cafile=str(self.ca))
        if self.cert is not None:
            context.load_cert_chain(self.cert, self.key)
        return context


@dataclass(frozen=True, slots=True)
class Door:
    """Where to send: address, and TLS files where the door has TLS."""

    host: str
    port: int
    tls: TlsFiles | None = None


@dataclass(slots=True)
class Sender:
    """Send one source's messages in order and keep the list of what was sent.

    Args:
        rate_s: messages a second; 0 = as fast as they are acknowledged.
        count: stop after so many; None = when told.
        repeat_share: share of answered messages that are sent once more.
        forget: drop a message's bytes once it is answered.
        gives_up: go on to the next message when a connection is refused (intruders only).
    """

    name: str
    door: Door
    plan: Iterator[Planned]
    rate_s: float = 0.0
    count: int | None = None
    repeat_share: float = 0.0
    seed: int = 0
    gives_up: bool = False
    reply_timeout_s: float = REPLY_TIMEOUT_S
    forget: bool = False
    sent: list[Sent] = field(default_factory=list)
    accepted: int = 0
    refused_connections: int = 0
    reconnects: int = 0
    repeats: int = 0
    requests: int = 0
    _reader: asyncio.StreamReader | None = None
    _writer: asyncio.StreamWriter | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Send until the count is reached or ``stop`` is set; the message in flight is finished first."""
        rng = Random(f"{self.seed}/{self.name}/repeats")
        started = time.monotonic()
        try:
            for number, planned in enumerate(self.plan):
                if stop.is_set() or (self.count is not None and number >= self.count):
                    break
                if self.rate_s and await _waits(stop, started + number / self.rate_s - time.monotonic()):
                    break
                group = self._begin(planned)
                await self._deliver(group)
                if group[0].answer and self.repeat_share and rng.random() < self.repeat_share:
                    self.repeats += 1
                    await self._deliver(group)
                if self.forget:
                    group[0].plan = replace(group[0].plan, data=b"", more=())
        finally:
            await self._close()

    async def send_all(self, plans: Iterable[Planned]) -> None:
        """Send these, in order, before ``run``."""
        for planned in plans:
            await self._deliver(self._begin(planned))

    def _begin(self, planned: Planned) -> list[Sent]:
        """Note a request and all it holds."""
        self.requests += 1
        group = [Sent(p, self.name, time.time(), number=self.requests) for p in (planned, *planned.more)]
        self.sent += group
        return group

    async def _deliver(self, group: list[Sent]) -> None:
        """Try until the request is answered, or give up where that is allowed."""
        pause_s = _RETRY_FIRST_S
        while True:
            try:
                await self._connect()
                for sent in group:
                    sent.tries += 1
                codes = await asyncio.wait_for(self._exchange(group[0].plan), self.reply_timeout_s)
            except (OSError, EOFError, ssl.SSLError, TimeoutError, ValueError, asyncio.LimitOverrunError):
                await self._close()
                self.refused_connections += 1
                if self.gives_up:
                    for sent in group:
                        sent.turned_away = True
                    return
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _RETRY_LONGEST_S)
                continue
            for sent, code in zip(group, codes, strict=True):
                if not sent.answer:
                    sent.answer, sent.answered_s = code, time.time()
                    self.accepted += sent.accepted
                sent.answers.append(code)
            return

    async def _exchange(self, planned: Planned) -> list[str]:
        """Send one request; gives an answer for each thing it holds."""
        if self._reader is None or self._writer is None:
            raise ConnectionError("not connected")
        self._writer.write(frame(planned.data))
        await self._writer.drain()
        reply = await self._reader.readuntil(END)
        code, control_id = _msa(reply.removeprefix(START).removesuffix(END))
        if control_id != planned.control_id:
            raise ValueError("an answer to another message")
        return [code]

    async def _connect(self) -> None:
        if self._writer is not None and not self._writer.is_closing():
            return
        tls = self.door.tls
        self._reader, self._writer = await asyncio.open_connection(
            self.door.host, self.door.port, limit=_REPLY_BYTES_MAX, ssl=tls.context() if tls else None,
            server_hostname=tls.server_name if tls else None,
        )  # fmt: skip
        no_delay(self._writer)
        self.reconnects += 1

    async def _close(self) -> None:
        writer, self._reader, self._writer = self._writer, None, None
        if writer is not None:
            writer.close()
            with _ignored():
                await asyncio.wait_for(writer.wait_closed(), 1.0)


def no_delay(writer: asyncio.StreamWriter) -> None:
    """Switch Nagle's algorithm off: with it, small TLS records wait for the other side's acknowledgement."""
    connection = writer.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _msa(reply: bytes) -> tuple[str, str]:
    for line in reply.split(b"\r"):
        if line.startswith(b"MSA"):
            parts = line.split(line[3:4])
            if len(parts) > 2:
                return parts[1].decode("ascii", "replace"), parts[2].decode("ascii", "replace")
    raise ValueError("an answer without MSA")


async def _waits(stop: asyncio.Event, seconds: float) -> bool:
    """Wait until it is time; True when told to stop instead."""
    if seconds <= 0:
        await asyncio.sleep(0)
        return stop.is_set()
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return False
    return True


@dataclass(slots=True)
class FhirSender(Sender):
    """A sender that posts FHIR over HTTPS.

    Any answer that says yes is one; ``408 429`` and ``5xx`` mean *not stored*: it tries again.

    Args:
        base: path of the door's base.
    """

    base: str = "/fhir"

    async def _exchange(self, planned: Planned) -> list[str]:
        if self._reader is None or self._writer is None:
            raise ConnectionError("not connected")
        line, _, body = planned.data.partition(b"\n")
        method, _, below = line.decode().partition(" ")
        target = f"{self.base}/{below}".rstrip("/")
        self._writer.write(https.request(method, target, f"{self.door.host}:{self.door.port}", body))
        await self._writer.drain()
        answer = await https.read_answer(self._reader)
        if answer.status in _AGAIN or answer.status >= 500:
            raise ConnectionError("not now")
        statuses = [str(answer.status)] * (1 + len(planned.more))
        if planned.each and answer.taken:
            statuses = [entry["response"]["status"] for entry in json.loads(answer.body)["entry"]]
        if answer.headers.get("connection", "").lower() == "close":
            await self._close()
        return ["2xx" if status.startswith("2") else status[:3] for status in statuses]


class _ignored:  # noqa: N801  reads as a word
    """Ignore what closing a broken connection may say."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return kind is not None and issubclass(kind, (OSError, TimeoutError))
