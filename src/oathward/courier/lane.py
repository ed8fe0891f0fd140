"""One ordered way to one recipient: queues per sender, a bounded number outstanding, retries with pauses.

Rules:
- Within a sender, the next message leaves only when the one before was answered (``block`` links); on
  ``skip`` links a refused message is set aside and the order of the others stays.
- A connection that breaks puts what was outstanding back in front: same id, same bytes, same order.
- The pause between tries doubles up to a longest one; a success resets it. A recipient may ask for a longer one.
- What the recipient answered that would be answered again is final: it is set aside at once.
- Nothing starts while the link may not start anything (``may_start``).
- What is on the wire and may not be there any more is broken off: it may have been received, and is never sent again.
  What else was outstanding is sent again, and what was broken off because it could not be told; none is a failure of the
  recipient.

Deliberately absent: the wire (``mllp.py``, ``fhir.py``, ``files.py``), the database (``record.py``).
"""

from __future__ import annotations

import asyncio
import ssl
from collections import OrderedDict, deque
from collections.abc import Callable, Collection
from typing import Protocol

from oathward.core.clock import wall_s
from oathward.core.reasons import Reason
from oathward.core.settings import Courier as Limits
from oathward.courier.model import Delivered, Failed, Item, Result
from oathward.messages.model import OutboxRow

_OF_THE_WAY = frozenset(
    {Reason.RECIPIENT_UNREACHABLE, Reason.RECIPIENT_NO_ANSWER, Reason.RECIPIENT_UNTRUSTED}
)
"""Over once there is a connection; what a recipient answers is over when it takes something."""


class Wire(Protocol):
    """What a lane asks of a transport."""

    window: int
    grace_s: float
    """How long what is outstanding may still be answered after it should not be sent any more."""

    async def open(self) -> None:
        """Connect; raises ``OSError`` or ``TimeoutError`` where that fails."""

    def send(self, item: Item, answered: Callable[[Item, Result], None]) -> None:
        """Send one item; ``answered`` comes once for it, also when the connection breaks."""

    def close(self) -> None:
        """Break off; outstanding items are answered as failed."""

    def break_off(self, ids: Collection[str], /) -> None:
        """Let nothing more of these outgoing ids reach the recipient; where that ends the connection, all are answered as failed."""


