"""``oathward policy dry-run``: what a bundle would have done to the decisions of the last days."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from oathward.cli.output import DataOption, JsonOption, emit, settings_of

DAYS_MAX = 3_650


def dry_run(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the bundle to try.")],
    days: Annotated[int, typer.Option(min=1, max=DAYS_MAX, help="How many days back.")] = 7,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide the recorded decisions of the last days again under a bundle: what would come out differently, and what cannot be told."""
    import orjson

    from oathward.cli.policy import active_of, checked
    from oathward.core.clock import Clock, micros
    from oathward.core.db import connect
    from oathward.dry_running import DAY_US
    from oathward.dry_running import dry_run as run
    from oathward.policy.dry_run_words import lines
    from oathward.proposing import changes_between, waiting

    after, settings = checked(folder), settings_of(data)
    before = active_of(settings).bundle
    now_us = micros(Clock().now())
    engine = connect(settings.database_url)

    def progress(done: int, total: int) -> None:
        if sys.stderr.isatty():
            print(
                f"\r{done:,} of {total:,} records",
                end="" if done < total else "\n",
                file=sys.stderr,
                flush=True,
            )

    try:
        found = run(
            engine, settings.site.name, before, after,
            since_us=now_us - days * DAY_US, until_us=now_us, progress=progress,
        )  # fmt: skip
        waits = waiting(engine, changes_between(before, after), found)
    finally:
        engine.dispose()

    def human() -> None:
        for line in lines(found):
            print(line)
        for one in waits:
            print(f"waiting  {one.words}")
        print(f"Digest {found.digest.hex()}")

    told = orjson.loads(found.body())
    told |= {"digest": found.digest, "waiting": waits}
    emit(told, as_json=as_json, human=human)
