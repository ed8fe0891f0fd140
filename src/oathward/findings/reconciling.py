"""All that a source sees now, told in groups: what is new opens, what is there counts, what is gone is cleared.

Rules:
- Each group is one transaction with its records. What a crash leaves half done the next telling completes.
- Cleared is last, and only when all was told: a source that stops in between takes nothing back, nor does one that has more than
  ``TOLD_MAX``. Else whoever floods it would have what it said before taken for gone.
- One source tells at one time; two that tell at once would clear each other's.

Deliberately absent: when a source tells (it, or whoever runs it), a finding of one moment (``actions.raise_``).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from oathward.core.db import GROUP_ROWS_MAX, write
from oathward.core.finding import Raised
from oathward.findings import actions
from oathward.findings.model import Told

if TYPE_CHECKING:
    from oathward.core.settings_findings import Findings


TOLD_MAX = 5_000
"""Findings of one source that are told at once; the gravest come first."""


def reconcile(
    engine: Engine,
    site: str,
    source: str,
    seen: Iterable[Raised],
    terms: Findings,
    now_us: int,
    *,
    whole: bool = True,
) -> Told:
    """Tell all that a source sees now.

    Args:
        seen: all of it; what is missing is cleared. Read once, a group at a time.
        now_us: of this telling, later than that of the one before.
        whole: the source looked at everything; else nothing is cleared.

    Raises:
        InputError: as ``actions.raise_``; nothing is cleared then.
    """
    told, rest = Told(), iter(seen)
    some = islice(rest, TOLD_MAX)
    while group := list(islice(some, GROUP_ROWS_MAX)):
        with write(engine) as db:
            told += actions.raise_(db, site, source, group, terms, now_us)
    if not whole or next(rest, None) is not None:
        return told + Told(cut=True)
    while True:
        with write(engine) as db:
            gone = actions.clear_unseen(db, site, source, now_us, now_us)
        if not gone:
            return told
        told += Told(cleared=gone)
