"""Read how soon narrowings of what patients allow were in effect: one by one, and by link; and where nobody has said so.

Rules:
- A link is as slow as its slower process. What a process noted that began afterwards is no measure, and stays out of it.
- Not heard: a process that has not noted, a second after the version was put on record, what that did on a link. Not having
  heard is not the same as having stopped, so that it is told apart and never left out.
- A version that nobody noted at all is asked about itself, under the policy in force, unless that is younger than the version.

Deliberately absent: values and names; there are none in what is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from sqlalchemy import Connection

from oathward import ledger
from oathward.consent import effects, sql
from oathward.consent.effects import PROCESSES, Family
from oathward.consent.model import EffectRow
from oathward.consent.noticed import BACK_US, Version
from oathward.ledger import Query
from oathward.policy.bundle import Bundle

HEARD_US = 1_000_000
"""So long after a version was put on record each process should have noted it, and have stopped."""

DAYS = 30
ROWS_MAX = 20_000
ASKED_MAX = 200
BEFORE_MAX = 1_000
"""Deliveries of before are counted up to so many."""

_DAY_US = 24 * 3_600_000_000
_HARMLESS_MAX = 10_000
_harmless: set[tuple[str, str, int, int]] = set()
"""(site, subject, version, bundle's time): versions of which was found that they narrow nothing."""


@dataclass(frozen=True, slots=True)
class OnLink:
    """One narrowing on one link. ``ms``: until every process stopped; None where that is not known."""

    link: str
    ms: int | None
    withdrawn: int
    in_flight: int
    answered: int
    processes: tuple[EffectRow, ...]
    unheard: tuple[str, ...] = ()

    def of(self, process: str) -> EffectRow | None:
        """Give what a process noted; None where it has not."""
        return next((row for row in self.processes if row.process == process), None)

    @property
    def away(self) -> bool:
        """Whether some process began only after it."""
        return any(row.away for row in self.processes)


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """One version that took something away, link by link."""

    subject: str
    version: int
    committed_us: int
    links: tuple[OnLink, ...]

    @property
    def ms(self) -> int | None:
        """Until it was in effect everywhere; None where that is not known."""
        each = [one.ms for one in self.links]
        return None if None in each else max((ms for ms in each if ms is not None), default=None)

    @property
    def unheard(self) -> list[str]:
        """Links of which some process has not said that it stopped."""
        return [one.link for one in self.links if one.unheard]

    def total(self, name: str) -> int:
        """Sum up ``withdrawn``, ``in_flight`` or ``answered``."""
        return sum(getattr(one, name) for one in self.links)


@dataclass(frozen=True, slots=True)
class LinkSums:
    """One link over the days that were asked for; ``p50_ms``, ``worst_ms``: None where nothing measures it."""

    link: str
    count: int
    p50_ms: int | None
    worst_ms: int | None
    withdrawn: int
    in_flight: int
    unheard: int


@dataclass(slots=True)
class _Found:
    committed_us: int
    rows: dict[str, list[EffectRow]] = field(default_factory=dict)


class Withdrawals:
    """The narrowings of one site since a time, latest first.

    Args:
        bundle, bundle_us: the policy in force and since when; None where there is none.
        family: gives a subject and everyone it stands for.
    """

    def __init__(
        self,
        db: Connection,
        site: str,
        *,
        bundle: Bundle | None,
        bundle_us: int,
        family: Family,
        now_us: int,
        days: int = DAYS,
        subject: str = "",
    ) -> None:
        self._db, self._site, self._now_us = db, site, now_us
        self._bundle, self._bundle_us, self._family = bundle, bundle_us, family
        found: dict[tuple[str, int], _Found] = {}
        since_us = now_us - days * _DAY_US
        rows = sql.effects(db, site, since_us=since_us, subject=subject, limit=ROWS_MAX)
        self.whole = len(rows) < ROWS_MAX
        for row in rows:
            one = found.setdefault((row.subject, row.version), _Found(row.committed_us))
            one.rows.setdefault(row.link, []).append(row)
        for version, committed_us, links in self._unnoted(found, subject):
            found[version] = _Found(committed_us, {link: [] for link in links})
        self.rows = sorted(
            (self._withdrawal(*key, one) for key, one in found.items()),
            key=lambda one: (-one.committed_us, one.subject, -one.version),
        )

    def by_link(self) -> list[LinkSums]:
        """Sum up each link, the slowest first."""
        each: dict[str, list[OnLink]] = {}
        for row in self.rows:
            for one in row.links:
                each.setdefault(one.link, []).append(one)
        sums = [_sums(link, some) for link, some in each.items()]
        return sorted(sums, key=lambda one: (-one.unheard, -(one.worst_ms or 0), one.link))

    def unheard(self) -> list[Withdrawal]:
        """Give those of which some process has not said that it stopped."""
        return [one for one in self.rows if one.unheard]

    def _withdrawal(self, subject: str, version: int, found: _Found) -> Withdrawal:
        late = self._now_us - found.committed_us > HEARD_US
        declared = self._bundle.links if self._bundle is not None else {}
        links = []
        for link, rows in sorted(found.rows.items()):
            missing = tuple(sorted(set(PROCESSES) - {row.process for row in rows}))
            measured = not missing and not any(row.away for row in rows)
            links.append(
                OnLink(
                    link,
                    max(row.ms for row in rows) if measured else None,
                    sum(row.withdrawn for row in rows),
                    sum(row.in_flight for row in rows),
                    sum(row.answered for row in rows),
                    tuple(rows),
                    missing if late and link in declared else (),
                )
            )
        return Withdrawal(subject, version, found.committed_us, tuple(links))

    def _unnoted(
        self, noted: dict[tuple[str, int], _Found], subject: str
    ) -> list[tuple[tuple[str, int], int, frozenset[str]]]:
        """Give versions of the last day that narrow something although no process noted it."""
        if self._bundle is None:
            return []
        found = []
        since_us = max(self._now_us - BACK_US, self._bundle_us)
        for who, number, at_us in sql.signed_since(self._db, self._site, since_us, ASKED_MAX):
            key = self._site, who, number, self._bundle_us
            if (who, number) in noted or key in _harmless or subject not in {"", who}:
                continue
            version = Version(who, number, at_us)
            one = effects.narrowing(self._db, self._site, self._bundle, version, self._family, self._now_us)
            if one is not None:
                found.append(((who, number), one.committed_us, one.links))
                continue
            if len(_harmless) >= _HARMLESS_MAX:
                _harmless.clear()
            _harmless.add(key)
        return found


def delivered_before(db: Connection, site: str, one: Withdrawal, link: str, family: Sequence[str]) -> int:
    """Count what had been delivered of a patient on a link before a narrowing, up to ``BEFORE_MAX``."""
    count = 0
    for subject in family:
        query = Query(subject=subject, link=link, kind="message.delivered", until_us=one.committed_us)
        count += len(ledger.search(db, site, query, limit=BEFORE_MAX - count))
        if count >= BEFORE_MAX:
            break
    return count


def _sums(link: str, some: Sequence[OnLink]) -> LinkSums:
    measured = [one.ms for one in some if one.ms is not None]
    return LinkSums(
        link,
        len(some),
        round(median(measured)) if measured else None,
        max(measured, default=None),
        sum(one.withdrawn for one in some),
        sum(one.in_flight for one in some),
        sum(bool(one.unheard) for one in some),
    )
