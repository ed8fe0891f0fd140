"""Releases that people ordered at the console, and notices that are due: carried out by short-lived processes of their own.

Rules:
- The keeper holds the orders and knows who gave them; the gateway only asks whether there are any, once a second.
- The replay process has no listener. It takes one order after the other with its opened originals, sends each message
  through the path again (``replay``), tells the keeper what became of each, and ends.
- Notices are made by another such process (``notices``), at most one every few seconds.
- A message that is no longer held, or that cannot be stored, stays as it is; the others of its order go on.

Deliberately absent: who may order (the keeper), what may pass (the path), any memory of content after the process.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import TYPE_CHECKING

import structlog

from oathward.core.db import read
from oathward.core.errors import OathwardError
from oathward.core.reasons import Reason
from oathward.gateway import notices, replay
from oathward.gateway.gate import Gate
from oathward.messages import sql as messages

if TYPE_CHECKING:
    from oathward.vault.keeper.client import Ordered
    from oathward.vault.keeper.original import Original
    from oathward.vault.opened import Opened

WRITER = "console"
"""Names the body files of this process: its own, beside those of the gateway and of a person's command."""

KEEPER_TIMEOUT_S = 60.0
"""Opening many originals takes longer than the gateway's own questions may."""

NOTICE_WRITER = "notices"
_LOOK_S = 1.0
_REST_S = 3.0
"""After notices were made; what comes meanwhile is made together."""
_AGAIN_S = 30.0
_NICE = 10
_RUN_S_MAX = 240.0

log = structlog.get_logger()


async def watch(site: Opened) -> None:
    """Start the replay process whenever a release was ordered; runs until cancelled."""
    while True:
        await asyncio.sleep(_LOOK_S)
        try:
            waiting = await asyncio.to_thread(site.keeper.releases_waiting)
        except OathwardError:
            continue  # an order nobody takes becomes void; the keeper's own trouble shows elsewhere
        if waiting:
            await _start(site, "replay")


async def watch_notices(gate: Gate) -> None:
    """Start the process of notices whenever one may be due; runs until cancelled."""
    again_s = 0.0
    while True:
        await asyncio.sleep(_LOOK_S)
        again = time.monotonic() >= again_s
        try:
            due = await asyncio.to_thread(notices.due, gate, again=again)
        except OathwardError:
            continue  # the gateway's own trouble shows elsewhere; what is due stays due
        if again:
            again_s = time.monotonic() + _AGAIN_S
        if due:
            await _start(gate.opened, "notices")
            await asyncio.sleep(_REST_S)


async def _start(site: Opened, role: str) -> None:
    command = [sys.executable, "-m", "oathward.app", role, "--data", str(site.settings.data)]
    process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL)
    try:
        async with asyncio.timeout(_RUN_S_MAX):
            code = await process.wait()
        if code:
            log.warning("ended", role=role, code=code)
    except TimeoutError:
        log.error("ended", role=role, code=-1)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def run_notices(site: Opened) -> None:
    """Be the process of notices: make what is due, then end."""
    os.nice(_NICE)
    gate = Gate(site, writer=NOTICE_WRITER)
    try:
        with read(gate.engine) as db:
            gate.stores.discard_tails(db)
            gate.stores.drop_used_up(db)
        notices.make(gate)
    finally:
        gate.close()


async def run(site: Opened) -> None:
    """Be the replay process: carry out every order that waits, then end."""
    gate: Gate | None = None
    try:
        while (ordered := site.keeper.release_take()) is not None:
            try:
                gate = gate or Gate(site, writer=WRITER)
                outcome = [(one.message, _carry_out(gate, ordered, one)) for one in ordered.originals]
            except OathwardError as error:
                site.keeper.release_settle(ordered.id, [], why=error.reason.code)
                raise
            site.keeper.release_settle(ordered.id, outcome)
    finally:
        if gate is not None:
            gate.close()


def _carry_out(gate: Gate, ordered: Ordered, original: Original) -> str:
    """Release one message; gives the reason it stays held for, nothing where it was released."""
    with read(gate.engine) as db:
        row = messages.held(db, original.message)
    if row is None or row.state != "held":
        return Reason.CONFLICT.code
    try:
        [done] = replay.release(gate, [(row, original.data)], by=ordered.person, reason=ordered.reason)
    except OathwardError as error:  # not stored: it is held as before
        return error.reason.code
    return done.reason
