"""When narrowings of what patients allow were in effect in this gateway: noted beside the data path, some times a second.

Rules:
- In effect: the next decision is by the new version. What was decided before is decided again by the courier, so that
  nothing is withdrawn here and nothing is in flight.
- A bug here ends the noting and is said, never the gateway: the page of withdrawals then misses its notes.

Deliberately absent: taking changes in (``gate``), and which links a version narrows (``consent.effects``).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from oathward.consent import effects
from oathward.consent.effects import OnLink
from oathward.consent.noticed import Noticed, Version
from oathward.core.db import read, write
from oathward.core.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oathward.gateway.gate import Gate

PROCESS = "gateway"
_PAUSE_S = 0.25
_AGAIN_S = 1.0

log = structlog.get_logger()


def noting(gate: Gate) -> asyncio.Task[None]:
    """Note from now on, until cancelled."""
    noticed = Noticed(gate.site, gate.clock)
    gate.consents.notice(noticed)
    task = asyncio.create_task(_watch(gate, noticed))
    task.add_done_callback(_say)
    return task


async def _watch(gate: Gate, noticed: Noticed) -> None:
    first, waiting = True, list[Version]()
    while True:
        await asyncio.sleep(_PAUSE_S)
        waiting += gate.consents.take_versions()
        if not (first or waiting) or not gate.bundle_name:
            continue
        try:
            if first:
                waiting += await asyncio.to_thread(_at_start, gate, noticed)
                first = False
            await asyncio.to_thread(note, gate, waiting)
        except StorageError as error:
            log.warning("gateway.effects", trouble=error.reason.code)
            await asyncio.sleep(_AGAIN_S)
        else:
            waiting = []


def _at_start(gate: Gate, noticed: Noticed) -> list[Version]:
    with read(gate.engine) as db:
        return noticed.new(db)


def note(gate: Gate, versions: Sequence[Version]) -> None:
    """Write down, in one transaction, which links these versions narrowed, and when they were taken in here."""
    if not versions:
        return
    bundle, now_us = gate.active_bundle, gate.now_us()
    with read(gate.engine) as db:
        found = []
        for version in versions:
            one = effects.narrowing(db, gate.site, bundle, version, gate.resolver.family, now_us)
            if one is not None:
                found.append((one, dict.fromkeys(one.links, OnLink(version.seen_us))))
    if found:
        with write(gate.engine) as db:
            effects.write(db, effects.rows_of(gate.site, PROCESS, found), now_us)


def _say(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("gateway.effects", trouble=type(error).__name__)