class Lane:
    """Deliver items of some senders of one link over one wire.

    Args:
        settled: called with each final result: delivered, or failed for good.
        dropped: called with the items behind a message that blocks its sender.
        ordered: hold a sender's next message back until this one is answered (``block``).
        may_start: whether anything may be sent now; when it may again, ``put`` is called.
    """

    def __init__(
        self,
        wire: Wire,
        limits: Limits,
        settled: Callable[[Item, Result], None],
        dropped: Callable[[list[Item]], None],
        *,
        ordered: bool,
        may_start: Callable[[], bool] = lambda: True,
    ) -> None:
        self._wire, self._limits, self._settled, self._dropped = wire, limits, settled, dropped
        self._ordered, self._may_start = ordered, may_start
        self._on_wire: dict[int, Item] = {}
        self._withdrawn: set[int] = set()
        self._breaking = False
        self._queues: dict[str, deque[Item]] = {}
        self._ready: OrderedDict[str, None] = OrderedDict()  # in turn, each sender once
        self._flying: dict[str, int] = {}
        self._returned: dict[str, list[Item]] = {}
        self._stale: set[str] = set()  # senders with something outstanding from before ``clear``
        self._pause_s = 0.0
        self._open = False
        self._wake = asyncio.Event()
        self._trouble: Reason | None = None
        self.failing_since_s = 0.0

    @property
    def failing(self) -> str:
        """Reason code of the trouble this lane is in; empty when all is well."""
        return self._trouble.code if self._trouble else ""

    @property
    def size(self) -> int:
        """Items in this lane."""
        parts = (*self._queues.values(), *self._returned.values())
        return len(self._on_wire) + sum(len(part) for part in parts)

    @property
    def in_flight(self) -> int:
        """Items sent and not yet answered."""
        return len(self._on_wire)

    @property
    def grace_s(self) -> float:
        """How long what is outstanding may still be answered after it should not be sent any more."""
        return self._wire.grace_s

    def on_wire(self) -> list[OutboxRow]:
        """List what was sent and is not answered."""
        return [item.row for item in self._on_wire.values()]

    def withdraw(self, seqs: Collection[int]) -> None:
        """Note which of what is on the wire may not be there any more: without an answer it is over, not tried again."""
        self._withdrawn.update(self._on_wire.keys() & seqs)

    def break_off(self, also: Collection[int] = ()) -> None:
        """Break off what may not be on the wire any more and still is.

        Args:
            also: rows of which that cannot be told; they are read again, and may be sent again once it can.
        """
        seqs = self._withdrawn | (self._on_wire.keys() & also)
        if seqs:
            self._open, self._breaking = False, True
            self._wire.break_off([self._on_wire[seq].row.id for seq in sorted(seqs)])
            self._wake.set()

    def put(self, item: Item) -> None:
        """Queue one item behind its sender's others."""
        sender = item.row.sender
        queue = self._queues.get(sender)
        if queue is None:
            queue = self._queues[sender] = deque()
        queue.append(item)
        busy = sender in self._returned or (self._ordered and self._flying.get(sender))
        if len(queue) == 1 and not busy:
            self._ready[sender] = None
        if self._open and len(self._on_wire) < self._wire.window:
            self._pump()
        elif not self._open:
            self._wake.set()

    def clear(self) -> list[Item]:
        """Give up what is not outstanding; it is read again from the outbox.

        What is outstanding is given up too if it comes back: it was decided before.
        """
        items = [item for part in (*self._queues.values(), *self._returned.values()) for item in part]
        self._queues.clear()
        self._returned.clear()
        self._ready.clear()
        self._stale = set(self._flying)
        return items

    async def run(self) -> None:
        """Keep the wire open while there is something to send, until cancelled."""
        try:
            while True:
                if self._breaking or (not self._queues and not self._on_wire):
                    self._wake.clear()
                    await self._wake.wait()
                    continue
                if self._pause_s:
                    await asyncio.sleep(self._pause_s)
                try:
                    await self._wire.open()
                except OSError as error:  # TimeoutError is one
                    self._back_off(reason_of(error, Reason.RECIPIENT_UNREACHABLE))
                    continue
                if self._breaking:
                    continue
                self._open = True
                if self._trouble in _OF_THE_WAY:
                    self._trouble = None
                self._pump()
                self._wake.clear()
                await self._wake.wait()  # until the wire breaks or a refusal asks for a pause
        finally:
            # However this ends: nobody will look after what is on the wire any more.
            self.break_off(self._on_wire)
            self._open = False
            self._wire.close()

    def _pump(self) -> None:
        window = self._wire.window
        while self._open and self._ready and len(self._on_wire) < window and self._may_start():
            sender, _ = self._ready.popitem(last=False)
            queue = self._queues[sender]
            item = queue.popleft()
            if not queue:
                del self._queues[sender]
            elif not self._ordered:
                self._ready[sender] = None
            self._on_wire[item.row.seq] = item
            self._flying[sender] = self._flying.get(sender, 0) + 1
            self._wire.send(item, self._answered)

    def _answered(self, item: Item, result: Result) -> None:
        sender = item.row.sender
        del self._on_wire[item.row.seq]
        withdrawn = item.row.seq in self._withdrawn
        self._withdrawn.discard(item.row.seq)
        left = self._flying[sender] - 1
        if left:
            self._flying[sender] = left
        else:
            del self._flying[sender]
        match result:
            case Delivered():
                self._pause_s, self._trouble = 0.0, None
                self._settled(item, result)
                self._next_of(sender)
            case Failed() if withdrawn and not result.refused and not result.unsent:
                self._settled(item, Failed(Reason.CONSENT_WITHDRAWN_IN_FLIGHT, final=True))
                self._next_of(sender)
                if not self._breaking:
                    self._stop_for(result)
            case Failed() if self._breaking and not result.refused:
                self._returned.setdefault(sender, []).append(item)  # not its fault, nor the recipient's
                self._next_of(sender)
            case Failed():
                self._failed(item, result)
        if self._breaking and not self._on_wire:
            self._breaking = False
            self._wake.set()
        if not left and sender not in self._returned:
            self._stale.discard(sender)
        self._pump()

    def _failed(self, item: Item, result: Failed) -> None:
        sender = item.row.sender
        # An ordered link waits for a recipient that is away; only its own "no" uses up the tries.
        item.attempts += result.refused or not self._ordered
        if result.final or item.attempts >= self._limits.attempts_max:
            self._settled(item, result)
            if self._ordered:
                self._drop(sender)
            else:
                self._next_of(sender)
            return
        self._returned.setdefault(sender, []).append(item)
        if result.refused:
            # This sender waits; the others of the lane go on.
            pause_s = min(self._limits.retry_longest_s, self._limits.retry_first_s * 2 ** (item.attempts - 1))
            asyncio.get_running_loop().call_later(pause_s, self._resume, sender)
            return
        if not self._flying.get(sender):
            self._give_back(sender)
        self._stop_for(result)

    def _resume(self, sender: str) -> None:
        self._next_of(sender)
        if self._open:
            self._pump()
        else:
            self._wake.set()

    def _next_of(self, sender: str) -> None:
        """Make a sender ready again if nothing of it is outstanding or it need not wait."""
        if sender in self._returned:
            if not self._flying.get(sender):
                self._give_back(sender)
        elif self._ordered and sender in self._queues and not self._flying.get(sender):
            self._ready[sender] = None

    def _give_back(self, sender: str) -> None:
        """Put returned items in front again, in their old order; those of before ``clear`` are read and decided anew."""
        if sender in self._stale:
            self._drop(sender)
            return
        queue = self._queues.setdefault(sender, deque())
        for item in sorted(self._returned.pop(sender), key=lambda i: i.row.seq, reverse=True):
            queue.appendleft(item)
        self._ready[sender] = None

    def _drop(self, sender: str) -> None:
        """Forget a sender's items: they stay in the outbox until a person has decided, or are read again."""
        self._stale.discard(sender)
        items = [*self._returned.pop(sender, ()), *self._queues.pop(sender, ())]
        self._ready.pop(sender, None)
        self._dropped(items)

    def _stop_for(self, result: Failed) -> None:
        """Leave the wire for a pause; what is still outstanding comes back through ``_answered``."""
        if self._open:
            self._open = False
            self._back_off(result.reason, result.pause_s)
            self._wire.close()
            self._wake.set()

    def _back_off(self, reason: Reason, least_s: float = 0.0) -> None:
        if self._trouble is None:
            self.failing_since_s = wall_s()
        self._trouble = reason
        first, longest = self._limits.retry_first_s, self._limits.retry_longest_s
        self._pause_s = max(least_s, min(longest, self._pause_s * 2 if self._pause_s else first))


def reason_of(error: OSError, otherwise: Reason) -> Reason:
    """Say what a broken connection means: TLS names two of its troubles."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Reason.RECIPIENT_UNTRUSTED
    if isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or ""):
        return (
            Reason.RECIPIENT_DISTRUSTS
        )  # in TLS 1.3 the server looks at our certificate after the handshake
    return otherwise
