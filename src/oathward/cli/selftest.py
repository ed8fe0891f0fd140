"""``oathward selftest``: try what should hold, on this site's own policy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oathward.cli.output import DataOption, JsonOption, console, emit, settings_of

if TYPE_CHECKING:
    from oathward.gateway.selftest import Report
    from oathward.policy.bundle import Bundle

APP = typer.Typer(
    help="Try what should hold on your own policy: wires.", add_completion=False, no_args_is_help=True
)


@APP.callback()
def _group() -> None:
    """Try what should hold on your own policy."""


@APP.command()
def wires(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", help="Folder of a bundle; without one, the bundle that is active."),
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell the same as HL7 v2 and as FHIR, and see that both get one decision, on every link.

    Every label rule and everything a patient may say about a link is tried. Nothing is sent or stored.
    Exit code 1 when the wires disagree anywhere.
    """
    from oathward.gateway.selftest import run

    report = run(_bundle(folder, data))
    emit(report, as_json=as_json, human=lambda: _show(report))
    if report.differences:
        raise typer.Exit(1)


def _bundle(folder: Path | None, data: str | None) -> Bundle:
    from oathward.cli.policy import active_of, checked

    return checked(folder) if folder is not None else active_of(settings_of(data)).bundle


def _show(report: Report) -> None:
    for link, why in report.skipped.items():
        print(f"not compared  {link}: {why}")
    if not report.differences:
        print(
            f"One decision on both wires: {report.cases} situations, {report.permitted} of them permitted, "
            f"{report.shaped} compared in what leaves."
        )
        return
    from rich.table import Table

    table = Table(title=f"{len(report.differences)} differences in {report.cases} situations")
    for column in ("link", "situation", "what", "HL7 v2", "FHIR"):
        table.add_column(column, overflow="fold")
    for one in report.differences:
        table.add_row(one.link, one.case, one.what, one.hl7v2, one.fhir)
    console().print(table)
