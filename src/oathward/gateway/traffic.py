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
_IN_TIME, _MALFORMED, _DUPLICATE = "", "malformed", "duplicates"

Seen = tuple[int, str, tuple[str, ...], str, bool, str]
"""What messages that count alike have: hour, kind of device, links, what their time was, whether the patient was not known,
and as what they are held."""


class Traffic:
    """The counts of one process since they were last written.

    Messages that count alike are one number until then: to add to it is all that a message costs.
    """

    def __init__(self, late_s: float) -> None:
        self._late_us = int(late_s * 1e6)
        self._guard = threading.Lock()
        self._seen: dict[Seen, int] = {}

    def count(self, group: Sequence[Prepared]) -> None:
        """Count a group that was committed; those of a release were counted when they came."""
        late_us = self._late_us
        with self._guard:
            seen = self._seen
            for prepared in group:
                if prepared.arrival.release or prepared.outcome not in _COUNTED:
                    continue
                received_us, sent_us = prepared.message.received_us, prepared.sent_us
                timed = _IN_TIME
                if prepared.outcome is Outcome.DUPLICATE:
                    timed = _DUPLICATE
                elif not -late_us <= received_us - sent_us <= late_us:
                    timed = self._timed(received_us, sent_us)
                links = tuple([one.row.link for one in prepared.outgoing])
                holding = "holding" in [one.kind for one in prepared.resolutions]
                held = prepared.held
                held_as = "" if held is None or held.links else traffic.held_as(held.reason)
                key = received_us // HOUR_US, prepared.kind, links, timed, holding, held_as
                seen[key] = seen.get(key, 0) + 1

    def _timed(self, received_us: int, sent_us: int) -> str:
        """Say what a time is that is not about that of arrival: the gravest word."""
        late_us = received_us - sent_us
        if sent_us == NOT_ASKED:
            return _MALFORMED
        if not sent_us:
            return "untimed"
        if late_us < 0:
            return "ahead"
        if late_us > max(_DAY_US, self._late_us):
            return "late_day"
        return "late_hour" if late_us > max(HOUR_US, self._late_us) else "late"

    def flush(self, engine: Engine, site: str) -> None:
        """Write what was counted.

        Raises:
            StorageError: it was not written; the counts stay.
        """
        with self._guard:
            seen, self._seen = self._seen, {}
        if not seen:
            return
        try:
            with write(engine) as db:
                traffic.add(db, site, counts_of(seen))
        except StorageError:
            with self._guard:
                for key, number in seen.items():
                    self._seen[key] = self._seen.get(key, 0) + number
            raise


_COUNTED = (Outcome.STORED, Outcome.DUPLICATE)
_INCLUDED = {"late_day": ("late", "late_hour", "late_day"), "late_hour": ("late", "late_hour")}


def counts_of(seen: Mapping[Seen, int]) -> dict[Key, Counts]:
    """Write what was seen as rows: one of all of a kind and hour, and one of each link."""
    found: dict[Key, Counts] = {}
    for (hour, kind, links, timed, holding, held_as), number in seen.items():
        if timed == _DUPLICATE:
            one, links = Counts(duplicates=number), ()
        else:
            words = _INCLUDED.get(timed, (timed,)) if timed not in {_IN_TIME, _MALFORMED} else ()
            named = {"messages": number} | dict.fromkeys((*words, held_as) if held_as else words, number)
            one = Counts(**named, unidentified=number if holding else 0)
        for link in ("", *links):
            key = (hour * HOUR_US, kind, link)
            found[key] = found.get(key, Counts()).plus(one)
    return found
