"""Which versions of what patients say a process has taken in, and when: asked where it sees that something changed.

Rules:
- One short query behind the newest that was seen. A version may be committed some time after it was signed: so far back
  is looked again.
- Those signed in the last day before the process began are noticed once, as of before its time.

Deliberately absent: what a version changes (``effects``).
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

from oathward.consent import sql
from oathward.core.clock import micros

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from oathward.core.clock import Clock

LATE_US = 60_000_000
"""A version may be committed so long after it was signed."""

BACK_US = 24 * 3_600_000_000
_AT_ONCE_MAX = 1_000


class Version(NamedTuple):
    """A version of what a subject says. ``seen_us``: when it was taken in; ``before``: it was signed before the process began."""

    subject: str
    number: int
    seen_us: int
    before: bool = False


class Noticed:
    """What one process has noticed; it begins when this is made. Any thread may ask."""

    def __init__(self, site: str, clock: Clock) -> None:
        self._site, self._clock = site, clock
        self._began_us = micros(clock.now())
        self._from_us = self._began_us - BACK_US
        self._seen: dict[tuple[str, int], int] = {}
        self._asking = threading.Lock()

    def new(self, db: Connection) -> list[Version]:
        """Give the versions that were not there at the last call."""
        with self._asking:
            return self._new(db)

    def _new(self, db: Connection) -> list[Version]:
        found, now_us = [], micros(self._clock.now())
        for subject, number, at_us in sql.signed_since(db, self._site, self._from_us, _AT_ONCE_MAX):
            if (subject, number) not in self._seen:
                self._seen[subject, number] = at_us
                found.append(Version(subject, number, now_us, at_us < self._began_us))
        newest_us = max((at_us for at_us in self._seen.values()), default=self._from_us)
        self._from_us = max(self._from_us, newest_us - LATE_US)
        self._seen = {key: at_us for key, at_us in self._seen.items() if at_us >= self._from_us}
        return found
