"""What happens to openings somebody must look at: taken in with a clock, assigned, told of when late, and reviewed.

Rules:
- Each opening is looked at once, some time after it was; what speaks for it later shows beside its review.
- Taken in is what nothing explains, and every opening of a patient whose messages are labelled so (``watching``).
- Another person reviews than who opened, and says what came of it by an outcome and in words. The words stand in no
  record: they are sealed under the patient's key, once for all openings that are reviewed together.
- A review that is overdue is a finding, once.

Deliberately absent: who may review (``accesses.review``), sealing (the keeper), and anything that happens to the person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from oathward.accesses import sql, watching
from oathward.accesses.evidence import gather
from oathward.accesses.explaining import explain, opening_of
from oathward.accesses.model import KINDS, Duty, Filters, Opening, Outcome, ReviewRow, Step, StepRow
from oathward.core.errors import InputError
from oathward.core.ids import uuid7
from oathward.core.reasons import Reason
from oathward.ledger import Query, Record, append, entry, head, prepare, search
from oathward.vault.authority import Seen
from oathward.vault.sign import Verifier

PAGE = 50
"""Openings read at a time."""

OVERDUE = "access.review-overdue"
"""The finding."""

TOLD_MAX = 100
TOGETHER_MAX = 200
"""Openings reviewed in one go."""

DUTY_DAYS = 400
"""A line of a roster that was over so long ago explains nothing any more."""

_DAY_US = 86_400_000_000


def take_in(
    db: Connection, site: str, authority: Verifier, seen: Seen, *, review_us: int, now_us: int
) -> int:
    """Take in new openings that somebody must look at; gives how many.

    The first time nothing older is taken in: who starts has no clock running behind them.

    Raises:
        AuthorityError: a device or a person does not verify.
    """
    start, stop = sql.upto(db, site), head(db, site).size
    if start == stop:
        return 0
    found = [] if start is None else _new(db, site, start, stop)
    told = explain(found, gather(db, site, found, authority, seen))
    watched = watching.watched(db, site, found)
    rows = [
        ReviewRow(one.opening.index, one.opening.person, one.opening.at_us, now_us + review_us, label)
        for one in told
        if (label := watched.get(one.opening.index, "")) or one.wants_review
    ]
    sql.put(db, site, rows)
    sql.put_step(db, site, [_step(row.opening, "", Step.TAKEN, row.watched, now_us) for row in rows])
    sql.set_upto(db, site, stop)
    return len(rows)


def _new(db: Connection, site: str, start: int, stop: int) -> list[Opening]:
    """List openings of some records, a few at a time: there are seldom many."""
    found = []
    for kind in KINDS:
        before = stop
        while before > start:
            some = search(db, site, Query(kind=kind), before=before, limit=PAGE)
            found += [opening_of(one) for one in some if one.index >= start]
            before = some[-1].index if len(some) == PAGE else start
    return found


def tell_overdue(db: Connection, site: str, now_us: int) -> int:
    """Raise a finding for reviews whose time has run out, each once. The last call before commit."""
    late = sql.rows(db, site, Filters(due_before_us=now_us), untold=True, limit=TOLD_MAX)
    for row in late:
        sql.change(db, site, replace(row, told=True))
    if late:
        body = {"finding": OVERDUE, "openings": [row.opening for row in late]}
        append(db, site, [prepare(Record("finding.raised", body, now_us))])
    return len(late)


def forget_duties(db: Connection, site: str, now_us: int) -> int:
    """Forget lines of rosters of long ago."""
    return sql.forget_duties(db, site, now_us - DUTY_DAYS * _DAY_US)


def import_duties(
    db: Connection, site: str, duties: Sequence[Duty], *, source: str, digest: str, by: str, now_us: int
) -> None:
    """Keep an on-call roster in place of what the same one said of that time. The last call before commit.

    Args:
        digest: SHA-256 of the file, in hex: on record, so that anybody can compare.
    """
    sql.put_duties(db, site, source, duties)
    body = {"by": by, "digest": digest, "lines": len(duties), "source": source}
    append(db, site, [prepare(Record("access.roster-imported", body, now_us))])


def assign(db: Connection, site: str, openings: Sequence[int], *, by: str, to: str, now_us: int) -> None:
    """Give openings that wait to somebody, or to nobody. The last call before commit.

    Raises:
        InputError: as ``waiting``; ``access.own``: to who opened one of them.
    """
    rows = waiting(db, site, openings)
    if any(row.person == to for row in rows):
        raise InputError("to", "opened it; another person reviews it", reason=Reason.ACCESS_OWN)
    for row in rows:
        sql.change(db, site, replace(row, assigned=to))
    sql.put_step(db, site, [_step(row.opening, by, Step.ASSIGNED, to, now_us) for row in rows])
    body = {"by": by, "openings": [row.opening for row in rows], "to": to}
    append(db, site, [prepare(Record("access.assigned", body, now_us))])


def waiting(db: Connection, site: str, openings: Sequence[int], *, by: str = "") -> list[ReviewRow]:
    """Give the rows of openings that wait for a review.

    Args:
        by: who is about to review them.

    Raises:
        InputError: ``not-found``; ``limit``: too many; ``conflict``: one was reviewed; ``access.own``: by who opened one.
    """
    if len(openings) > TOGETHER_MAX:
        raise InputError("openings", f"at most {TOGETHER_MAX} at once", reason=Reason.LIMIT_EXCEEDED)
    found = [sql.one(db, site, opening) for opening in dict.fromkeys(openings)]
    rows = [row for row in found if row is not None]
    if len(rows) < len(found) or not rows:
        raise InputError("opening", "none of this number waits for a review", reason=Reason.NOT_FOUND)
    if any(row.by for row in rows):
        raise InputError("opening", "was reviewed", reason=Reason.CONFLICT)
    if by and any(row.person == by for row in rows):
        raise InputError("opening", "is your own; another person reviews it", reason=Reason.ACCESS_OWN)
    return rows


def subject_of(db: Connection, site: str, openings: Sequence[int], *, by: str) -> str:
    """Give the patient of openings that somebody is about to review together: whose key the words are sealed under.

    Raises:
        InputError: as ``waiting``; they are of several people or patients.
    """
    rows = waiting(db, site, openings, by=by)
    whose = {(row.person, entry(db, site, row.opening).subject) for row in rows}
    if len(whose) > 1:
        why = "are of several people or patients; review each alone"
        raise InputError("openings", why, reason=Reason.INPUT_INVALID)
    return whose.pop()[1]


def review(
    db: Connection,
    site: str,
    openings: Sequence[int],
    *,
    by: str,
    outcome: str,
    sealed: bytes,
    now_us: int,
) -> list[ReviewRow]:
    """Note what a review of openings of one person and one patient came to. The last call before commit.

    Args:
        openings: the first is the one the words were sealed for. sealed: the words, under the patient's key.

    Raises:
        InputError: as ``subject_of``; the outcome is none; no words.
    """
    subject_of(db, site, openings, by=by)
    rows = waiting(db, site, openings, by=by)
    if outcome not in set(Outcome):
        raise InputError("outcome", f"one of {', '.join(Outcome)}", reason=Reason.INPUT_INVALID)
    if not sealed:
        raise InputError("words", "say what you found", reason=Reason.INPUT_INVALID)
    first = rows[0].opening
    done = [
        replace(
            row,
            by=by,
            outcome=outcome,
            sealed=sealed if row.opening == first else b"",
            said_of=first,
            reviewed_us=now_us,
        )
        for row in rows
    ]
    for row in done:
        sql.change(db, site, row)
    sql.put_step(db, site, [_step(row.opening, by, Step.REVIEWED, outcome, now_us) for row in done])
    leaves = [
        prepare(
            Record(
                "access.reviewed",
                {"by": by, "opening": row.opening, "outcome": outcome, "person": row.person},
                now_us,
            )
        )
        for row in done
    ]
    append(db, site, leaves)
    return done


def _step(opening: int, by: str, step: Step, about: str, now_us: int) -> StepRow:
    return StepRow(uuid7(now_us // 1_000), opening, now_us, by, step, about)
