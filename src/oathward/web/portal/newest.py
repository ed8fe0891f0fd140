"""Which of a patient's messages My devices opens: the newest of each device, so that one that sends often hides no other.

Rules:
- The newest ``LOOK_MAX`` messages of the span are looked at by id and sender alone; nothing of them is opened for it.
- Every device gets the same share of what may be opened; what one does not need goes to those that sent more.
- The newest of each come first: where not all fit one answer, the oldest are left out, of all devices alike.

Deliberately absent: what a message tells, and who may open it (the keeper).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from oathward.messages import views
from oathward.vault import kept

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

LOOK_MAX = 5_000


@dataclass(frozen=True, slots=True)
class Chosen:
    """What to open. ``sent``: message -> device, empty where that is not known. ``short``: devices that sent more than that."""

    messages: tuple[str, ...]
    sent: Mapping[str, str]
    short: frozenset[str]


def chosen(db: Connection, site: str, subject: str, after: str, most: int) -> Chosen:
    """Choose at most so many of the messages behind an id."""
    ids = kept.newest_ids(db, site, subject, after=after, limit=LOOK_MAX + 1)
    looked, cut = ids[:LOOK_MAX], len(ids) > LOOK_MAX
    known = views.devices_of(db, sorted({whole(one) for one in looked}))
    sent = {one: known.get(whole(one), "") for one in looked}
    by: dict[str, list[str]] = {}
    for one in looked:
        by.setdefault(sent[one], []).append(one)
    found = _in_turns(list(by.values()), most)
    taken = {one: sent[one] for one in found}
    left = {device for one, device in sent.items() if one not in taken}
    return Chosen(tuple(found), taken, frozenset(by if cut else left))


def whole(message: str) -> str:
    """Give the message that a part of it came in."""
    return message.partition(".")[0]


def _in_turns(queues: Sequence[Sequence[str]], most: int) -> list[str]:
    """Take one of each, again and again, until there are so many."""
    longest = max(map(len, queues), default=0)
    turns = (one[turn] for turn in range(longest) for one in queues if turn < len(one))
    return list(islice(turns, most))
