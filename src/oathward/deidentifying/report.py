"""The report of a job: figures by format, by class and by reason, for whoever gets the files and for the site.

Rules:
- Names of files are those of the output; no path of the folder and no value stands in it.
- Every figure is counted from the journal, what was taken back included.
- The page needs nothing but itself: no script, no picture, no address.

Deliberately absent: what the profile promises (its own page says that).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from oathward import __version__
from oathward.core.clock import from_micros, iso
from oathward.deidentifying.job import Done, Order

HELD_LISTED_MAX = 1_000


def figures(order: Order, done: Done, begun_us: int, ended_us: int) -> dict[str, Any]:
    """Give the report as JSON."""
    entries = done.entries
    by_format: dict[str, Counter[str]] = {}
    removed: Counter[str] = Counter()
    changed: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for one in entries:
        row = by_format.setdefault(one.format or "unknown", Counter())
        held_whole = not one.written
        row.update(files=1, written=one.written, held=held_whole, units=one.units)
        row.update(
            units_held=sum(1 for unit, *_ in one.held if unit >= 0),
            bytes_in=one.bytes_in,
            bytes_out=one.bytes_out,
        )
        if one.written:
            removed.update(one.removed)
            changed.update(one.changed)
        reasons.update({code for _, code, _ in one.held})
    held = [_held(one) for one in entries if one.held or not one.written]
    return {
        "job": done.id,
        "program": f"oathward {__version__}",
        "profile": order.profile.name,
        "project": order.project,
        "begun": iso(from_micros(begun_us)),
        "ended": iso(from_micros(ended_us)),
        "files": len(entries),
        "written": sum(one.written for one in entries),
        "held": sum(not one.written for one in entries),
        "partly_held": sum(one.written and bool(one.held) for one in entries),
        "patients": done.patients,
        "resumed": done.resumed,
        "formats": {name: dict(row) for name, row in sorted(by_format.items())},
        "removed": dict(sorted(removed.items())),
        "changed": dict(sorted(changed.items())),
        "reasons": dict(reasons.most_common()),
        "residue": {
            "searched_for": len({w for one in entries for w in one.words}),
            "taken_back": dict(done.residue),
        },
        "held_files": held[:HELD_LISTED_MAX],
        "held_files_not_listed": max(0, len(held) - HELD_LISTED_MAX),
    }


def _held(one: Any) -> dict[str, Any]:
    return {
        "file": one.name,
        "format": one.format,
        "whole": not one.written,
        "why": [{"unit": unit, "reason": code, "where": where} for unit, code, where in one.held],
    }
