"""``oathward jobs``: folders that were de-identified, how far each is, what was held and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oathward.cli.asking import PersonOption, now_us, opened
from oathward.cli.deid_before import tell
from oathward.cli.output import DataOption, JsonOption, emit, minute, say
from oathward.core.clock import from_micros, iso
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from oathward.jobs.model import HeldItem, JobRow

APP = typer.Typer(
    help="Folders that were de-identified: list, or show one with what was held and why.",
    add_completion=False,
)


@APP.command()
def jobs(
    job: Annotated[
        str,
        typer.Argument(
            metavar="[JOB]", help="Id of one, or what it alone begins or ends with; all without it."
        ),
    ] = "",
    *,
    project: Annotated[str, typer.Option("--project", metavar="ID", help="Only of this project.")] = "",
    reason: Annotated[
        str, typer.Option("--reason", metavar="CODE", help="Of one job only what was held for this code.")
    ] = "",
    limit: Annotated[
        int, typer.Option(min=1, max=10_000, help="At most this many jobs, or held items.")
    ] = 100,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List jobs of `oathward deid`, newest first, or show one. Files are named as they are in the output."""
    from oathward.cli.permitted import who_may
    from oathward.core.db import read
    from oathward.jobs import views
    from oathward.jobs.model import JobFilters
    from oathward.people import views as people
    from oathward.policy.reading import near

    if reason and not job:
        raise InputError("--reason", "is of one job: name it, oathward jobs JOB --reason CODE")
    with opened(data) as site:
        who_may(site, person, "deid.see")
        silent, at_us = views.silent_us(site.settings.deid.file_time_s_max), now_us(site)
        with read(site.engine) as db:
            if not job:
                rows = views.listed(
                    db, site.site, JobFilters(project=project), now_us=at_us, silent=silent, limit=limit
                )
                names = people.names(db, site.site, {one.by for one in rows})
                if project and not rows:
                    every = views.listed(
                        db, site.site, JobFilters(), now_us=at_us, silent=silent, limit=10_000
                    )
                    tell(f"--project: no job is of it; {near(project, {one.project for one in every})}")
            else:
                row = views.one(db, site.site, job, now_us=at_us, silent=silent)
                held, after = views.held(db, site.site, row.id if row else job, reason=reason, limit=limit)
                names = people.names(db, site.site, {row.by} if row else set())
    if not job:
        found = [_plain(one) for one in rows]
        emit({"jobs": found}, as_json=as_json, human=lambda: _list(found, names))
        return
    if row is None:
        raise InputError("JOB", "there is none of this id: oathward jobs", reason=Reason.NOT_FOUND)
    if reason and not held:
        tell(f"--reason: nothing of this job is held for it; {near(reason, row.progress.figures.reasons)}")
    told = _plain(row) | {
        "figures": asdict(row.progress.figures),
        "held_items": [_held(one) for one in held],
        "more": bool(after),
    }
    emit(told, as_json=as_json, human=lambda: _show(told, names))


def _plain(row: JobRow) -> dict[str, Any]:
    progress = asdict(row.progress)
    del progress["figures"]
    return {
        "id": row.id,
        "state": row.state.value,
        "profile": row.profile,
        "project": row.project,
        "by": row.by,
        "begun": iso(from_micros(row.begun_us)),
        "updated": iso(from_micros(row.updated_us)),
        "ended": iso(from_micros(row.ended_us)) if row.ended_us else "",
        **progress,
    }


def _held(one: HeldItem) -> dict[str, Any]:
    return {"file": one.file, "unit": one.unit, "reason": one.reason, "place": one.place}


def _list(found: list[dict[str, Any]], names: Mapping[str, str]) -> None:
    for one in found:
        say(_line(one, names))
    print(f"{len(found)} listed.")


def _line(one: Mapping[str, Any], names: Mapping[str, str]) -> str:
    return (
        f"{one['id']}  {one['state']:<7}  {minute(one['begun'])}  {one['profile']}, {one['project']}, by {names.get(one['by'], one['by'])}:"
        f" {one['done']:,} of {one['files']:,} files, {one['written']:,} written, {one['held']:,} held"
    )


def _show(told: Mapping[str, Any], names: Mapping[str, str]) -> None:
    from oathward.core.meanings_files import of_file
    from oathward.deidentifying.apart import words_of

    say(_line(told, names))
    if told["state"] == "stopped":
        print("It stopped before its end; the same `oathward deid` command goes on.")
    bare = f"; of {told['bare']:,} little more than a number left" if told["bare"] else ""
    print(f"{told['patients']:,} patients, {told['known']:,} of them known before{bare}.")
    twice = words_of(told["figures"]["authorities"])
    if twice:
        print(twice)
    for code, count in told["figures"]["reasons"].items():
        meaning = of_file(code)
        say(f"{count:>9,}  {code}: {meaning.what}")
        if meaning.remedy:
            say(f"{'':>9}  What to do: {meaning.remedy}")
    for one in told["held_items"]:
        unit = "whole" if one["unit"] < 0 else f"unit {one['unit']}"
        say(f"  {one['file']}  {unit}  {one['reason']}  {one['place']}".rstrip())
    if told["held_items"]:
        print("Which file of the folder one is: oathward trace back FILE --in FOLDER")
    if told["more"]:
        print("And more: --limit, --json.")
