"""Which sensors and logs are still heard: sources that belong together, when they last told of anything, whether they are silent.

Rules:
- Sources of one observer, realm and name (numbers in it aside: a log has a new file each hour) are one *stream*.
- How often a stream is heard is learned from the times of the last things its sources told of: at least ``POINTS_MIN`` of them. Fewer
  say nothing: a capture that was read once is never silent.
- Silent is who was not heard for more than twice the longest pause there was before, and for an hour at least.
- What was refused, and why, is as the records of the last readings say.

Deliberately absent: reading anything (``observing``).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import PurePath

from sqlalchemy import Connection

from oathward.ledger import Query, search
from oathward.network import sql
from oathward.network.model import ObservedSource

SOURCES_MAX = 2_000
RECORDS_MAX = 1_000
POINTS_MIN = 4
PAUSES = 2
SILENT_MIN_US = 3_600_000_000
_NUMBERS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Stream:
    """Sources that belong together.

    Args:
        name: of their files, with ``#`` for numbers. sources: the one read last first. last_us: of the last thing they told of, 0 for none.
        usual_us: the longest pause before; 0 where too little is known. refused: reason code -> how many, of the last readings.
        unsaid: refused before, of which no record of these says why.
    """

    observer: str
    realm: str
    name: str
    sources: Sequence[ObservedSource]
    last_us: int
    usual_us: int
    flows: int
    sessions: int
    statements: int
    refused: Mapping[str, int] = field(default_factory=dict)
    unsaid: int = 0

    def is_silent(self, now_us: int) -> bool:
        """Whether it was not heard for longer than usual."""
        pause_us = now_us - self.last_us
        return bool(self.usual_us) and pause_us > max(PAUSES * self.usual_us, SILENT_MIN_US)

    @property
    def title(self) -> str:
        """Its files' own name where all have one; else with ``#`` for numbers."""
        names = {PurePath(one.name).name for one in self.sources}
        return names.pop() if len(names) == 1 else self.name

    @property
    def read_us(self) -> int:
        """When it was last read."""
        return max(one.updated_us for one in self.sources)

    @property
    def left(self) -> int:
        """How many of its sources were not read to their end."""
        return sum(not one.finished for one in self.sources)


def streams(db: Connection, site: str) -> list[Stream]:
    """List streams, the one heard last first; of the ``SOURCES_MAX`` sources read last."""
    groups: dict[tuple[str, str, str], list[ObservedSource]] = defaultdict(list)
    for one in sql.sources(db, site, SOURCES_MAX):
        groups[one.observer, one.realm, name_of(one.name)].append(one)
    refused: dict[str, Counter[str]] = defaultdict(Counter)
    heard: dict[str, set[int]] = defaultdict(set)
    for entry in search(db, site, Query(kind="network.observed"), limit=RECORDS_MAX):
        id_ = str(entry.body.get("source", ""))
        refused[id_].update({str(code): int(n) for code, n in dict(entry.body.get("refused") or {}).items()})
        heard[id_].add(int(entry.body.get("last_us") or 0))
    found = [_stream(key, rows, refused, heard) for key, rows in groups.items()]
    return sorted(found, key=lambda one: (-one.last_us, one.observer, one.realm, one.name))


def name_of(name: str) -> str:
    """Name the stream of a file: its own name, with ``#`` for numbers, without how it is packed."""
    plain = PurePath(name).name or name
    return _NUMBERS.sub("#", plain.removesuffix(".gz"))


def _stream(
    key: tuple[str, str, str],
    rows: Sequence[ObservedSource],
    refused: Mapping[str, Counter[str]],
    heard: Mapping[str, set[int]],
) -> Stream:
    points = {row.last_us for row in rows}.union(*(heard.get(row.id, ()) for row in rows))
    latest_us = (
        max(row.updated_us for row in rows) + SILENT_MIN_US
    )  # a clock that is ahead must not keep a stream alive
    times = sorted(at_us for at_us in points if 0 < at_us <= latest_us)
    pauses = [after - before for before, after in pairwise(times)]
    reasons = sum((refused[row.id] for row in rows if row.id in refused), Counter[str]())
    total = sum(row.refused for row in rows)
    return Stream(
        *key,
        rows,
        times[-1] if times else 0,
        max(pauses) if len(times) >= POINTS_MIN else 0,
        sum(row.flows for row in rows),
        sum(row.sessions for row in rows),
        sum(row.statements for row in rows),
        dict(reasons.most_common()),
        max(total - reasons.total(), 0),
    )
