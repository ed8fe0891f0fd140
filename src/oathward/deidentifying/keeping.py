"""What of earlier jobs goes, whenever one begins.

| what | when it goes |
|---|---|
| the key of the hashes of a job that ended | with its end; here, where that was cut off |
| the key of one that stopped, which cannot go on without it | ``resume_days`` after its journal was last written |
| a journal | ``job_rows_days`` after it was last written |

Rules:
- A journal that nobody can read goes when a key would: it may hold one.

Deliberately absent: what the tables know of jobs (``jobs.actions.forget``).
"""

from __future__ import annotations

import shutil
from pathlib import Path

from oathward.core.errors import InputError
from oathward.deidentifying.journal import NAME, WORD_KEY, Journal

_DAY_US = 86_400_000_000


def keep_house(jobs: Path, now_us: int, *, resume_days: int, job_rows_days: int) -> None:
    """Let go of keys and journals of earlier jobs. None of them runs: a job is over long before its days are.

    Args:
        jobs: the site's folder of jobs.
    """
    for folder in sorted(jobs.iterdir()) if jobs.is_dir() else ():
        try:
            age_us = now_us - (folder / NAME).stat().st_mtime_ns // 1_000
        except (FileNotFoundError, NotADirectoryError):
            continue
        if age_us > job_rows_days * _DAY_US:
            shutil.rmtree(folder)
            continue
        try:
            if WORD_KEY not in Journal.head_of(folder):
                continue
            journal = Journal.read(folder)
        except InputError:
            if age_us > resume_days * _DAY_US:
                shutil.rmtree(folder)
            continue
        if journal.ended is not None or age_us > resume_days * _DAY_US:
            journal.forget_key()
