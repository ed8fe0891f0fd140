"""Take the readings of an emergency copy into the ledger, once the main system is back.

Rules:
- Each reading becomes one record ``copy.read`` with purpose ETREAT (of a drill HOPERAT: nobody was treated): who (by the name they gave: nobody could prove theirs
  then), when, which reason of the list, which patient, how old the copy was. ``copy.reconciled`` says through which number.
- Twice is once: what a log's records say was taken is not taken again; readings and that word are one commit.
- A log that is shorter than what was taken of it, or that whoever opened it found broken, is a finding; what is sound of
  it is taken all the same.

Deliberately absent: the words of a reason (they stay sealed in the log: they may name the patient), and the log's key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from oathward import ledger
from oathward.core.db import read
from oathward.core.reasons import Reason
from oathward.ledger import Query, Record
from oathward.policy.access import Thing
from oathward.vault.keeper import asking
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.proof import Caller

READINGS_MAX = 2_000
RECONCILED = "copy.reconciled"
DRILL = "drill"
"""The reason of ``emergency.log.REASONS`` for which nobody was treated."""

_DRILLED = "HOPERAT"


def reconcile(
    keeper: Keeper,
    caller: Caller,
    log: str,
    readings: Sequence[Mapping[str, Any]],
    broken: str,
    proof: Mapping[str, str],
) -> dict[str, int]:
    """Record readings of one log; those recorded before are left out.

    Args:
        readings: in order; ``n`` counts from 1 within the log.
        broken: where the log's chain breaks; empty for nowhere.

    Raises:
        KeeperError: not for this person, as ``asking.person``.
    """
    by = asking.person(keeper, caller, proof, "emergency-copy.reconcile", Thing("patient"))
    with keeper.copying:
        taken, found_broken = _taken(keeper, log)
        now_us, highest = keeper.now_us(), max((one["n"] for one in readings), default=0)
        shorter = f"ends at {highest}" if highest < taken else ""
        new = [one for one in readings if one["n"] > taken]
        records = [Record("copy.read", _read(log, one), now_us, one["subject"]) for one in new]
        why = broken or shorter
        if why and why not in found_broken:
            body = {"finding": Reason.EMERGENCY_LOG_BROKEN.code, "log": log, "where": why}
            records.append(Record("finding.raised", body, now_us))
        if records:
            through = max(highest, taken)
            said = {"broken": why, "by": by.name, "log": log, "readings": len(new), "through": through}
            keeper.record([*records, Record(RECONCILED, said, now_us)])
    return {"known": len(readings) - len(new), "recorded": len(new)}


def _taken(keeper: Keeper, log: str) -> tuple[int, set[str]]:
    """Say through which number a log was taken, and which breaks of it are findings already."""
    through, broken, before = 0, set(), None
    while True:
        with read(keeper.engine) as db:
            page = ledger.search(db, keeper.site, Query(kind=RECONCILED), before=before)
        for entry in page:
            if entry.body["log"] == log:
                through = max(through, entry.body["through"])
                broken.add(entry.body["broken"])
        if len(page) < ledger.reading.LIMIT:
            return through, broken
        before = page[-1].index


def _read(log: str, one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "at": one["at_us"],
        "basis": "emergency-copy",
        "copy": one["run"],
        "copy_age_s": one["age_s"],
        "log": log,
        "n": one["n"],
        "purpose": _DRILLED if one["reason"] == DRILL else "ETREAT",
        "reader": one["reader"],
        "reason": one["reason"],
        "what": one["what"],
    }
