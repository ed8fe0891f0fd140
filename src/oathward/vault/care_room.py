"""How many stays there may be, and when they are forgotten: a source of ADT fills no disk.

Rules:
- A patient has so many open stays; beyond it the one of which nothing was heard for the longest is ended, on record.
  Of ended ones a patient keeps as many; the ones longest unheard of are forgotten first.
- All patients together have so many stays, ended ones too; beyond it the ended one that is longest unheard of is
  forgotten for a new one, on record. Where none has ended a new one is not kept, and that is a finding, one an hour.
- Of one message about one patient so many statements are taken, and of all messages of one transaction so many beyond
  the first ones of each: who says much keeps nobody else waiting, and costs nobody else a statement.
- What ended and never began here is forgotten sooner: it is kept for the order of messages alone.
- An ended stay is forgotten some time after the last word of it; one that nobody said a word of for so long that it
  gives no relation, as long after that. With a patient's last stay goes what the patient is called.
- What began and ended is in the ledger and stays there; what is forgotten is counted on record.

Deliberately absent: what begins and ends a stay (``stays``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, and_, delete, exists, func, or_, select

from oathward.core.settings import People
from oathward.vault.care_rows import Stay, care_assignment, care_name, care_stay, care_tie

COUNTED_ANEW_S = 60.0
"""How long a count of all is believed: house-keeping, in another process, makes room."""

ALWAYS_TAKEN = 4
"""Statements of one message about stays of one patient that are taken whatever else comes with it: ADT says one or two."""

MESSAGE_MAX = 128
"""Statements of one message that are taken; a patient has half as many open stays at most."""

GROUP_MAX = 512
"""Statements beyond the first ones of each message that are taken in one transaction: others wait for its end."""

UNBEGUN_DAYS = 7.0
"""How long an end is kept of what never began here: for what began it and comes late."""

WARN_SHARE = 0.8
"""From which part of its limit on the number of stays is warned of."""

_AT_ONCE = 10_000
"""At the limit of all, one in so many is forgotten at once."""

_HOUR_US = 3_600_000_000
_DAY_US = 24 * _HOUR_US


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
        self._transaction: object = self
        self._spent = 0
        self._told = -_HOUR_US, ""

    @classmethod
    def by(cls, people: People) -> Room:
        """As the settings say."""
        silence_us = int(people.care_silence_days * _DAY_US)
        return cls(people.care_stays_per_patient_max, people.care_stays_max, silence_us)

    def make(self, db: Connection, site: str, wanted: int, sparing: Collection[tuple[str, bytes]]) -> Made:
        """Make room for some more stays: at the limit of all, what ended and is longest unheard of is forgotten.

        Args:
            sparing: subject and encounter of what must stay.
        """
        now_s = self._monotonic()
        if wanted and now_s - self._counted_s >= COUNTED_ANEW_S:
            self._count, self._counted_s = count(db, site), now_s
        over = self._count + wanted - self._in_all_max
        gone: list[tuple[str, bytes]] = []
        if wanted and over > 0:
            some = max(over, self._in_all_max // _AT_ONCE)
            gone = [one for one in _ended(db, site, some + len(sparing)) if one not in sparing][:some]
            for subject, encounter in gone:
                _delete(db, site, subject, encounter)
        self._count -= len(gone)
        granted = max(0, min(wanted, self._in_all_max - self._count))
        self._count += granted
        return Made(granted, len(gone), frozenset(subject for subject, _ in gone))

    def taken(self, db: Connection, statements: int) -> int:
        """Say how many statements of one more message are taken in a transaction: some always, more while it lasts."""
        transaction = db.get_transaction()
        if transaction is not self._transaction:
            self._transaction, self._spent = transaction, 0
        always = min(statements, ALWAYS_TAKEN)
        more = min(statements, MESSAGE_MAX) - always
        more = max(0, min(more, GROUP_MAX - self._spent))
        self._spent += more
        return always + more

    def tells(self, heard_us: int, message: str) -> bool:
        """Say whether a finding about all stays is due: one an hour. One message, tried again, tells it again."""
        told_us, by = self._told
        if by != message and abs(heard_us - told_us) < _HOUR_US:
            return False
        self._told = heard_us, message
        return True

    def too_many(self, kept: Iterable[Stay], now_us: int) -> list[Stay]:
        """Choose the open stays of a patient that make room for one more."""
        open_ = [stay for stay in kept if stay.ended_us is None and stay.heard_us > now_us - self._silence_us]
        open_.sort(key=lambda stay: stay.heard_us)
        return open_[: max(0, len(open_) + 1 - self._per_patient_max)]

    def ended_over(self, kept: Iterable[Stay]) -> list[Stay]:
        """Choose the ended stays of a patient that are over and above the limit, the longest unheard of first."""
        ended = sorted((stay for stay in kept if stay.ended_us is not None), key=lambda stay: stay.heard_us)
        return ended[: max(0, len(ended) - self._per_patient_max)]

    def delete(self, db: Connection, site: str, stay: Stay) -> None:
        """Forget a stay."""
        _delete(db, site, stay.subject, stay.encounter)
        self._count -= 1


@dataclass(frozen=True, slots=True)
class Made:
    """For how many there is room, how many ended ones were forgotten for it, and of whom."""

    granted: int
    forgotten: int
    subjects: frozenset[str]


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
    unbegun_us = max(ended_us, now_us - int(UNBEGUN_DAYS * _DAY_US))
    past = or_(
        and_(table.ended_us == table.begun_us, table.place_at_us == 0, table.heard_us < unbegun_us),
        and_(table.ended_us.is_not(None), table.heard_us < ended_us),
        and_(table.ended_us.is_(None), table.heard_us < silent_us),
    )
    query = select(table.subject, table.encounter, table.ended_us).where(table.site == site, past)
    rows = db.execute(query.order_by(table.heard_us).limit(limit)).all()
    for row in rows:
        _delete(db, site, row.subject, bytes(row.encounter))
    forget_names(db, site, {row.subject for row in rows})
    ended = sum(row.ended_us is not None for row in rows)
    return Forgotten(ended, len(rows) - ended)


def _delete(db: Connection, site: str, subject: str, encounter: bytes) -> None:
    one = (
        care_stay.c.site == site,
        care_stay.c.subject == subject,
        care_stay.c.encounter == encounter,
    )
    db.execute(delete(care_stay).where(*one))


def forget_names(db: Connection, site: str, subjects: Collection[str]) -> None:
    """Forget what those are called of whom nothing else is kept: no stay, no assignment, no tie to another."""
    for subject in subjects:
        _forget_name(db, site, subject)


def count(db: Connection, site: str) -> int:
    """Count all stays, ended ones too."""
    query = select(func.count()).select_from(care_stay).where(care_stay.c.site == site)
    return int(db.execute(query).scalar_one())


def _ended(db: Connection, site: str, limit: int) -> list[tuple[str, bytes]]:
    """List the ended stays that are longest unheard of."""
    query = select(care_stay.c.subject, care_stay.c.encounter)
    query = query.where(care_stay.c.site == site, care_stay.c.ended_us.is_not(None))
    rows = db.execute(query.order_by(care_stay.c.heard_us).limit(limit))
    return [(row.subject, bytes(row.encounter)) for row in rows]


def _forget_name(db: Connection, site: str, subject: str) -> None:
    kept = or_(
        exists().where(care_stay.c.site == site, care_stay.c.subject == subject),
        exists().where(care_assignment.c.site == site, care_assignment.c.subject == subject),
        exists().where(
            care_tie.c.site == site, or_(care_tie.c.child == subject, care_tie.c.parent == subject)
        ),
    )
    db.execute(delete(care_name).where(care_name.c.site == site, care_name.c.subject == subject, ~kept))
