"""Count how what came was, in memory, and hand it over as small rows now and then.

Rules:
- Counted once a group was committed, of what was stored or was a duplicate; never on the way to an acknowledgement.
- A message's own time is ``sent``'s; one that says none is *untimed*, one that cannot be read is malformed and not that too.
- Counts that could not be written are kept and written later; a gateway that is killed loses those of half a minute.

Deliberately absent: values of messages, and single ones.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from oathward.core.db import write
from oathward.core.errors import StorageError
from oathward.gateway.arrival import NOT_ASKED, Outcome, Prepared
from oathward.messages import traffic
from oathward.messages.traffic import HOUR_US, Counts, Key

if TYPE_CHECKING:
    from sqlalchemy import Engine

_DAY_US = 24 * HOUR_US
_MESSAGES, _LATE, _LATE_HOUR, _LATE_DAY, _AHEAD, _UNTIMED, _UNIDENTIFIED, _DUPLICATES = range(
    len(Counts._fields)
)


class Traffic:
    """The counts of one process since they were last written."""

    def __init__(self, late_s: float) -> None:
        self._late_us = int(late_s * 1e6)
        self._guard = threading.Lock()
        self._counts: dict[Key, list[int]] = {}

    def count(self, group: Sequence[Prepared]) -> None:
        """Count a group that was committed; those of a release were counted when they came."""
        with self._guard:
            for prepared in group:
                if not prepared.arrival.release:
                    self._count(prepared)

    def _count(self, prepared: Prepared) -> None:
        row = prepared.message
        hour_us = row.received_us - row.received_us % HOUR_US
        mine = self._of((hour_us, prepared.kind, ""))
        if prepared.outcome is Outcome.DUPLICATE:
            mine[_DUPLICATES] += 1
            return
        if prepared.outcome is not Outcome.STORED:
            return
        found = [_MESSAGES]
        if any(one.kind == "holding" for one in prepared.resolutions):
            found.append(_UNIDENTIFIED)
        found += self._timed(row.received_us, prepared.sent_us)
        for counts in (mine, *[self._of((hour_us, prepared.kind, o.row.link)) for o in prepared.outgoing]):
            for place in found:
                counts[place] += 1

    def _timed(self, received_us: int, sent_us: int) -> list[int]:
        late_us = received_us - sent_us
        if sent_us == NOT_ASKED:
            return []
        if not sent_us:
            return [_UNTIMED]
        if late_us < -self._late_us:
            return [_AHEAD]
        limits = ((_LATE, self._late_us), (_LATE_HOUR, HOUR_US), (_LATE_DAY, _DAY_US))
        return [place for place, limit_us in limits if late_us > max(limit_us, self._late_us)]

    def _of(self, key: Key) -> list[int]:
        found = self._counts.get(key)
        if found is None:
            found = self._counts[key] = [0] * len(Counts._fields)
        return found

    def flush(self, engine: Engine, site: str) -> None:
        """Write what was counted.

        Raises:
            StorageError: it was not written; the counts stay.
        """
        with self._guard:
            counts, self._counts = self._counts, {}
        if not counts:
            return
        try:
            with write(engine) as db:
                traffic.add(db, site, _frozen(counts))
        except StorageError:
            with self._guard:
                for key, values in counts.items():
                    mine = self._of(key)
                    for place, value in enumerate(values):
                        mine[place] += value
            raise


def _frozen(counts: Mapping[Key, Sequence[int]]) -> dict[Key, Counts]:
    return {key: Counts(*values) for key, values in counts.items()}
