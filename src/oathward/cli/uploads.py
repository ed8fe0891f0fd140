"""``oathward uploads``: what devices send past Oathward: imported from a file of one line or many, listed, ended.

Rules:
- With any mistake in a file nothing is imported; each is told by line, column and reason code.
- Nothing is written that a spreadsheet would run.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oathward.cli.asking import PersonOption, now_us, opened, read_bytes
from oathward.cli.output import DataOption, JsonOption, emit, one_of
from oathward.cli.permitted import who_may
from oathward.core.clock import from_micros, iso
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from oathward.uploads.model import UploadRow

SHOWN_MAX = 20

APP = typer.Typer(
    help="What devices send past Oathward: import, list, end.",
    add_completion=False,
    no_args_is_help=True,
)


@APP.command("list")
def list_(
    answer: Annotated[str, typer.Option(help="Only allowed, denied, never-asked or law.")] = "",
    *,
    ended: Annotated[bool, typer.Option("--ended", help="Those that are over.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most this many.")] = 100,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List uploads, newest first, with what the patient says of each."""
    from oathward.core.db import read
    from oathward.uploads import views
    from oathward.uploads.model import Answer, UploadFilters

    if answer:
        one_of("--answer", answer, Answer, "answer")
    with opened(data) as site:
        who_may(site, person, "uploads.see")
        with read(site.engine) as db:
            rows = views.listed(db, site.site, UploadFilters(answer=answer, ended=ended), limit=limit)

    def human() -> None:
        for row in rows:
            said = row.sighting
            to, device = said.party or said.maker, said.device or "unknown device"
            print(
                f"{row.id}  {device} to {to}  {said.subject or 'nobody known'}  {row.answer or 'not compared'}"
            )
        print(f"{len(rows)} listed.")

    emit({"uploads": [_plain(row) for row in rows]}, as_json=as_json, human=human)


@APP.command("import")
def import_(
    file: Annotated[
        str, typer.Argument(help="CSV or JSON lines of a tool that watches the network; - for stdin.")
    ],
    source: Annotated[
        str,
        typer.Option(help="How it is known: imported (a tool), observed (staff), reported (the patient)."),
    ] = "imported",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and count; change nothing.")] = False,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import what a tool, staff or a patient saw. Again changes nothing but when each was last seen."""
    from oathward import uploading
    from oathward.uploads import sheet
    from oathward.uploads.model import Source

    one_of("--source", source, Source, "source")
    raw = read_bytes(file, sheet.BYTES_MAX)
    with opened(data) as site:
        by, at_us = who_may(site, person, "uploads.change"), now_us(site)
        lines, mistakes = sheet.parse_apart(raw, at_us, Source(source))
        for line, said in lines:
            if (wrong := uploading.unfit(site, said)) is not None:
                mistakes.append(sheet.Mistake(line, wrong.field, wrong.why, wrong.code))
        for one in mistakes[:SHOWN_MAX]:
            print(f"line {one.line}, {one.column or 'file'}: {one.why} ({one.code})", file=sys.stderr)
        if mistakes:
            raise InputError(
                "file", f"{len(mistakes)} mistakes; nothing was imported", reason=Reason.INPUT_INVALID
            )
        if not dry_run:
            uploading.kept(site, [said for _, said in lines], by=by, now_us=at_us)
    would = "would be " if dry_run else ""
    value = {"read": len(lines), "dry_run": dry_run}
    emit(value, as_json=as_json, human=lambda: print(f"{len(lines)} lines {would}imported."))


@APP.command()
def end(
    upload: Annotated[str, typer.Argument(help="Id, from `oathward uploads list`.")],
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that an upload is over."""
    from oathward.core.db import write
    from oathward.uploads import actions

    with opened(data) as site:
        by = who_may(site, person, "uploads.change")
        with write(site.engine) as db:
            actions.end(db, site.site, upload, by=by, now_us=now_us(site))
    emit({"ended": upload}, as_json=as_json, human=lambda: print("Ended."))


def _plain(row: UploadRow) -> dict[str, Any]:
    said = row.sighting
    return {
        "id": row.id,
        "party": said.party,
        "maker": said.maker,
        "device": said.device,
        "subject": said.subject,
        "classes": sorted(said.classes),
        "purpose": said.purpose,
        "since": iso(from_micros(said.since_us)),
        "seen": iso(from_micros(said.seen_us)),
        "source": said.source.value,
        "evidence": said.evidence,
        "answer": row.answer.value if row.answer else "",
        "ended": iso(from_micros(row.ended_us)) if row.ended_us else "",
    }
