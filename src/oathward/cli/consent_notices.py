"""``oathward consent notices``: what recipients were told of what patients allow them, and their receipts."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oathward.cli.asking import opened
from oathward.cli.output import DataOption, JsonOption, console, emit
from oathward.core.clock import from_micros

if TYPE_CHECKING:
    from oathward.consent.notices.sql import NoticeRow

SubjectOption = Annotated[
    str, typer.Option("--subject", help="Of this patient alone, by subject id.", show_default=False)
]


def notices(
    missing: Annotated[bool, typer.Option("--missing", help="Those whose receipt is missing alone.")] = False,
    subject: SubjectOption = "",
    limit: Annotated[int, typer.Option(min=1, help="At most this many, newest first.")] = 50,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List notices to recipients that are told when a patient allows them less or more, and what they answered."""
    from oathward.consent.notices import views
    from oathward.core.db import read

    with opened(data) as site, read(site.engine) as db:
        subjects = [subject] if subject else []
        rows = views.rows(db, site.site, subjects=subjects, missing=missing, limit=limit)
        count = views.missing_count(db, site.site)

    def human() -> None:
        if not rows:
            print("No notice." if not missing else "No receipt is missing.")
            return
        from rich.table import Table

        names = ("due (UTC)", "link", "subject", "version", "passes", "state", "answer")
        table = Table(*names, box=None, pad_edge=False)
        for row in rows:
            when = f"{from_micros(row.due_us):%Y-%m-%d %H:%M}"
            about = (row.link, row.subject, str(row.version), row.passes)
            table.add_row(when, *about, _state(row), row.answer or "-")
        console().print(table)
        print(f"{count} without a receipt that should have one.")

    emit({"missing": count, "notices": [_row(row) for row in rows]}, as_json=as_json, human=human)


def _state(row: NoticeRow) -> str:
    return f"{row.state}, missing" if row.is_missing and row.state in {"waiting", "queued"} else row.state


def _row(row: NoticeRow) -> dict[str, Any]:
    return asdict(row) | {"missing": row.is_missing, "passes": row.passes}
