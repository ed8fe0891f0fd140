"""Take bodies out of the ledger by retention or erasure, so that the tree still verifies.

Rules:
- Body, salt and search columns go; the leaf hash stays, and the row names the rule and the record that says so.
- Every removal is itself a record (``record.removed``, ``facts.removed``) in the same transaction: a body that is
  gone without one is a finding of ``verify``, and so is one that came back.
- The records that the ledger itself stands on (its start, its restores, its removals) cannot be removed.

Deliberately absent: deciding what to remove and when.
"""

from __future__ import annotations

from collections.abc import Iterable

import orjson
from sqlalchemy import Connection

from oathward.core.errors import InputError, LedgerError
from oathward.core.reasons import Reason
from oathward.ledger import log, postings
from oathward.ledger.records import Record, prepare
from oathward.ledger.tables import run

REMOVALS_MAX = 1_000
"""The most bodies or facts one call removes; callers commit between calls."""


def remove_body(db: Connection, site: str, index: int, rule: str, at_us: int) -> None:
    """Remove one body; see ``remove_bodies``."""
    remove_bodies(db, site, [index], rule, at_us)


def remove_bodies(db: Connection, site: str, indexes: Iterable[int], rule: str, at_us: int) -> int:
    """Remove bodies, salts and search columns, and record that it was done; near the end of a transaction.

    Args:
        rule: id of the retention or erasure rule; stands in the ledger for ever.

    Returns:
        How many were removed now; those already gone are left as they are.

    Raises:
        LedgerError: ``not-found``; the ledger has no such record.
        InputError: no rule, a record that must last, or more than ``REMOVALS_MAX``.
    """
    wanted = sorted(set(indexes))
    _check(rule, len(wanted))
    by = log.locked_size(db, site)
    bodies = {index: body for index in wanted if (body := _body(db, site, index)) is not None}
    if not bodies:
        return 0
    for index in bodies:
        sql = (
            "UPDATE ledger_record SET kind = '', at_us = 0, subject = '', message = '', salt = NULL, body = NULL,"
            " rule = ?, removed_by = ? WHERE site = ? AND idx = ?"
        )
        run(db, sql, (rule, by, site, index))
    _forget(db, site, bodies)
    record = Record(log.REMOVED, {"ranges": to_ranges(bodies), "rule": rule}, at_us)
    log.append(db, site, [prepare(record)])
    return len(bodies)


def remove_facts(db: Connection, site: str, digests: Iterable[bytes], rule: str, at_us: int) -> int:
    """Remove kept facts of decisions (they are needed for dry runs only); the digests in records stay.

    Raises:
        InputError: no rule, or more than ``REMOVALS_MAX``.
    """
    wanted = sorted(set(digests))
    _check(rule, len(wanted))
    by = log.locked_size(db, site)
    sql = (
        "UPDATE ledger_facts SET body = NULL, rule = ?, removed_by = ?"
        " WHERE site = ? AND digest = ? AND body IS NOT NULL"
    )
    gone = [digest for digest in wanted if run(db, sql, (rule, by, site, digest)).rowcount]
    if gone:
        run(db, "UPDATE ledger_head SET facts_removals = facts_removals + 1 WHERE site = ?", (site,))
        body = {"digests": [digest.hex() for digest in gone], "rule": rule}
        log.append(db, site, [prepare(Record(log.FACTS_REMOVED, body, at_us))])
    return len(gone)


def to_ranges(indexes: Iterable[int]) -> list[list[int]]:
    """Write ascending indexes as ``[first, last]`` ranges."""
    ranges: list[list[int]] = []
    for index in indexes:
        if ranges and ranges[-1][1] == index - 1:
            ranges[-1][1] = index
        else:
            ranges.append([index, index])
    return ranges


def _check(rule: str, count: int) -> None:
    if not rule:
        raise InputError("rule", "name the retention or erasure rule")
    if count > REMOVALS_MAX:
        raise InputError("indexes", f"at most {REMOVALS_MAX} in one call")


def _body(db: Connection, site: str, index: int) -> bytes | None:
    row = run(db, "SELECT kind, body FROM ledger_record WHERE site = ? AND idx = ?", (site, index)).first()
    if row is None:
        raise LedgerError(f"record {index}", "the ledger has no such record", reason=Reason.NOT_FOUND)
    kind, body = row
    if kind in log.LASTING:
        raise InputError(f"record {index}", f"a {kind} record is never removed")
    found: bytes | None = body
    return found


def _forget(db: Connection, site: str, bodies: dict[int, bytes]) -> None:
    done = postings.indexed(db, site, lock=True)
    blocks: dict[int, dict[int, bytes]] = {}
    for index, body in bodies.items():
        if index < done:
            blocks.setdefault(index // postings.BLOCK, {})[index] = body
    for block, lost in blocks.items():
        postings.forget(db, site, block, {index: orjson.loads(body) for index, body in lost.items()})
