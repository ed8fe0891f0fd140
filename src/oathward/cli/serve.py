"""``oathward serve``: run the site's processes until told to stop."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import orjson
import typer

from oathward.cli.output import DataOption, JsonOption, settings_of
from oathward.core.process import told_to_stop
from oathward.core.settings import moved
from oathward.supervisor import Supervisor

APP = typer.Typer(help="Run gateway, courier, keeper and followers.", add_completion=False)


@APP.command()
def serve(
    data: DataOption = None,
    port_base: Annotated[
        int | None,
        typer.Option(help="Move every port: MLLP here, MLLP/TLS +1, metrics +2, FHIR +3, console +4."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Start every process, print where they listen, run until Ctrl-C or SIGTERM.

    With --json the first line on stdout is one JSON object with each process and its ports.
    """
    settings = settings_of(data)
    if port_base is not None:
        settings = moved(settings, port_base)
    arguments = ("--port-base", str(port_base)) if port_base is not None else ()

    def say(role: str, what: str) -> None:
        print(f"{role}: {what}", file=sys.stderr, flush=True)

    async def go() -> None:
        supervisor = Supervisor(settings, say, arguments=arguments)
        statuses = await supervisor.start()
        stopped = asyncio.create_task(told_to_stop())
        await asyncio.sleep(0)  # who reads that all is ready may say at once that it is to stop
        if as_json:
            sys.stdout.buffer.write(orjson.dumps({"ready": True, "parts": statuses}) + b"\n")
            sys.stdout.buffer.flush()
        else:
            for role, status in statuses.items():
                ports = ", ".join(f"{name} {port}" for name, port in (status.get("ports") or {}).items())
                print(f"  {role:<8} ready{'  on ' + ports if ports else ''}")
            print("Oathward is running. Ctrl-C stops it.", flush=True)
        await stopped
        await supervisor.stop()

    asyncio.run(go())
