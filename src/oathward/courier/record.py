"""Write down what became of deliveries: rows out of the outbox and ledger records, in groups.

Rules:
- One transaction holds the removal and the record; a delivery that is not recorded stays in the outbox
  and is sent again with the same id.
- A transaction costs what dozens of records cost: a group begins at the earliest some milliseconds after the one
  before, so that under load it is large. A delivery alone never waits.
- Notices have records of their own (``notices``), and so has the first thing a recipient that is told of withdrawals gets
  of a patient.
- A delivery set aside keeps its row (``dead`` or ``blocked``) and raises a finding. So does a link in a trouble that only
  people can end.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import assert_never

from sqlalchemy import Connection, Engine

from oathward import ledger
from oathward.core.clock import Clock, micros
from oathward.core.db import write
from oathward.core.errors import StorageError
from oathward.core.points import point
from oathward.core.reasons import Reason
from oathward.courier import notices
from oathward.courier.model import Delivered, Failed, Item, Result
from oathward.ledger import Leaf, Record, prepare
from oathward.messages import sql as messages
from oathward.messages.model import Delivery
from oathward.vault import shown

Settled = tuple[Item, Result, str]
"""Item, its result, and the outbox state it gets when it failed."""

_RETRY_S = 0.5


class Recorder:
    """One writer thread.

    Args:
        done: called with each recorded group; must only hand it over.
        group_delay_s: the least time between two groups, unless a full one waits.
        told: whether a link's recipient is told of withdrawals.
    """

    def __init__(
        self,
        engine: Engine,
        site: str,
        clock: Clock,
        done: Callable[[list[Settled]], None],
        *,
        group_max: int,
        group_delay_s: float = 0.0,
        told: Callable[[str], bool] = lambda _link: False,
    ) -> None:
        self._engine, self._site, self._clock, self._done = engine, site, clock, done
        self._group_max, self._group_delay_s = group_max, group_delay_s
        self._reached = notices.Reached(told)
        self._queue: deque[Settled] = deque()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self.turns = 0
        """How often it began to write a group, tries included: stands still while it has something to do and hangs."""
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def put(self, settled: Settled) -> None:
        """Queue one result."""
        self._queue.append(settled)
        if not self._wake.is_set():
            self._wake.set()

    def stop(self) -> None:
        """Record what is queued, then end."""
        self._stopping.set()
        self._wake.set()
        self._thread.join()

    @property
    def alive(self) -> bool:
        """Whether results are still recorded; if not, the process must end and start anew."""
        return self._thread.is_alive()

    def _run(self) -> None:
        queue, earliest_s = self._queue, 0.0
        while queue or not self._stopping.is_set():
            if not queue:
                self._wake.wait()
                self._wake.clear()
                continue
            if len(queue) < self._group_max and (left_s := earliest_s - time.monotonic()) > 0:
                self._stopping.wait(left_s)
            earliest_s = time.monotonic() + self._group_delay_s
            group = [queue.popleft() for _ in range(min(len(queue), self._group_max))]
            if self._record(group):
                self._done(group)

    def _record(self, group: list[Settled]) -> bool:
        """Record a group, trying until it is durable: the deliveries did happen."""
        reached = self._reached.new(group)
        while True:
            self.turns += 1
            try:
                at_us = micros(self._clock.now())
                self._reached.note(
                    record_group(self._engine, self._site, group, at_us=at_us, reached=reached)
                )
            except StorageError:
                if self._stopping.wait(_RETRY_S):
                    return False
            else:
                return True


def record_group(
    engine: Engine, site: str, group: list[Settled], *, at_us: int, reached: Iterable[tuple[str, str]] = ()
) -> list[tuple[str, str]]:
    """Make one group of results durable; gives those of ``reached`` that are noted now.

    Args:
        reached: subjects and links whose recipients have something of them now, or may have.

    Raises:
        StorageError: nothing of it was recorded.
    """
    point("courier.answered")
    leaves = [leaf for one in group if not one[0].row.is_notice for leaf in _leaves(one, at_us)]
    with write(engine) as db:
        messages.delete_delivered(
            db, [item.row.seq for item, result, _ in group if isinstance(result, Delivered)]
        )
        for item, result, state in group:
            if isinstance(result, Failed):
                _set_aside(db, item, result, state)
        told = notices.settle(db, site, group, at_us)
        noted = shown.mark_sent(db, site, reached)
        ledger.append(db, site, leaves + told)
        point("courier.before-commit")
    point("courier.recorded")
    return noted


def record_trouble(engine: Engine, site: str, link: str, reason: Reason, at_us: int) -> None:
    """Raise a finding about a link that will not get better by waiting.

    Raises:
        StorageError: it was not recorded.
    """
    body: dict[str, object] = {"finding": "delivery.trouble", "reason": reason.code}
    with write(engine) as db:
        ledger.append(db, site, [prepare(Record("finding.raised", body, at_us, "", (link,)))])


def _set_aside(db: Connection, item: Item, result: Failed, state: str) -> None:
    messages.set_delivery(
        db, item.row.seq, state=state, attempts=item.attempts, next_us=0, reason=result.reason.code
    )


def _leaves(settled: Settled, at_us: int) -> list[Leaf]:
    item, result, state = settled
    row = item.row
    body: dict[str, object] = {"id": row.id, "sha256": row.body.sha256.hex(), "tries": item.attempts + 1}
    match result:
        case Delivered(answer, receipt):
            body |= {"answer": answer, "receipt": receipt} if receipt else {"answer": answer}
            return [prepare(Record("message.delivered", body, at_us, row.subject, (row.link,), row.message))]
        case Failed(reason):
            body["reason"] = reason.code
            said = {"answer": result.answer, "codes": list(result.codes)}
            body |= {key: value for key, value in said.items() if value}
            dead = Record(
                "message.dead", {**body, "state": state}, at_us, row.subject, (row.link,), row.message
            )
            kind = "delivery.blocked" if state == Delivery.BLOCKED else "delivery.dead"
            finding = Record(
                "finding.raised",
                {"finding": kind, "reason": reason.code},
                at_us,
                "",
                (row.link,),
                row.message,
            )
            return [prepare(dead), prepare(finding)]
        case _ as never:
            assert_never(never)
