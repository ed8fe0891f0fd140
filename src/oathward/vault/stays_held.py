"""The stays of one message's patients: read once, changed in memory, written once, and what is recorded of it.

Rules:
- What is recorded is what the message as a whole changed: who is in whose care after it and was not before, and the
  other way round. Between two statements of one message nobody sees anything.
- Of one message there is one finding about limits (``care.limit``) at most: of all stays, of the message, of the
  patient, in this order; of all stays one an hour.
- At the limit of all stays those that begin have room before those that are over (``care_room``).

Deliberately absent: what a statement makes of a stay (``stays``, ``stays_moved``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, or_, select

from oathward.core.reasons import Reason
from oathward.ledger import Leaf, Record, prepare
from oathward.vault import care, care_room
from oathward.vault import care_rows as rows
from oathward.vault.care_room import Room
from oathward.vault.care_rows import Stamps, Stay

if TYPE_CHECKING:
    from oathward.vault.stays import Said

HEARD_US = 3_600_000_000
"""How old the note may get that something was heard of a stay, where nothing else is new."""

NOBODY = ""
"""Whose an end is that was told of a patient nobody knows: it is of whoever has that number."""

UNDER_MAX = 64
"""Stays under one number that one statement ends: more than a mother and her children are a mistake."""

_Key = tuple[str, bytes]


class Held:
    """The rows of one message; of one transaction."""

    def __init__(self, db: Connection, site: str, stamps: Stamps, room: Room) -> None:
        self.db, self.site, self._stamps, self._room = db, site, stamps, room
        self._rows: dict[str, dict[bytes, Stay]] = {}
        self._tied: dict[str, frozenset[str]] = {}
        self._was: dict[_Key, Stay | None] = {}
        self._by: dict[_Key, Said] = {}
        self._limits: dict[str, Said] = {}
        self._left = 0

    def chosen(self, statements: int) -> int:
        """Say how many statements of this message are taken; see ``Room.taken``."""
        return self._room.taken(self.db, statements)

    def tied(self, subject: str) -> frozenset[str]:
        """Give the subjects of one patient."""
        if subject not in self._tied:
            found = care.tied(self.db, self.site, subject, self._stamps)
            self._tied |= dict.fromkeys(found if subject in found else (subject,), found)
        return self._tied[subject]

    def of(self, subjects: Collection[str]) -> list[Stay]:
        """List the stays of a patient as they are now, ended ones too."""
        for one in sorted(subjects):
            if one not in self._rows:
                kept = rows.stays_of(self.db, self.site, (one,))
                self._rows[one] = {stay.encounter: stay for stay in kept}
        return [stay for one in sorted(subjects) for stay in self._rows[one].values()]

    def under(self, encounter: bytes, account: bytes) -> list[Stay]:
        """List the stays of anybody under a visit number, or of an account, as they are now."""
        table = rows.care_stay.c
        where = table.encounter == encounter
        if not encounter:
            where = or_(table.encounter == account, table.account == account)
        found = _rows(self.db, self.site, where & (table.subject != NOBODY), UNDER_MAX)
        return [
            one
            for subject in sorted({stay.subject for stay in found})
            for one in self.of((subject,))
            if (one.encounter == encounter if encounter else account in (one.encounter, one.account))
        ]

    def put(self, stay: Stay, said: Said) -> None:
        """Change a stay that is there, or add one."""
        if stay.subject == NOBODY:
            self._one(stay.encounter)
        else:
            self.of((stay.subject,))
        kept = self._rows[stay.subject]
        key = stay.subject, stay.encounter
        self._was.setdefault(key, kept.get(stay.encounter))
        self._by[key] = said
        kept[stay.encounter] = stay

    def begin(self, new: Stay, said: Said) -> None:
        """Add a stay of which nothing was heard before; where its patient has too many, the longest unheard of ends."""
        new = self._over_already(new, said)
        if new.ended_us is None:
            for one in self._room.too_many(self.of(self.tied(new.subject)), said.heard_us):
                self.limit("patient", said)
                if self._was.get((one.subject, one.encounter), one) is None:
                    self._drop(one)  # of this very message
                else:
                    self.put(replace(one, ended_us=max(one.begun_us, said.at_us)), said)
        self.put(new, said)

    def end_nobodys(self, end: Stay, said: Said) -> None:
        """Keep an end told of a patient nobody knows, unless a later one is kept."""
        kept = self._one(end.encounter)
        if kept is None or kept.being_said_us < end.being_said_us:
            self.put(end, said)

    def limit(self, about: str, said: Said, left: int = 0) -> None:
        """Note that a limit was met."""
        self._limits.setdefault(about, said)
        self._left += left

    def write(self) -> list[Leaf]:
        """Write what is new; gives the records of it."""
        self._trim()
        new = [key for key, was in self._was.items() if was is None]
        new.sort(key=lambda key: self._rows[key[0]][key[1]].ended_us is not None)
        made = self._room.make(self.db, self.site, len(new), self._was)
        for key in new[made.granted :]:
            self.limit("site", self._by[key])
            self._drop(self._rows[key[0]][key[1]])
        leaves: list[Leaf] = []
        for key, was in self._was.items():
            stay, said = self._rows[key[0]][key[1]], self._by[key]
            if was is None or not same(was, stay):
                rows.put_stay(self.db, self.site, stay, self._stamps)
                leaves += told(was, stay, said)
        care_room.forget_names(self.db, self.site, made.subjects)
        if made.forgotten:
            body = {"ended": made.forgotten, "silent": 0}
            heard_us = max(said.heard_us for said in self._by.values())
            leaves.append(prepare(Record("care.forgotten", body, heard_us)))
        return self._finding() + leaves

    def _one(self, encounter: bytes) -> Stay | None:
        """Look for an end of nobody's; there may be many, so each is read alone."""
        kept = self._rows.setdefault(NOBODY, {})
        if encounter not in kept:
            kept |= {one.encounter: one for one in _rows(self.db, self.site, _at(NOBODY, encounter), 1)}
        return kept.get(encounter)

    def _over_already(self, new: Stay, said: Said) -> Stay:
        """End a stay whose visit or account was said, later, to be another patient's."""
        ends = [one for number in {new.encounter, new.account} - {b""} if (one := self._one(number))]
        if new.account and new.account != new.encounter:
            ends += [one for one in self.of(self.tied(new.subject)) if one.encounter == new.account]
        for end in ends:
            if end.ended_us is not None and said.said_us <= end.being_said_us and new.ended_us is None:
                said_us, at_us = end.being_said_us, end.being_at_us
                new = replace(new, ended_us=end.ended_us, being_said_us=said_us, being_at_us=at_us)
        return new

    def _trim(self) -> None:
        """Forget what ended stays a patient with new ones has over and above the limit."""
        for subject in {subject for (subject, _), was in self._was.items() if was is None} - {NOBODY}:
            for one in self._room.ended_over(self.of(self.tied(subject))):
                key = one.subject, one.encounter
                if key not in self._was:
                    self._room.delete(self.db, self.site, one)
                if (
                    self._was.get(key) is None
                ):  # what was there before and ends now is recorded, and stays for once
                    self._drop(one)

    def _drop(self, stay: Stay) -> None:
        key = stay.subject, stay.encounter
        del self._rows[stay.subject][stay.encounter]
        self._was.pop(key, None)
        self._by.pop(key, None)

    def _finding(self) -> list[Leaf]:
        site = self._limits.get("site")
        if site is not None and not self._room.tells(site.heard_us, site.message):
            del self._limits["site"]
        for about in ("site", "message", "patient"):
            if (said := self._limits.get(about)) is not None:
                more = {"left": self._left} if self._left else {}
                return [finding(Reason.CARE_LIMIT, said, about=about, **more)]
        return []


