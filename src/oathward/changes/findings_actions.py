"""What happens to findings of a policy review: a review takes in what it found, a reviewer signs one off.

Rules:
- The same review twice changes nothing but the time it was last found, and writes one record for what is new.
- Signed off is until a date, by a person, with a reason; past the date it is open again.
- What the last review did not find is gone; found again, it is open, whoever signed it off before.

Deliberately absent: who may (``policy.access``), and the review itself (``policy.review``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
from sqlalchemy import Connection

from oathward.changes import findings_sql as sql
from oathward.changes.actions import checked_reason
from oathward.changes.findings_model import SIGNED_OFF_DAYS_MAX, FindingRow, FindingState
from oathward.core.db import GROUP_ROWS_MAX
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.ledger import Record, append, prepare

_DAY_US = 86_400_000_000


def take_in(db: Connection, site: str, found: Sequence[FindingRow], now_us: int) -> dict[str, int]:
    """Take in some of what one review found; gives how many are new, and open again. The last call before commit.

    Args:
        found: at most ``GROUP_ROWS_MAX``, open, with this review's time as both of theirs.
    """
    known = {row.id: row for row in sql.some(db, site, [row.id for row in found])}
    records: list[Record] = []
    counts = {"new": 0, "again": 0}
    for row in found:
        before = known.get(row.id)
        if before is None:
            sql.put(db, site, row)
            counts["new"] += 1
            records.append(_record("review.found", row, now_us, again=False))
            continue
        standing = _standing(before, row, now_us)
        sql.change(db, site, standing)
        if standing.state is FindingState.OPEN and before.state is not FindingState.OPEN:
            counts["again"] += 1
            records.append(_record("review.found", row, now_us, again=True))
    if records:
        append(db, site, [prepare(record) for record in records])
    return counts


def let_go(db: Connection, site: str, now_us: int) -> int:
    """Note that some findings are gone, which the review of this time did not find; gives how many, 0 when all are.

    The last call before commit; call it again while it gives more than zero.
    """
    standing = (FindingState.OPEN, FindingState.SIGNED_OFF)
    rows = sql.rows(db, site, standing, before_us=now_us, limit=GROUP_ROWS_MAX)
    for row in rows:
        sql.change(db, site, replace(row, state=FindingState.GONE))
    if rows:
        append(db, site, [prepare(_record("review.gone", row, now_us)) for row in rows])
    return len(rows)


def sign_off(db: Connection, site: str, id_: str, *, by: str, why: str, days: int, now_us: int) -> FindingRow:
    """Note that a reviewer answers for a finding for some days. The last call before commit.

    Raises:
        InputError: ``not-found``; ``access.own``: it is about what this reviewer did; ``conflict``: it is not open; or the reason or the days are none.
    """
    row = sql.one(db, site, id_)
    if row is None:
        raise InputError("finding", "there is no such finding", reason=Reason.NOT_FOUND)
    if by == orjson.loads(row.body)["by"]:
        why_not = "is about what this person did: another one signs it off"
        raise InputError("finding", why_not, reason=Reason.ACCESS_OWN)
    if row.state is not FindingState.OPEN:
        raise InputError("finding", f"is {row.state}, not open", reason=Reason.CONFLICT)
    if not 1 <= days <= SIGNED_OFF_DAYS_MAX:
        why_not = f"1 to {SIGNED_OFF_DAYS_MAX} days: nothing is signed off for ever"
        raise InputError("days", why_not, reason=Reason.INPUT_INVALID)
    until_us = now_us + days * _DAY_US
    signed = replace(row, state=FindingState.SIGNED_OFF, by=by, why=checked_reason(why), until_us=until_us)
    sql.change(db, site, signed)
    body = {"by": by, "until": until_us, "why": signed.why}
    append(db, site, [prepare(_record("review.signed-off", row, now_us, **body))])
    return signed


def _standing(before: FindingRow, found: FindingRow, now_us: int) -> FindingRow:
    """Say how a known finding stands that was found again."""
    held = before.state is FindingState.SIGNED_OFF and now_us < before.until_us
    if held:
        return replace(before, last_us=found.last_us, body=found.body, bundle=found.bundle)
    first_us = found.first_us if before.state is FindingState.GONE else before.first_us
    return replace(found, first_us=first_us)


def _record(kind: str, row: FindingRow, now_us: int, **more: Any) -> Record:
    link = row.about.removeprefix("link:").partition("/")[0] if row.about.startswith("link:") else ""
    body = {"about": row.about, "finding": row.id, "rule": row.rule, **more}
    return Record(kind, body, now_us, links=(link,) if link else ())
