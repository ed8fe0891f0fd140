"""Hand heavy frames to a process of their own, so that they hold up nobody (``gateway/beside.py`` is that process).

Rules:
- One frame at a time; addresses take turns, so that one that sends many keeps no other's waiting.
- The process is started with the first heavy frame, and again after it ended; it ends with its standard input.
- A frame that takes longer than ``beside_time_s_max``, or with which the process dies, is not answered and its
  connection closes: the sender tries again. The third time it is held whole, unread.
- A frame whose sender has gone is not begun: nothing was promised.

Deliberately absent: order on a connection (it sends nothing else meanwhile), decisions, the database.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

import orjson

from oathward.core.errors import OathwardError
from oathward.core.reasons import BY_CODE, Reason
from oathward.core.settings import Mllp
from oathward.gateway.arrival import Outcome
from oathward.inventory.model import Peer

if TYPE_CHECKING:
    from oathward.gateway.gate import Gate

TRIES = 2
"""After so many failures with a frame it is held unread."""

_FAILED_REMEMBERED_MAX = 1_000
_START_S = 60.0
_STOP_S = 5.0


class Sender(Protocol):
    """A connection that waits for an answer."""

    @property
    def gone(self) -> bool:
        """Whether nobody is there to be answered."""

    def answer(self) -> None:
        """Send what has its outcome."""


@dataclass(slots=True, eq=False)
class Heavy:
    """A frame that is handled beside the loop; it waits for its answer as a prepared message does."""

    raw: bytes
    peer: Peer
    owner: Sender
    wire: str = "hl7v2"
    outcome: Outcome | None = None
    answer: str = ""
    replies: list[bytes] = field(default_factory=list)
    why: Reason | None = None

    def reply(self, _answer: str) -> list[bytes]:
        """Give the acknowledgements that came back."""
        return self.replies


class Beside:
    """The other process, as the listeners see it; all doors of a gateway share it.

    ``counted``: by wire, what is told of each answered frame's address and how many messages were in it.
    """

    def __init__(self, gate: Gate, limits: Mllp) -> None:
        self._gate, self._limits = gate, limits
        self.counted: dict[str, Callable[[str, int], None]] = {}
        self._queues: dict[str, deque[Heavy]] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._failed: dict[bytes, int] = {}

    def submit(self, heavy: Heavy) -> None:
        """Queue one; its owner is asked to answer when it has its outcome."""
        self._queues.setdefault(heavy.peer.address, deque()).append(heavy)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def stop(self) -> None:
        """End the process after the frame it is at, if that is soon."""
        if self._task is not None:
            self._task.cancel()
        process = self._process
        if process is None or process.returncode is not None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _work(self) -> None:
        while self._queues:
            address, queue = next(iter(self._queues.items()))
            del self._queues[address]
            heavy = queue.popleft()
            if queue:
                self._queues[address] = queue  # last in the rotation now
            # Of one that is gone nothing was promised; what it kept is given back.
            heavy.outcome = Outcome.FAILED if heavy.owner.gone else await self._handled(heavy)
            heavy.owner.answer()

    async def _handled(self, heavy: Heavy) -> Outcome:
        try:
            process = await asyncio.wait_for(self._running(), _START_S)
        except (TimeoutError, OSError, asyncio.IncompleteReadError):  # not the frame's fault
            self._gate.unhealthy(OathwardError("beside", "did not start", reason=Reason.INTERNAL))
            await self._kill()
            return Outcome.FAILED
        try:
            return await asyncio.wait_for(self._ask(process, heavy), self._limits.beside_time_s_max)
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            self._remember_failure(heavy)
            await self._kill()
            return Outcome.FAILED

    async def _ask(self, process: asyncio.subprocess.Process, heavy: Heavy) -> Outcome:
        """Have one frame handled.

        Raises:
            OSError, asyncio.IncompleteReadError: the process ended.
        """
        assert process.stdin is not None
        unread = bool(self._failed) and self._failed.get(sha256(heavy.raw).digest(), 0) >= TRIES
        peer = heavy.peer
        process.stdin.write(
            packed(
                {
                    "address": peer.address,
                    "certificate": peer.cert_sha256.hex() if peer.cert_sha256 else "",
                    "names": peer.cert_names,
                    "key": peer.key,
                    "wire": heavy.wire,
                    "room": self._gate.stranger_room_bytes,
                    "unread": unread,
                },
                [heavy.raw],
            )
        )
        await process.stdin.drain()
        told, heavy.replies = await _read(process)
        return self._learn(heavy, told)

    def _learn(self, heavy: Heavy, told: dict[str, object]) -> Outcome:
        """Take over what the other process counted and found."""
        gate, counts, findings = self._gate, told["counts"], told["findings"]
        assert isinstance(counts, dict)
        assert isinstance(findings, list)
        gate.counts.update(counts)
        gate.counts["message.beside"] += 1
        gate.findings += [(str(code), str(about)) for code, about in findings]
        if told["strangers"]:
            gate.take_stranger_bytes(min(int(str(told["strangers"])), gate.stranger_room_bytes))
        if told["trouble"]:
            trouble = BY_CODE.get(str(told["trouble"]), Reason.INTERNAL)
            gate.unhealthy(OathwardError("beside", "it cannot work well", reason=trouble))
        self.counted[heavy.wire](heavy.peer.address, int(str(told["messages"])))
        if told["refused"]:
            heavy.why = BY_CODE[str(told["refused"])]
        return Outcome.STORED if told["stored"] else Outcome.FAILED

    def _remember_failure(self, heavy: Heavy) -> None:
        heavy.why = Reason.LIMIT_EXCEEDED
        self._gate.counts["beside.failed"] += 1
        digest = sha256(heavy.raw).digest()
        if len(self._failed) >= _FAILED_REMEMBERED_MAX:
            self._failed.clear()
        self._failed[digest] = self._failed.get(digest, 0) + 1

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            data = str(self._gate.opened.settings.data)
            command = (sys.executable, "-m", "oathward.app", "beside", "--data", data)
            pipe = asyncio.subprocess.PIPE
            self._process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
            await _read(self._process)  # that it is ready
        return self._process

    async def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _read(process: asyncio.subprocess.Process) -> tuple[dict[str, object], list[bytes]]:
    assert process.stdout is not None
    size = int.from_bytes(await process.stdout.readexactly(4), "big")
    told = orjson.loads(await process.stdout.readexactly(size))
    return told, [await process.stdout.readexactly(size) for size in told["sizes"]]


def packed(head: dict[str, object], parts: list[bytes]) -> bytes:
    """Write a head, the sizes of what follows in it, and what follows."""
    text = orjson.dumps(head | {"sizes": [len(part) for part in parts]})
    return b"".join((len(text).to_bytes(4, "big"), text, *parts))
