"""What happens to disclosures: reported by staff, taken from a device's own correction, settled, late.

Rules:
- Each is a finding, ``device.wrong-patient``, with a clock; past it ``disclosure.overdue`` is another, once.
- The record ``disclosure.reported`` is of the patient under whom the data went; one more of the patient they are of, where
  that is known (``as``: ``other``). Both name the same disclosure, and how many messages went to which links.
- What ADT contradicts (``gateway/care_beds``) is suspected: no record of a disclosure, no clock. A person confirms it, and then it is
  a disclosure as one that was reported; or dismisses it, which is on record too, and the same is not suspected again for a day.
- A correction is a result that its sender posts as wrong (``gateway/corrections``). The period then begins with the first of
  that device's messages about that patient within a day before; staff enter a longer one by hand.

Deliberately absent: who may (``disclosures.change``), and telling recipients.

Source: HL7 v2.8.2 table 0085 ``W``; GDPR Art. 33(1) (72 hours).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from sqlalchemy import Connection

from oathward.core.errors import InputError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.disclosures import sql
from oathward.disclosures.model import DisclosureRow, Settled, Told
from oathward.disclosures.views import reached
from oathward.ledger import Entry, Leaf, Query, Record, append, head, prepare, search

FINDING = "device.wrong-patient"
SUSPECTED = "device.wrong-patient-suspected"
OVERDUE = "disclosure.overdue"
HOURS = 72
"""To settle one; a controller has as long to notify."""

PAGE = 50
PERIOD_MAX_US = 366 * 86_400_000_000
_DAY_US = 86_400_000_000
_HOUR_US = 3_600_000_000


def report(
    db: Connection,
    site: str,
    *,
    device: str,
    subject: str,
    other: str,
    period: tuple[int, int],
    by: str,
    now_us: int,
) -> DisclosureRow:
    """Report that a device's data of some time went under the wrong patient. The last call before commit.

    Args:
        other: whose they are; empty where that is not known. period: from, until.

    Raises:
        InputError: the period is none; both patients are one; ``not-found``: the device sent nothing of that patient then.
    """
    from_us, until_us = period
    if not 0 < from_us <= until_us <= now_us + _HOUR_US or until_us - from_us > PERIOD_MAX_US:
        raise InputError("period", "from before until, a year at most", reason=Reason.INPUT_INVALID)
    if subject == other:
        raise InputError("other", "is the same patient", reason=Reason.INPUT_INVALID)
    row = _new(device, subject, other, period, Told.STAFF, by, now_us)
    if not reached(db, site, row).messages:
        why = "this device sent nothing of this patient in that time"
        raise InputError("device", why, reason=Reason.NOT_FOUND)
    append(db, site, [*_kept(db, site, row), _finding(FINDING, row, now_us)])
    return row


def take_in(db: Connection, site: str, now_us: int) -> int:
    """Take in corrections that devices sent since the last time; gives how many are new. The last call before commit."""
    start, stop = sql.upto(db, site), head(db, site).size
    if start == stop:
        return 0
    leaves = list[Leaf]()
    count = 0
    for found in _findings(db, site, start, stop) if start is not None else ():
        if found.body["finding"] == SUSPECTED:
            count += _suspect(db, site, found, now_us)
            continue
        for said in search(db, site, Query(message=found.message, kind="message.accepted"), limit=1):
            device = str(said.body.get("device", ""))
            row = _new(device, found.subject, "", (found.at_us, found.at_us), Told.CORRECTION, "", now_us)
            row = replace(row, evidence=found.message, from_us=_first(db, site, row) or found.at_us)
            waits = sql.open_of(db, site, device, found.subject)
            if not any(one.from_us <= row.until_us <= one.until_us + _HOUR_US for one in waits):
                leaves += _kept(db, site, row)
                count += 1
    sql.set_upto(db, site, stop)
    if leaves:
        append(db, site, leaves)
    return count


def confirm(db: Connection, site: str, id_: str, *, by: str, now_us: int) -> DisclosureRow:
    """Say that what was suspected is so: a disclosure from now on. The last call before commit.

    Raises:
        InputError: ``not-found``; ``conflict``: it is not suspected any more.
    """
    row = sql.one(db, site, id_)
    if row is None:
        raise InputError("disclosure", "there is none of this id", reason=Reason.NOT_FOUND)
    if row.told is not Told.SUSPECTED or row.settled is not None:
        raise InputError("disclosure", "is not suspected", reason=Reason.CONFLICT)
    due_us = now_us + HOURS * _HOUR_US
    done = replace(row, told=Told.CONFIRMED, by=by, at_us=now_us, due_us=due_us)
    sql.change(db, site, done)
    append(db, site, [*_reported(db, site, done), _finding(FINDING, done, now_us)])
    return done


def settle(db: Connection, site: str, id_: str, *, outcome: str, by: str, now_us: int) -> DisclosureRow:
    """Say what a disclosure came to. The last call before commit.

    Raises:
        InputError: ``not-found``; ``conflict``: it was settled; the outcome is none.
    """
    row = sql.one(db, site, id_)
    if row is None:
        raise InputError("disclosure", "there is none of this id", reason=Reason.NOT_FOUND)
    if row.settled is not None:
        raise InputError("disclosure", "was settled", reason=Reason.CONFLICT)
    if outcome not in set(Settled):
        raise InputError("outcome", f"one of {', '.join(Settled)}", reason=Reason.INPUT_INVALID)
    done = replace(row, settled=Settled(outcome), settled_by=by, settled_us=now_us)
    if row.told is Told.SUSPECTED and done.settled is not Settled.NOT_SO:
        raise InputError("outcome", "confirm it first", reason=Reason.CONFLICT)
    sql.change(db, site, done)
    body = {"by": by, "device": row.device, "id": row.id, "outcome": outcome}
    if row.told is Told.SUSPECTED:
        append(db, site, [prepare(Record("suspicion.dismissed", body, now_us, row.subject))])
        return done
    whom = [(row.subject, body), *([(row.other, body | {"as": "other"})] if row.other else [])]
    append(db, site, [prepare(Record("disclosure.settled", told, now_us, one)) for one, told in whom])
    return done


def tell_overdue(db: Connection, site: str, now_us: int) -> int:
    """Raise a finding for each that nobody settled in time, once. The last call before commit."""
    late = [one for one in sql.rows(db, site, settled=False) if one.overdue(now_us) and not one.overdue_told]
    for row in late:
        sql.change(db, site, replace(row, overdue_told=True))
    if late:
        append(db, site, [_finding(OVERDUE, row, now_us) for row in late])
    return len(late)


def forget(db: Connection, site: str, subjects: Collection[str]) -> None:
    """Delete what is kept of subjects that were erased."""
    sql.forget(db, site, subjects)


def _new(
    device: str, subject: str, other: str, period: tuple[int, int], told: Told, by: str, now_us: int
) -> DisclosureRow:
    id_ = uuid7(now_us // 1_000)
    return DisclosureRow(
        id_, device, subject, other, *period, told, "", by, now_us, now_us + HOURS * _HOUR_US
    )


def _kept(db: Connection, site: str, row: DisclosureRow) -> list[Leaf]:
    """Write a new one; gives its records."""
    sql.put(db, site, row)
    return _reported(db, site, row)


def _suspect(db: Connection, site: str, found: Entry, now_us: int) -> bool:
    """Keep what is suspected, or that it goes on; says whether it is new."""
    device, other = str(found.body.get("device", "")), str(found.body.get("other", ""))
    for one in sql.of_pair(db, site, device, found.subject):
        if one.settled is None or (one.other == other and found.at_us - one.settled_us < _DAY_US):
            if one.told is Told.SUSPECTED and one.settled is None and one.until_us < found.at_us:
                sql.change(db, site, replace(one, until_us=found.at_us))
            return False
    period = found.at_us, found.at_us
    row = _new(device, found.subject, other, period, Told.SUSPECTED, "", now_us)
    since_us = int(found.body.get("since", 0))
    begun_us = max(since_us, _first(db, site, row) or found.at_us)
    sql.put(db, site, replace(row, from_us=min(begun_us, found.at_us), evidence=found.message))
    return True


def _reported(db: Connection, site: str, row: DisclosureRow) -> list[Leaf]:
    """Record one and whom it reached."""
    went = reached(db, site, row)
    body = {
        "by": row.by,
        "device": row.device,
        "from": row.from_us,
        "id": row.id,
        "links": dict(sorted(went.links.items())),
        "messages": len(went.messages),
        "told": row.told.value,
        "until": row.until_us,
    }
    whom = [(row.subject, body), *([(row.other, body | {"as": "other"})] if row.other else [])]
    return [prepare(Record("disclosure.reported", said, row.at_us, one)) for one, said in whom]


def _finding(code: str, row: DisclosureRow, now_us: int) -> Leaf:
    body = {"device": row.device, "disclosure": row.id, "finding": code}
    return prepare(Record("finding.raised", body, now_us, row.subject))


def _findings(db: Connection, site: str, start: int, stop: int) -> list[Entry]:
    found, before = list[Entry](), stop
    while before > start:
        some = search(db, site, Query(kind="finding.raised"), before=before, limit=PAGE)
        found += [
            one
            for one in some
            if one.index >= start and one.message and one.body.get("finding") in {FINDING, SUSPECTED}
        ]
        before = some[-1].index if len(some) == PAGE else start
    return sorted(found, key=lambda one: one.index)


def _first(db: Connection, site: str, row: DisclosureRow) -> int:
    """Say when the device first spoke of that patient within a day; 0 where it did not."""
    wanted = Query(
        subject=row.subject, kind="message.accepted", since_us=row.until_us - _DAY_US, until_us=row.until_us
    )
    times = [
        one.at_us for one in search(db, site, wanted, limit=5_000) if one.body.get("device") == row.device
    ]
    return min(times, default=0)
