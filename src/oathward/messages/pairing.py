"""Pair every permit in the ledger with what became of it: delivered, given up, or still in the outbox.

A permit stands in ``message.accepted`` as ``[link, "permit", outgoing id, …]``. Its outbox row is made in the same
transaction and leaves it together with ``message.delivered``, or with ``delivery.discarded`` of a dead one. So at any
moment a permit has one of them; one that has neither was taken away by somebody who could write to the database.

Rules:
- Ids pair, not counts: a release, a part ``id.n`` of a message, a delivery tried twice are right by themselves.
- The outbox is read before the ledger: a row that went in between left its record, which is then seen.
- A row that stands must be of the message and link that were permitted, and in the state the ledger gives it.
- What is not well is looked at a second time, in a transaction of its own, before anybody is told.
- Memory is bounded: permits of the last minutes by id, older ones that wait as eight bytes each.

Deliberately absent: writing (``app.deliveries``), and a rule about links: a row of a link that no bundle has any more
stands in the outbox like others.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import orjson
from sqlalchemy import Connection, Engine

from oathward import ledger
from oathward.core.db import read
from oathward.ledger import scan
from oathward.messages import missing
from oathward.messages.missing import MissingRow, Standing
from oathward.messages.model import Delivery

FINDING_MISSING, FINDING_CHANGED = "delivery.missing", "delivery.changed"
FINDINGS = frozenset({FINDING_MISSING, FINDING_CHANGED})
PAGE_RECORDS = 4_096
YOUNG_MAX = 50_000

_ACCEPTED, _DELIVERED = "message.accepted", "message.delivered"
_DEAD, _RETRIED, _DISCARDED = "message.dead", "delivery.retried", "delivery.discarded"
_FATES = (_DELIVERED, _DEAD, _RETRIED, _DISCARDED)
_ALL_US = 1 << 62
_ENDED = frozenset({Delivery.DEAD.value, "missing"})
"""What a discarded delivery was that is in the outbox no longer."""

# Bodies are canonical JSON: no spaces, and a quote inside a text is escaped, so that no text looks like these.
_PERMIT = re.compile(rb'\["([^"\\]+)","permit","([^"\\]+)"')
_ANSWERS_END = b']],"'
"""Answers come first in a body (its keys are sorted): what follows is not searched."""
_ID = re.compile(rb'"id":"([^"\\]+)"')


class Permit(NamedTuple):
    """One delivery that was permitted. ``record``: index of what says so; ``at_us``: its time."""

    id: str
    message: str
    link: str
    record: int
    at_us: int


def permits_of(record: scan.Stored) -> list[Permit]:
    """Read the deliveries a ``message.accepted`` permitted."""
    return [
        Permit(id_.decode(), record.message, link.decode(), record.idx, record.at_us)
        for link, id_ in _PERMIT.findall(record.body)
    ]


def judge(db: Connection, site: str, permits: Sequence[Permit]) -> tuple[list[Permit], list[MissingRow]]:
    """Give those that stand in the outbox as they should, and those that are missing or changed; others have ended."""
    rows = missing.standing(db, site, [permit.message for permit in permits])
    odd = [p for p in permits if rows.get(p.id) != (p.message, p.link, Delivery.PENDING)]
    fates = _fates(db, site, [permit.message for permit in odd])
    gone = [p for p in odd if p.id not in rows and fates.get(p.id, Delivery.PENDING) is not None]
    moved = missing.standing_by_id(db, site, [p.id for p in gone]) if gone else {}
    wrong = {p.id: "message" if p.id in moved else "missing" for p in gone}
    wrong |= {p.id: what for p in odd if p.id in rows and (what := _changed(p, rows[p.id], fates.get(p.id)))}
    lost = [MissingRow(p.id, p.message, p.link, wrong[p.id], p.record, p.at_us) for p in odd if p.id in wrong]
    return [p for p in permits if p.id in rows and p.id not in wrong], lost


def said(db: Connection, site: str, lost: Iterable[MissingRow]) -> set[str]:
    """Give the ids of those about which the ledger has a finding already."""
    ids: set[str] = set()
    for record in scan.about(db, site, [row.message for row in lost], ("finding.raised",)):
        body = orjson.loads(record.body)["body"]
        if body.get("finding") in FINDINGS:
            ids.add(str(body.get("id")))
    return ids


class Pairing:
    """Read the ledger on from a position and remember what is still open.

    Args:
        start: index of the first record to read. standing: indexes of permits that waited when they were last seen.
        young_max: how many permits are remembered by id before the oldest are judged, whatever their age.
    """

    def __init__(
        self, site: str, start: int = 0, standing: Iterable[int] = (), *, young_max: int = YOUNG_MAX
    ) -> None:
        self.next = start
        self._site, self._young_max = site, young_max
        self._young: dict[bytes, Permit] = {}
        self._standing = array("q", sorted(standing))
        self._cursor = 0
        self._suspects: set[str] = set()

    @property
    def position(self) -> int:
        """Where a new reader with the same ``standing`` must begin to miss nothing."""
        return min([self.next, *(permit.record for permit in islice(self._young.values(), 1))])

    @property
    def settled(self) -> bool:
        """Whether every permit that was read has been judged."""
        return not self._young

    @property
    def standing(self) -> Sequence[int]:
        """Records that permitted what waited when it was last looked at."""
        return self._standing

    def read(self, db: Connection, size: int) -> bool:
        """Read the next page of a ledger of ``size`` records; says whether there was one."""
        stop = min(size, self.next + PAGE_RECORDS)
        rows = scan.between(db, self._site, self.next, stop, (_ACCEPTED, _DELIVERED))
        delivered: set[bytes] = set()
        accepted = []
        for row in rows:
            if row[1] == _ACCEPTED:
                accepted.append(row)
            elif found := _ID.search(row[4]):
                delivered.add(found[1])
        # Nearly every permit ends in the page that made it, and is nothing but two look-ups.
        young, permits = self._young, _PERMIT.findall
        for index, _, at_us, message, body in accepted:
            end = body.find(_ANSWERS_END)
            for link, id_ in permits(body, 0, end if end > 0 else len(body)):
                if id_ not in delivered:
                    young[id_] = Permit(id_.decode(), message, link.decode(), index, at_us)
        for id_ in young.keys() & delivered:
            del young[id_]
        moved = stop > self.next
        self.next = max(stop, self.next)
        return moved

    def settle(self, db: Connection, before_us: int, limit: int) -> None:
        """Judge the oldest permits made before a time, or that are too many; what does not seem well is looked at again."""
        due: list[Permit] = []
        spare = len(self._young) - self._young_max
        for permit in islice(self._young.values(), max(limit, spare)):
            if permit.at_us >= before_us and len(due) > spare:
                break
            due.append(permit)
        standing, lost = judge(db, self._site, due)
        for permit in due:
            del self._young[permit.id.encode()]
        self._suspects |= {row.id for row in lost}
        indexes = {permit.record for permit in standing} | {row.record for row in lost}
        self._standing.extend(sorted(indexes - set(self._standing[-limit:])))

    def look_again(self, db: Connection, limit: int) -> list[MissingRow]:
        """Judge the next of those that waited; gives what is lost for the second time, and forgets it."""
        if self._cursor >= len(self._standing):
            self._cursor = 0
        start, some = self._cursor, self._standing[self._cursor : self._cursor + limit]
        permits = [permit for record in scan.at(db, self._site, some) for permit in permits_of(record)]
        standing, lost = judge(db, self._site, permits)
        twice = [row for row in lost if row.id in self._suspects]
        self._suspects -= {permit.id for permit in permits}
        once = [row for row in lost if row not in twice]
        self._suspects |= {row.id for row in once}
        left = {permit.record for permit in standing} | {row.record for row in once}
        self._standing[start : start + len(some)] = array("q", sorted(left))
        self._cursor = start + len(left)
        return twice


def check_all(engine: Engine, site: str) -> Iterator[MissingRow]:
    """Pair the whole ledger, from its first record to its last; gives everything that is lost."""
    pairing = Pairing(site)
    while True:
        with read(engine) as db:
            moved = pairing.read(db, ledger.head(db, site).size)
            pairing.settle(db, 0 if moved else _ALL_US, PAGE_RECORDS)
        if not moved and pairing.settled:
            break
    for _ in range(2):  # what was lost when it was settled, and what was lost since
        for _ in range(0, len(pairing.standing), PAGE_RECORDS):
            with read(engine) as db:
                lost = pairing.look_again(db, PAGE_RECORDS)
            yield from lost


def _fates(db: Connection, site: str, messages: Sequence[str]) -> dict[str, str | None]:
    """Give what the ledger says last of each delivery: ``None`` when it has left the outbox, else its state."""
    fates: dict[str, str | None] = {}
    for record in scan.about(db, site, messages, _FATES):
        body = orjson.loads(record.body)["body"]
        id_ = str(body.get("id"))
        match record.kind:
            case "message.delivered":
                fates[id_] = None
            case "message.dead":
                fates[id_] = str(body.get("state", Delivery.DEAD))
            case "delivery.retried":
                fates[id_] = Delivery.PENDING
            case _:
                fates[id_] = None if body.get("was") in _ENDED else Delivery.DEAD
    return fates


def _changed(permit: Permit, row: Standing, fate: str | None) -> str:
    """Say what of a row is not as it was permitted; empty when all is well."""
    if row.message != permit.message:
        return "message"
    if row.link != permit.link:
        return "link"
    return "" if row.state == (fate or Delivery.PENDING) else "state"
