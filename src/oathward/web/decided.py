"""What was decided about one message, for each link and part, and what became of it: read out of its records.

Rules:
- What is not recorded did not happen; of several decisions of one link and part the newest of each record is shown.

Deliberately absent: any value of a message; records have none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oathward import ledger
from oathward.ledger import Entry, Query
from oathward.messages.views import WITHDRAWN

if TYPE_CHECKING:
    from sqlalchemy import Connection

RECORDS_MAX = 200
PARTS_MAX = 16
ANSWERS = {
    "permit": ("ok", "Permitted"),
    "deny": ("off", "Denied"),
    "held": ("note", "Held"),
    "indeterminate": ("note", "Held, could not decide"),
}
"""What a decision's word means: level and what people read."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided for one link of one part of a message. ``removed``: class of data -> how many values."""

    part: str
    link: str
    level: str
    word: str
    reasons: tuple[str, ...]
    outgoing: str
    removed: tuple[tuple[str, int], ...]
    at_us: int
    bundle: str
    release: bool
    delivered_us: int
    fate: str


def records(db: Connection, site: str, id_: str) -> Iterator[Entry]:
    """Read what is recorded of a message and of its parts, oldest first."""
    found = ledger.search(db, site, Query(message=id_), limit=RECORDS_MAX)
    for number in range(1, PARTS_MAX + 1):  # a message about several patients is decided part by part
        part = ledger.search(db, site, Query(message=f"{id_}.{number}"), limit=RECORDS_MAX)
        found += part
        if not part and number > 1:
            break
    yield from sorted(found, key=lambda entry: entry.index)


def decisions(recorded: list[Entry], waiting: dict[str, str]) -> list[Decision]:
    """Read the decisions out of the records, the newest of each link and part first."""
    fates = {str(e.body.get("id")): e for e in recorded if e.kind in _FATES}
    found = []
    for entry in recorded:
        if entry.kind != "message.accepted":
            continue
        for link, word, *more in entry.body.get("answers", ()):
            level, said = ANSWERS.get(word, ("off", word))
            outgoing = str(more[0]) if word == "permit" and more else ""
            counts = more[1] if word == "permit" and len(more) > 1 and isinstance(more[1], dict) else {}
            removed = tuple(sorted((str(name), int(count)) for name, count in counts.items()))
            fate = fates.get(outgoing)
            found.append(
                Decision(
                    *(entry.message.partition(".")[2], link, level, said),
                    tuple(str(one) for one in more) if word != "permit" else (),
                    *(outgoing, removed, entry.at_us, str(entry.body.get("bundle", ""))),
                    "release" in entry.body,
                    fate.at_us if fate else 0,
                    _fate(fate) if fate else waiting.get(outgoing, ""),
                )
            )
    return found


def _fate(entry: Entry) -> str:
    """Say what became of a delivery; one that may not be sent any more is as it should be."""
    withdrawn = entry.kind == "message.dead" and entry.body.get("reason") in WITHDRAWN
    return "not sent any more" if withdrawn else _FATES[entry.kind]


_FATES = {
    "message.delivered": "delivered",
    "message.dead": "set aside",
    "delivery.discarded": "given up",
}
