"""``oathward demo``: a whole site with a simulated hospital around it, in a folder of its own; and made-up estates to try discovery on.

Rules:
- It uses the same commands as anyone would, on a new data folder that is removed afterwards; where something leaked it stays,
  with what the leak was seen in.
- What it counts comes from the simulator's own list of what it sent and from what its recipients kept,
  never from Oathward's counters.

Exit codes: 0 nothing lost, duplicated, disordered or leaked, and the ledger verifies; 1 otherwise; 130 ended before it
could count.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oathward.cli.output import JsonOption, emit
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

APP = typer.Typer(help="Start Oathward with a simulated hospital and watch it work.", add_completion=False)

_HELP = """Run the simulated hospital against a new site.

It tells in six steps who is who, what flows, what is held and why, what a withdrawal does, a night, and the proof. Without
--for it goes on, with a live view, until Ctrl-C.

At its end it counts, from the simulator's own list and from what the recipients kept: `lost`, `duplicated`,
`disordered` and `leaked` must be 0. `delivered` of a recipient counts all it got, `due` what it had to get, and
`withheld` what a policy kept back that people put in force meanwhile, and
`delivered_not_due` what may come and need not: a message that has a name where the guard looks, those of a
device adopted meanwhile, and what a withdrawal overtook. `promises` says of what patients and staff did whether it
had to come of it what did; none may be broken."""


@APP.callback(invoke_without_command=True, help=_HELP)
def demo(
    context: typer.Context,
    *,
    for_s: Annotated[
        float | None,
        typer.Option("--for", help="End after so many seconds of traffic; else Ctrl-C ends it.", min=1),
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed, another hospital.")] = 1,
    rate: Annotated[float, typer.Option(help="Messages a second of each device.", min=0.1)] = 2.0,
    port_base: Annotated[
        int | None,
        typer.Option(
            help="Ports: MLLP here, MLLP/TLS +1, metrics +2, FHIR +3, console +4, portal +5; free ones by default."
        ),
    ] = None,
    drop_one: Annotated[
        bool, typer.Option("--drop-one", help="Let a recipient lose one delivery: the count must say 1 lost.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the data folder for a look afterwards.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run the simulated hospital against a new site, or what was asked for instead."""
    if context.invoked_subcommand is not None:
        return
    import asyncio

    from oathward.cli.demo.play import Options, play
    from oathward.cli.demo.report import print_report

    options = Options(for_s, seed, rate, port_base, drop_one=drop_one, keep=keep, quiet=as_json)
    try:
        report = asyncio.run(play(options))
    except asyncio.CancelledError as cancelled:
        raise KeyboardInterrupt from cancelled
    emit(report.as_dict(), as_json=as_json, human=lambda: print_report(report))
    if not report.ok:
        raise typer.Exit(1)


@APP.command()
def estate(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="A new or empty folder to write into.")],
    devices: Annotated[
        int,
        typer.Option(help="About how many devices, servers and routers among them.", min=100, max=200_000),
    ] = 300,
    sites: Annotated[
        int, typer.Option(help="How many sites, all with the same address plan.", min=1, max=8)
    ] = 3,
    days: Annotated[int, typer.Option(help="How many days of logs.", min=1, max=60)] = 2,
    seed: Annotated[int, typer.Option(help="Another seed, another estate.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Write what sensors and lists would tell of a made-up estate, and the truth beside it.

    Nothing in it exists. A README in the folder says what each file is. 40,000 devices take about a minute and 300 MB a day of logs.
    """
    import dataclasses

    from oathward_sim.estate.make import make

    try:
        made = make(out, devices=devices, sites=sites, days=days, seed=seed)
    except FileExistsError as error:
        raise InputError("--out", "is not an empty folder; choose another", reason=Reason.CONFLICT) from error
    except OSError as error:
        raise InputError("--out", f"cannot be written: {error.strerror}") from error
    said = f"{made.devices:,} devices of {made.sites} sites, {made.rows:,} rows of logs, {made.bytes:,} bytes: {out}/README.md says what is where"
    emit(dataclasses.asdict(made), as_json=as_json, human=lambda: print(said))