def _rows(db: Connection, site: str, where: ColumnElement[bool], limit: int) -> list[Stay]:
    query = select(rows.care_stay).where(rows.care_stay.c.site == site, where)
    return [rows.stay_of(row) for row in db.execute(query.order_by(rows.care_stay.c.subject).limit(limit))]


def _at(subject: str, encounter: bytes) -> ColumnElement[bool]:
    return (rows.care_stay.c.subject == subject) & (rows.care_stay.c.encounter == encounter)


def finding(reason: Reason, said: Said, **more: Any) -> Leaf:
    """Record something that somebody should look at."""
    body = {"finding": reason.code, **more}
    return prepare(Record("finding.raised", body, said.heard_us, said.subject, (), said.message))


def same(before: Stay, after: Stay) -> bool:
    """Say whether nothing is new but that something was heard, and that was noted lately."""
    lately = after.heard_us - before.heard_us < HEARD_US
    return lately and replace(after, heard_us=before.heard_us, message=before.message) == before


def told(before: Stay | None, after: Stay, said: Said) -> Iterable[Leaf]:
    """Record whose care began and ended: how many attend and whether a unit was named, never which words stood there.

    What home care and clinics write as a place may be a name or an address.
    """
    was = None if before is None or before.ended_us is not None else before
    now = after if after.ended_us is None else None
    if was and now and (was.unit, was.attending) == (now.unit, now.attending):
        return
    for kind, stay in (("care.ended", was), ("care.began", now)):
        if stay is not None:
            body = {
                "at": said.at_us,
                "attending": len(stay.attending),
                "event": said.event,
                "unit": bool(stay.unit),
            }
            yield prepare(Record(kind, body, said.heard_us, stay.subject, (), said.message))
