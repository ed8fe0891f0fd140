"""Which jobs somebody else than who ran them should look at: what a runner could have read off what others released.

| rule | says |
|---|---|
| ``job.others`` | a job into a project into which another person's job had released, and that does not say who may (``released_by``) |
| ``job.bare`` | a job of which most patients are a number and next to nothing else, as a list of candidates is |

Rules:
- Who runs a number into a project reads off its pseudonym there. Neither rule says that somebody did.
- Jobs of a year: nothing that was signed off is asked about twice, for as long as a sign-off may last.
- Words name people as ``{id}``, as other findings do.

Deliberately absent: refusing anything (``vault.keeper.job_seeds``), keeping what was found (``changes``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import NamedTuple

from sqlalchemy import Connection

from oathward.core.ids import is_id
from oathward.jobs import sql
from oathward.jobs.model import JobFilters, JobRow, JobState

OTHERS, BARE = "job.others", "job.bare"
DAYS = 366
BARE_IN_MAX, BARE_OUT_MAX = 512, 256
"""Bytes of one patient in a job: fewer that came, or fewer that left, are little more than a number."""

_JOBS_MAX = 5_000
_DAY_US = 86_400_000_000


class ToLookAt(NamedTuple):
    """One thing. ``by``: who ran the job, and does not answer for it."""

    rule: str
    job: str
    by: str
    words: str


def is_bare(bytes_in: int, bytes_out: int) -> bool:
    """Say whether what came and left of one patient is little more than a number."""
    return bytes_out > 0 and (bytes_in < BARE_IN_MAX or bytes_out < BARE_OUT_MAX)


def review(db: Connection, site: str, named: Collection[str], now_us: int) -> list[ToLookAt]:
    """Say what somebody should look at.

    Args:
        named: projects that say themselves who runs jobs into them.
    """
    rows = sql.rows(db, site, JobFilters(), heard_us=0, limit=_JOBS_MAX)
    ran: defaultdict[str, set[str]] = defaultdict(set)
    found: list[ToLookAt] = []
    for row in sorted(rows, key=lambda row: row.begun_us):
        found += _of(row, ran[row.project] - {row.by}, named, now_us)
        ran[row.project].add(row.by)
    return found


def _of(row: JobRow, others: Collection[str], named: Collection[str], now_us: int) -> Iterator[ToLookAt]:
    """Give what is to be looked at of one job. ``others``: who else had run one into its project before."""
    if row.begun_us < now_us - DAYS * _DAY_US:
        return
    told = row.progress
    by = f"{{{row.by}}}" if is_id(row.by) else row.by  # before a site has people, a name
    who = f"{by} ran it into project {row.project}"
    named_somebody = told.patients > 0 or row.state is not JobState.ENDED  # before its end nobody can tell
    if others and named_somebody and row.project not in named:
        words = f"{who}, into which {len(others)} {'other had' if len(others) == 1 else 'others had'} run jobs; {_known(row)}: what names one of them there can be read off"
        yield ToLookAt(OTHERS, row.id, row.by, words)
    if told.bare * 2 > told.patients:
        words = f"{who}; {told.bare:,} of {told.patients:,} patients are a number and next to nothing else; {_known(row)}"
        yield ToLookAt(BARE, row.id, row.by, words)


def _known(row: JobRow) -> str:
    return f"the site knew {row.progress.known:,} of its {row.progress.patients:,} patients before"
