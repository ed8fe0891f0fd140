"""What happens to openings nothing explains: they are taken in with a clock, told of when it runs out, and reviewed.

Rules:
- Each opening is looked at once, some time after it was; what speaks for it later shows beside its review.
- Another person reviews than who opened, and says what came of it in words.
- A review that is overdue is a finding, once.

Deliberately absent: who may review (``accesses.review``), and anything that happens to the person.
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from oathward.accesses import sql
from oathward.accesses.evidence import gather
from oathward.accesses.explaining import explain, opening_of
from oathward.accesses.model import KINDS, Opening, Outcome, ReviewRow
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.ledger import Query, Record, append, head, prepare, search
from oathward.vault.authority import Seen
from oathward.vault.sign import Verifier

PAGE = 50
"""Openings read at a time."""

OVERDUE = "access.review-overdue"
"""The finding."""

TOLD_MAX = 100
WORDS_MAX = 400


def take_in(
    db: Connection, site: str, authority: Verifier, seen: Seen, *, review_us: int, now_us: int
) -> int:
    """Take in new openings that nothing explains; gives how many.

    The first time nothing older is taken in: who starts has no clock running behind them.

    Raises:
        AuthorityError: a device or a person does not verify.
    """
    start, stop = sql.upto(db, site), head(db, site).size
    if start == stop:
        return 0
    found = [] if start is None else _new(db, site, start, stop)
    told = explain(found, gather(db, site, found, authority, seen))
    rows = [
        ReviewRow(one.opening.index, one.opening.person, one.opening.at_us, now_us + review_us)
        for one in told
        if one.wants_review
    ]
    sql.put(db, site, rows)
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
    late = sql.rows(db, site, waiting=True, due_before_us=now_us, untold=True, limit=TOLD_MAX)
    for row in late:
        sql.change(db, site, replace(row, told=True))
    if late:
        body = {"finding": OVERDUE, "openings": [row.opening for row in late]}
        append(db, site, [prepare(Record("finding.raised", body, now_us))])
    return len(late)


def review(
    db: Connection, site: str, opening: int, *, by: str, outcome: str, words: str, now_us: int
) -> ReviewRow:
    """Note what a review came to. The last call before commit.

    Raises:
        InputError: ``not-found``; ``conflict``: it was reviewed; ``access.own``: by who opened it; or the outcome is none.
    """
    row = sql.one(db, site, opening)
    if row is None:
        raise InputError("opening", "none of this number waits for a review", reason=Reason.NOT_FOUND)
    if row.by:
        raise InputError("opening", "was reviewed", reason=Reason.CONFLICT)
    if row.person == by:
        raise InputError("opening", "is your own; another person reviews it", reason=Reason.ACCESS_OWN)
    if outcome not in set(Outcome):
        raise InputError("outcome", f"one of {', '.join(Outcome)}", reason=Reason.INPUT_INVALID)
    said = " ".join(words.split())
    if not said or len(said) > WORDS_MAX or not said.isprintable():
        why = f"1 to {WORDS_MAX} characters, without patient data"
        raise InputError("words", why, reason=Reason.INPUT_INVALID)
    done = replace(row, by=by, outcome=outcome, words=said, reviewed_us=now_us)
    sql.change(db, site, done)
    body = {"by": by, "opening": opening, "outcome": outcome, "person": row.person, "words": said}
    append(db, site, [prepare(Record("access.reviewed", body, now_us))])
    return done
