"""``oathward demo``: a whole site with a simulated hospital around it, in a folder of its own.

Rules:
- It uses the same commands as anyone would, on a new data folder that is removed afterwards; where something leaked it stays,
  with what the leak was seen in.
- What it counts comes from the simulator's own list of what it sent and from what its recipients kept,
  never from Oathward's counters.

Exit codes: 0 nothing lost, duplicated, disordered or leaked, and the ledger verifies; 1 otherwise; 130 ended before it
could count.
"""

from __future__ import annotations

from typing import Annotated

import typer

from oathward.cli.output import JsonOption, emit

APP = typer.Typer(help="Start Oathward with a simulated hospital and watch it work.", add_completion=False)


@APP.command()
def demo(
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
    """Run the simulated hospital against a new site.

    It tells in six steps who is who, what flows, what is held and why, what a withdrawal does, a night, and the proof. Without
    --for it goes on, with a live view, until Ctrl-C.

    At its end it counts, from the simulator's own list and from what the recipients kept: `lost`, `duplicated`,
    `disordered` and `leaked` must be 0. `delivered` of a recipient counts all it got, `due` what it had to get, and
    `withheld` what a policy kept back that people put in force meanwhile, and
    `delivered_not_due` what may come and need not: a message that has a name where the guard looks, those of a
    device adopted meanwhile, and what a withdrawal overtook. `promises` says of what patients and staff did whether it
    had to come of it what did; none may be broken.
    """
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
