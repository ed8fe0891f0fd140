"""Files that jobs of de-identification wrote or held, and what they were made from, for who has the folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from oathward.core.clock import from_micros, micros
from oathward.core.db import read
from oathward.deidentifying import walk
from oathward.deidentifying.job import name_of
from oathward.jobs import views as jobs
from oathward.jobs.model import HeldItem, UnitRow
from oathward.tracing.told import Filed, Kept
from oathward.vault.opened import Opened


def files_of(site: Opened, units: Sequence[UnitRow], held: Sequence[HeldItem] = ()) -> list[Filed]:
    """Put together what of files left and what was held, with the job that each is of."""
    by_file: dict[tuple[str, str], list[UnitRow]] = {}
    for unit in units:
        by_file.setdefault((unit.job, unit.file), []).append(unit)
    kept: dict[tuple[str, str], list[Kept]] = {}
    for item in held:
        by_file.setdefault((item.job, item.file), [])
        kept.setdefault((item.job, item.file), []).append(Kept(item.unit, item.reason, item.place))
    now_us, silent = micros(site.clock.now()), jobs.silent_us(site.settings.deid.file_time_s_max)
    with read(site.engine) as db:
        rows = {
            job: jobs.one(db, site.site, job, now_us=now_us, silent=silent)
            for job in {job for job, _ in by_file}
        }
    found = []
    for (job, file), own in by_file.items():
        row = rows[job]
        found.append(
            Filed(
                job=job,
                file=file,
                profile=row.profile if row else "",
                project=row.project if row else "",
                by=row.by if row else "",
                begun=from_micros(row.begun_us) if row else None,
                state=str(row.state) if row else "",
                units=len(own),
                subjects=tuple(dict.fromkeys(one.subject for one in own if one.subject)),
                held=tuple(kept.get((job, file), ())),
            )
        )
    return found


def sources(found: Sequence[Filed], folder: Path, key_of: Callable[[str], bytes]) -> list[Filed]:
    """Say which file of a folder each was made from; the folder is the one that the job read, and only names are looked at.

    Args:
        key_of: project -> its device key.

    Raises:
        InputError: the folder cannot be read.
    """
    items = walk.items(folder)
    there: dict[str, dict[str, str]] = {}
    for project in {one.project for one in found if one.project}:
        key, wanted = key_of(project), {one.file for one in found if one.project == project}
        named = ((name_of(key, item.path or folder.name), item.path or folder.name) for item in items)
        there[project] = {name: path for name, path in named if name in wanted}
    return [replace(one, source=there.get(one.project, {}).get(one.file, "")) for one in found]
