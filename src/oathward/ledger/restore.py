"""Declare records lost after a restore from a backup, and go on under a new name.

Rules:
- After a restore the ledger is shorter than what was signed: the keeper signs nothing and the witness cosigns
  nothing, until two named persons declare the missing range lost.
- The ledger goes on in the same tree and with the same indexes, but as a new log: the first record of the new
  origin names the old one, the last checkpoint known of it, the missing range and the two persons.
- So every old checkpoint up to the restored size still verifies, and nobody can lose records unnoticed.

Deliberately absent: the proof of the two persons (the keeper's, in a later issue).
"""

from __future__ import annotations

from sqlalchemy import Connection

from oathward.core.errors import InputError
from oathward.ledger import log, note
from oathward.ledger.checkpoint import Checkpoint
from oathward.ledger.records import Record, prepare
from oathward.ledger.tables import run


def declare(
    db: Connection, site: str, lost: Checkpoint, persons: tuple[str, str], origin: str, at_us: int
) -> int:
    """Start a new origin whose first record names the old one and the missing range; gives its index.

    Args:
        lost: the last checkpoint known of the old origin, from the witness or an auditor, already verified.
        persons: user ids of the two who declare it.
        origin: name of the new log, never used before.

    Raises:
        InputError: nothing is missing, the persons are not two, or the name is taken or unfit.
    """
    first, second = (person.strip() for person in persons)
    if not first or not second or first == second:
        raise InputError("persons", "two different persons declare a restore")
    size, old = log.locked_size(db, site), log.origin(db, site)
    if lost.origin != old:
        raise InputError("checkpoint", "is of another log")
    if lost.size <= size:
        raise InputError("checkpoint", f"nothing is missing: the ledger has {size} records")
    note.check_name(origin, "origin")
    if origin == old:
        raise InputError("origin", "is taken; choose a new name")
    body = {
        "missing": [size, lost.size - 1],
        "old_origin": old,
        "old_root": lost.root.hex(),
        "old_size": lost.size,
        "origin": origin,
        "persons": [first, second],
    }
    run(db, "UPDATE ledger_head SET origin = ? WHERE site = ?", (origin, site))
    return log.append(db, site, [prepare(Record(log.RESTORED, body, at_us))]).start
