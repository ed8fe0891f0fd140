"""Which source suddenly tells of far more endpoints than it ever did: what it says once of somebody new waits for a second word. Pure.

Rules:
- A source (``pcap.arp`` in a realm) has a day to be read for the first time, by its own clock: ``FIRST_DAY_MAX`` new endpoints, more than a large hospital has.
  A day of fewer than ``FIRST_DAY_MIN`` was a trial, or a clock that was not set yet.
- What is late counts in the hour that is now; what is later than a day, an archive, has hours of its own.
- After that it may begin so many in an hour: ``HOUR_MIN``, ``1 / FIRST_SHARE`` of its first day, or ``BUSIEST`` times its busiest hour without a flood,
  whichever is most; never more than ``HOUR_MAX``, so that nobody raises it step by step.
- Beyond that whoever nobody knows yet is a *mark heard once*: no endpoint, but remembered by a digest and counted. Heard ``AGAIN_US`` later, or of by
  another source, it is an endpoint. A device is heard again; a made-up number is not.
- Nothing waits that the site says itself (a list, a declared device), nor a claim or name that somebody has: that is told as a conflict.
- Memory is bounded (``ONCE_MAX``, ``REMEMBERED_US``); what it has no room for is counted all the same.

What cannot be told: who makes up no more in an hour than that, and who says each made-up number again. Both are bounded by the room of an inventory.

Source: ADR 0052. MAC flooding: CAPEC-125, and the switch's own bound, port security.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from oathward.discovery.model import MarkKind, Statement
from oathward.endpoints.marks import Sorted
from oathward.endpoints.model import OnceRow, SourceRow

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

FIRST_DAY_MIN = 20
FIRST_DAY_MAX = 50_000
HOUR_MIN = 1_000
HOUR_MAX = 20_000
FIRST_SHARE = 4
BUSIEST = 4
AGAIN_US = 10 * MINUTE_US
ONCE_MAX = 200_000
REMEMBERED_US = 7 * DAY_US
"""A mark heard once is forgotten after this, and so is a flood that is over."""


class News:
    """What sources told of somebody new, as far as a batch needs it.

    ``once``: marks heard once, digest -> row. ``changed``: sources whose row changed; ``flooding``: those of which something waits since; ``put``, ``gone``: digests to write and to delete.
    """

    def __init__(self) -> None:
        self.sources: dict[tuple[str, str], SourceRow] = {}
        self.once: dict[str, OnceRow] = {}
        self.changed: set[tuple[str, str]] = set()
        self.flooding: set[tuple[str, str]] = set()
        self.put: set[str] = set()
        self.gone: set[str] = set()
        self.room = ONCE_MAX

    def began(self, said: Statement) -> None:
        """Count an endpoint that a source began."""
        row = self._row(said)
        if _is_first_day(row, said.at_us):
            row.first_day += 1
        else:
            row.made += 1
        self.changed.add((said.realm, said.source))

    def waits(self, said: Statement, mark: tuple[MarkKind, str]) -> bool:
        """Whether somebody new by this mark is to be heard again first; counts it."""
        digest = digest_of(said.realm, *mark)
        known = self.once.get(digest)
        full = self._is_full(said)
        if known is None:
            if full:
                self._hold(said, digest)
            return full
        if full and known.source == said.source and abs(said.at_us - known.at_us) < AGAIN_US:
            return True
        del self.once[digest]
        self.put.discard(digest)
        self.gone.add(digest)
        row = self.sources.get((known.realm, known.source))
        if row is not None:
            row.taken += 1
            self.changed.add((known.realm, known.source))
        return False

    def _row(self, said: Statement) -> SourceRow:
        """Give the row of a source, with the hour that is now."""
        key = (said.realm, said.source)
        row = self.sources.get(key)
        if row is None:
            row = self.sources[key] = SourceRow(*key, first_us=said.at_us)
        if not _is_first_day(row, said.at_us) and row.first_day < FIRST_DAY_MIN:
            row.first_us = said.at_us
        hour_us = said.at_us // HOUR_US * HOUR_US
        if hour_us > row.hour_us or hour_us < row.hour_us - DAY_US:
            if row.until_us < row.hour_us:  # an hour without a flood says what is usual
                row.most = max(row.most, row.made)
            row.hour_us, row.made = hour_us, 0
        return row

    def _is_full(self, said: Statement) -> bool:
        row = self._row(said)
        if _is_first_day(row, said.at_us):
            return row.first_day >= FIRST_DAY_MAX
        return row.made >= usual(row)

    def _hold(self, said: Statement, digest: str) -> None:
        row = self._row(said)
        if said.at_us - row.until_us > REMEMBERED_US:
            row.from_us, row.held, row.taken = said.at_us, 0, 0
        row.from_us, row.until_us = min(row.from_us, said.at_us), max(row.until_us, said.at_us)
        row.held += 1
        row.segment = said.segment or row.segment
        self.changed.add((said.realm, said.source))
        self.flooding.add((said.realm, said.source))
        if self.room > 0:
            self.room -= 1
            self.once[digest] = OnceRow(digest, said.realm, said.source, said.at_us)
            self.put.add(digest)


def usual(row: SourceRow) -> int:
    """Say how many endpoints a source may begin in an hour after its first day."""
    return min(HOUR_MAX, max(HOUR_MIN, row.first_day // FIRST_SHARE, BUSIEST * row.most))


def foremost(marks: Sorted, *, fronted: bool) -> tuple[MarkKind, str] | None:
    """Give the mark that somebody new is remembered by; ``fronted``: its card speaks for others."""
    cards = () if fronted else (*marks.cards, *marks.random)
    for value in cards:
        return MarkKind.MAC, value
    for claim in marks.claims:
        return claim.kind, claim.value
    for value in marks.addresses:
        return MarkKind.ADDRESS, value
    for name in marks.names:
        return name.kind, name.value
    return None


def digests_of(realm: str, marks: Sorted) -> Iterable[str]:
    """Give the digests that somebody with these marks may be remembered by."""
    for fronted in (False, True):
        mark = foremost(marks, fronted=fronted)
        if mark is not None:
            yield digest_of(realm, *mark)


def digest_of(realm: str, kind: MarkKind, value: str) -> str:
    """Name a mark in its realm without keeping it: 16 bytes of BLAKE2b, hex."""
    return blake2b(
        f"{realm}|{kind.value}|{value}".encode("utf-8", "surrogatepass"), digest_size=16
    ).hexdigest()


def _is_first_day(row: SourceRow, at_us: int) -> bool:
    return 0 <= at_us - row.first_us < DAY_US
