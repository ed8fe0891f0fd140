"""Spans of messages, out of the ledger: what it records of each stage, with its times.

Rules:
- A trace is a message: its id is the message's own, so that the console finds one by the other.
- What is told is what the ledger has, less whom it is about: links, answers, reason codes, counts.
- Whether a message becomes a trace follows from its id: all its spans are sent, or none.
- A bounded number of records is looked at; what is older than those is left out. A trace is no evidence.

| span | from | until | record |
|---|---|---|---|
| ``decide`` | the message came | the same: steps are not timed one by one | ``message.accepted``, ``message.quarantined`` |
| ``deliver`` | the message came | the recipient took it, or delivering ended | ``message.delivered``, ``message.dead`` |
| ``hold`` | the message came | a person released it or gave it up | ``message.released``, ``message.discarded`` |

Deliberately absent: timing steps of the path (``make bench`` does), subjects, devices, who released what.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

from oathward import ledger
from oathward.core.db import read
from oathward.ledger import scan
from oathward.vault.opened import Opened

RECORDS_A_TURN_MAX = 20_000
SPANS_A_TURN_MAX = 5_000
_PAGE = 2_000
_DECIDED = frozenset({"message.accepted", "message.quarantined"})
_NAMES = {
    "message.accepted": "decide",
    "message.quarantined": "decide",
    "message.delivered": "deliver",
    "message.dead": "deliver",
    "message.released": "hold",
    "message.discarded": "hold",
}
_FAILED = frozenset({"message.quarantined", "message.dead", "message.discarded"})
Words = dict[str, str | int]


@dataclass(frozen=True, slots=True)
class Span:
    """One stage of one message. ``events``: name and words of each."""

    trace: bytes
    id: bytes
    parent: bytes
    name: str
    start_us: int
    end_us: int
    failed: bool
    words: Words
    events: list[tuple[str, Words]] = field(default_factory=list)


class Traces:
    """Reads the ledger on from where it was when this began."""

    def __init__(self, site: Opened, per_thousand: int) -> None:
        self._site, self._per_thousand = site, per_thousand
        with read(site.engine) as db:
            self._next = ledger.head(db, site.site).size

    def turn(self) -> list[Span]:
        """Give the spans of what was recorded since the last turn."""
        spans: list[Span] = []
        roots: set[bytes] = set()
        with read(self._site.engine) as db:
            size = ledger.head(db, self._site.site).size
        start = max(self._next, size - RECORDS_A_TURN_MAX)
        while start < size and len(spans) < SPANS_A_TURN_MAX:
            stop = min(size, start + _PAGE)
            with read(self._site.engine) as db:
                rows = scan.between(db, self._site.site, start, stop, tuple(_NAMES))
            for row in rows:
                record = scan.Stored(*row)
                trace = _trace(record.message)
                if trace is not None and chosen(trace, self._per_thousand):
                    spans.append(_span(record, trace, roots))
            start = stop
        self._next = start  # where there were too many for one turn, the next goes on
        return spans


def chosen(trace: bytes, per_thousand: int) -> bool:
    """Say whether a message becomes a trace, by the random end of its id."""
    return int.from_bytes(trace[-4:], "big") % 1_000 < per_thousand


def _trace(message: str) -> bytes | None:
    """Give the id of a message as bytes; a part of one (``id.n``) belongs to the whole."""
    try:
        return UUID(message.partition(".")[0]).bytes
    except ValueError:
        return None


def _span(record: scan.Stored, trace: bytes, roots: set[bytes]) -> Span:
    whole: dict[str, Any] = orjson.loads(record.body)
    body = whole["body"]
    root = hashlib.sha256(b"root" + trace).digest()[:8]
    is_root = record.kind in _DECIDED and root not in roots and "release" not in body
    own = root if is_root else hashlib.sha256(b"%d" % record.idx + trace).digest()[:8]
    if is_root:
        roots.add(root)
    came_us = int.from_bytes(trace[:6], "big") * 1_000
    start_us = record.at_us if record.kind in _DECIDED else min(came_us, record.at_us)
    return Span(
        trace, own, b"" if is_root else root, _NAMES[record.kind], start_us, record.at_us,
        record.kind in _FAILED, _words(record.kind, whole), list(_answers(body)),
    )  # fmt: skip


def _words(kind: str, whole: dict[str, Any]) -> Words:
    body, words = whole["body"], dict[str, str | int]()
    if kind in {"message.quarantined", "message.dead"}:
        words["reason"] = str(body.get("reason", ""))
    if "was" in body:
        words["reason"] = str(body["was"])
    if kind in {"message.delivered", "message.dead"}:
        words["link"] = str((*whole["links"], "")[0])
        words["tries"] = int(body.get("tries", 0))
    return words


def _answers(body: dict[str, Any]) -> Iterator[tuple[str, Words]]:
    """Give what was decided for each link: a permit has ids and counts behind it, anything else its reasons."""
    for link, answer, *rest in body.get("answers") or ():
        words: Words = {"link": str(link)}
        if answer != "permit" and rest:
            words["reason"] = str(rest[0])
        yield str(answer), words
