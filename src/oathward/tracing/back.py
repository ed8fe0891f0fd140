"""What something that was released came from; a look back is bounded, and says how far it came."""

from __future__ import annotations

from collections.abc import Sequence

from oathward import ledger
from oathward.core.db import read
from oathward.jobs import views as jobs
from oathward.ledger import Entry
from oathward.tracing.files import files_of
from oathward.tracing.ids import NAMES_MAX, WORDS_MAX, Asked
from oathward.tracing.onward import came_and_went
from oathward.tracing.told import Back, Came, Went
from oathward.vault.opened import Opened

RECORDS_MAX = 2_000_000
"""Looked through by one look back."""
STEP = 50_000
"""Records of one reading: no snapshot is held for long."""


def back(site: Opened, asked: Asked, *, before: int | None = None, records_max: int = RECORDS_MAX) -> Back:
    """Say what something came from.

    Args:
        before: only records before this index are looked through.
    """
    all_of_it = list(dict.fromkeys(asked.outgoing)), list(dict.fromkeys(asked.names))
    wanted, names = all_of_it[0][:WORDS_MAX], all_of_it[1][:NAMES_MAX]
    entries, on = _named(site, wanted, before, records_max) if wanted else ([], 0)
    came: dict[str, Came] = {}
    went: list[Went] = []
    for message in dict.fromkeys(e.message.partition(".")[0] for e in entries if e.message):
        source, all_of = came_and_went(site, message)
        if source is not None:
            came[message] = source
            went += [one for one in all_of if one.outgoing in wanted]
    notices = [e.index for e in entries if not e.message]
    with read(site.engine) as db:
        units = [unit for name in names for unit in jobs.units_of_file(db, site.site, name)]
        held = [item for name in names for item in jobs.held_of_file(db, site.site, name)]
    left = sum(map(len, all_of_it)) - len(wanted) - len(names)
    files = files_of(site, units, held)
    return Back((*wanted, *names), list(came.values()), went, notices, files, on, left)


def _named(
    site: Opened, words: Sequence[str], before: int | None, records_max: int
) -> tuple[list[Entry], int]:
    """Look for records that name deliveries, newest first, until each was found."""
    with read(site.engine) as db:
        stop = ledger.head(db, site.site).size
    stop = stop if before is None else min(stop, max(before, 0))
    last = max(0, stop - records_max)
    found: list[Entry] = []
    missing = set(words)
    while stop > last and missing:
        start = max(last, stop - STEP)
        with read(site.engine) as db:
            some = ledger.naming(db, site.site, words, start, stop)
        found += some
        for entry in some:
            told = entry.body.get("answers", ())
            missing -= {str(entry.body.get("id"))} | {str(one[2]) for one in told if len(one) > 2}
        stop = start
    return found, stop if missing else 0
