"""How many stays there may be, and when they are forgotten: a source of ADT fills no disk.

Rules:
- A patient has so many open stays; beyond it the one of which nothing was heard for the longest is ended, on record.
  Of ended ones a patient keeps as many; the ones longest unheard of are forgotten first.
- All patients together have so many stays, ended ones too; beyond it a new one is not kept, and that is a finding.
- An ended stay is forgotten some time after the last word of it; one that nobody said a word of for so long that it
  gives no relation, as long after that. With a patient's last stay goes what the patient is called.
- What began and ended is in the ledger and stays there; what is forgotten is counted on record.

Deliberately absent: what begins and ends a stay (``stays``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, and_, delete, exists, func, or_, select

from oathward.core.settings import People
from oathward.vault.care_rows import Stay, care_assignment, care_name, care_stay, care_tie

COUNTED_ANEW_S = 60.0
"""How long a count of all is believed: house-keeping, in another process, makes room."""

_DAY_US = 86_400_000_000


class Room:
    """How many stays there may be, and how many there are, as far as this process knows; of one writer."""

    def __init__(
        self,
        per_patient_max: int,
        in_all_max: int,
        silence_us: int,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_patient_max, self._in_all_max = per_patient_max, in_all_max
        self._silence_us, self._monotonic = silence_us, monotonic
        self._count, self._counted_s = 0, -COUNTED_ANEW_S

    @classmethod
    def by(cls, people: People) -> Room:
        """As the settings say."""
        silence_us = int(people.care_silence_days * _DAY_US)
        return cls(people.care_stays_per_patient_max, people.care_stays_max, silence_us)

    def left(self, db: Connection, site: str) -> bool:
        """Say whether there may be one more stay in all."""
        now_s = self._monotonic()
        if now_s - self._counted_s >= COUNTED_ANEW_S:
            query = select(func.count()).select_from(care_stay).where(care_stay.c.site == site)
            self._count, self._counted_s = int(db.execute(query).scalar_one()), now_s
        return self._count < self._in_all_max

    def too_many(self, kept: Iterable[Stay], now_us: int) -> list[Stay]:
        """Choose the open stays of a patient that make room for one more."""
        open_ = [stay for stay in kept if stay.ended_us is None and stay.heard_us > now_us - self._silence_us]
        open_.sort(key=lambda stay: stay.heard_us)
        return open_[: max(0, len(open_) + 1 - self._per_patient_max)]

    def taken(self, db: Connection, site: str, kept: Iterable[Stay]) -> None:
        """Count one more, and forget what of its patient is over and above the limit."""
        self._count += 1
        over = sorted((stay for stay in kept if stay.ended_us is not None), key=lambda stay: stay.heard_us)
        for stay in over[: max(0, len(over) - self._per_patient_max)]:
            _delete(db, site, stay.subject, stay.encounter)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many stays were forgotten: ended ones, and such as nobody spoke of any more."""

    ended: int
    silent: int


def forget_before(db: Connection, site: str, people: People, now_us: int, limit: int) -> Forgotten:
    """Forget stays past their time, the oldest first, with what their patients are called."""
    ended_us = max(0, now_us - int(people.care_ended_days * _DAY_US))
    silent_us = max(0, ended_us - int(people.care_silence_days * _DAY_US))
    table = care_stay.c
    past = or_(
        and_(table.ended_us.is_not(None), table.heard_us < ended_us),
        and_(table.ended_us.is_(None), table.heard_us < silent_us),
    )
    query = select(table.subject, table.encounter, table.ended_us).where(table.site == site, past)
    rows = db.execute(query.order_by(table.heard_us).limit(limit)).all()
    for row in rows:
        _delete(db, site, row.subject, bytes(row.encounter))
    for subject in {row.subject for row in rows}:
        _forget_name(db, site, subject)
    ended = sum(row.ended_us is not None for row in rows)
    return Forgotten(ended, len(rows) - ended)


def _delete(db: Connection, site: str, subject: str, encounter: bytes) -> None:
    one = (
        care_stay.c.site == site,
        care_stay.c.subject == subject,
        care_stay.c.encounter == encounter,
    )
    db.execute(delete(care_stay).where(*one))


def _forget_name(db: Connection, site: str, subject: str) -> None:
    """Forget what somebody is called of whom nothing else is kept: no stay, no assignment, no tie to another."""
    kept = or_(
        exists().where(care_stay.c.site == site, care_stay.c.subject == subject),
        exists().where(care_assignment.c.site == site, care_assignment.c.subject == subject),
        exists().where(
            care_tie.c.site == site, or_(care_tie.c.child == subject, care_tie.c.parent == subject)
        ),
    )
    db.execute(delete(care_name).where(care_name.c.site == site, care_name.c.subject == subject, ~kept))
