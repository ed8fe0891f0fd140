"""What becomes of notices: their receipts, and those that are missing.

Rules:
- A receipt is the recipient's own answer: ``consent.notice-sent`` with its code. One that comes after the notice counted as
  missing closes that.
- A notice that was refused, or could not be written, is missing at once; one without an answer after ``notice_hours``.
  Each is ``consent.notice-missing`` and a finding, once.
- A notice that was refused may be tried again by a person, as any dead delivery, or given up: then it is missing no more,
  and says who gave it up.

Deliberately absent: sending (the courier), making (``gateway.notices``).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection

from oathward import ledger
from oathward.consent.notices import sql
from oathward.consent.notices.sql import NoticeRow
from oathward.ledger import Leaf, Record, prepare

FINDING = "consent.notice-missing"
_LATE_MAX = 500


def sent(
    db: Connection, site: str, id_: str, *, answer: str, receipt: str, tries: int, at_us: int
) -> list[Leaf]:
    """Keep a receipt; gives the record, for the caller to append last."""
    row = sql.find(db, site, id_)
    if row is None:
        return []
    sql.settle(db, site, id_, state="sent", answer=answer, at_us=at_us, missing_us=row.missing_us)
    body: dict[str, Any] = _about(row) | {"answer": answer, "tries": tries}
    if receipt:
        body["receipt"] = receipt
    if row.missing_us:
        body["late"] = True
    return [prepare(Record("consent.notice-sent", body, at_us, row.subject, (row.link,)))]


def refused(db: Connection, site: str, id_: str, *, why: str, answer: str, at_us: int) -> list[Leaf]:
    """Note that no receipt will come by itself; gives the records, for the caller to append last.

    Args:
        why: a reason's code. answer: the recipient's, where it gave one.
    """
    row = sql.find(db, site, id_)
    if row is None:
        return []
    sql.settle(db, site, id_, state="refused", answer=answer or why, at_us=at_us, missing_us=at_us)
    return missing(row, why=why, answer=answer, at_us=at_us)


def discarded(db: Connection, site: str, id_: str, *, by: str, at_us: int) -> None:
    """Note who gave a notice up, where the delivery is one; for the transaction that records ``delivery.discarded``."""
    row = sql.find(db, site, id_)
    if row is not None and row.state in {"queued", "refused"}:
        sql.settle(db, site, id_, state="discarded", answer=by, at_us=at_us, missing_us=row.missing_us)


def missing(row: NoticeRow, *, why: str, at_us: int, answer: str = "") -> list[Leaf]:
    """Write the records of a notice without a receipt: what it is, and the finding."""
    body = _about(row) | {"reason": why} | ({"answer": answer} if answer else {})
    found = {"finding": FINDING, "id": row.id, "reason": why}
    return [
        prepare(Record(FINDING, body, at_us, row.subject, (row.link,))),
        prepare(Record("finding.raised", found, at_us, row.subject, (row.link,))),
    ]


def tell_missing(db: Connection, site: str, *, hours: float, now_us: int) -> int:
    """Record notices whose receipt did not come in time, each once; the last call before commit. Gives how many."""
    rows = sql.late(db, site, now_us - int(hours * 3_600_000_000), _LATE_MAX)
    if rows:
        sql.set_missing(db, site, [row.id for row in rows], now_us)
        ledger.append(db, site, [leaf for row in rows for leaf in missing(row, why=row.state, at_us=now_us)])
    return len(rows)


def forget(db: Connection, site: str, subjects: Collection[str]) -> None:
    """Delete what was told of subjects that are erased; what is in the ledger stays, as codes."""
    sql.forget(db, site, subjects)


def _about(row: NoticeRow) -> dict[str, Any]:
    about: dict[str, Any] = {"id": row.id, "passes": row.said.partition(" ")[0], "version": row.version}
    return about | ({"because": row.because} if row.because != row.subject else {})
