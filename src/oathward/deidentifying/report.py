"""The report of a job: figures by format, by class and by reason, for whoever gets the files and for the site.

Rules:
- Names of files are those of the output; no path of the folder and no value stands in it.
- Every figure is counted from the journal, what was taken back included.
- The page needs nothing but itself: no script, no picture, no address.

Deliberately absent: what the profile promises (its own page says that).
"""

from __future__ import annotations

from typing import Any

from oathward import __version__
from oathward.core.clock import from_micros, iso
from oathward.deidentifying.job import Done, Order
from oathward.deidentifying.sums import Sums

HELD_LISTED_MAX = 1_000


def figures(order: Order, done: Done, begun_us: int, ended_us: int) -> dict[str, Any]:
    """Give the report as JSON."""
    entries = done.entries
    sums = Sums.of(entries)
    held = [_held(one) for one in entries if one.held or not one.written]
    return {
        "job": done.id,
        "program": f"oathward {__version__}",
        "profile": order.profile.name,
        "project": order.project,
        "begun": iso(from_micros(begun_us)),
        "ended": iso(from_micros(ended_us)),
        **{name: sums.files[name] for name in ("files", "written", "held", "partly_held")},
        "patients": done.patients,
        "resumed": done.resumed,
        "authorities": dict(done.authorities),
        "formats": {name: dict(row) for name, row in sorted(sums.formats.items())},
        "removed": dict(sorted(sums.removed.items())),
        "changed": dict(sorted(sums.changed.items())),
        "reasons": dict(sums.reasons.most_common()),
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
