"""Run one process of a site: ``python -m oathward.app ROLE --data DIR``; the supervisor's way in."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import structlog
import uvloop

from oathward.app import build
from oathward.core import users
from oathward.core.errors import OathwardError
from oathward.core.log import set_up
from oathward.core.process import told_to_go
from oathward.core.settings import Settings, load

if TYPE_CHECKING:
    from oathward.vault.opened import Opened

SWITCH_S = 0.0005
"""How long a busy event loop may keep the interpreter lock from the thread that commits: that asks for it after
every statement, and at Python's own 5 ms a group of twenty statements takes a tenth of a second (measured: twice
the rate at 64 connections)."""

ROLES = ("gateway", "beside", "replay", "notices", "courier", "keeper", "app", "portal")

log = structlog.get_logger()


def main() -> int:
    """Run the role until it is told to stop; exit code from the reason table where it cannot."""
    parser = argparse.ArgumentParser(prog="python -m oathward.app")
    parser.add_argument("role", choices=ROLES)
    parser.add_argument("--data", required=True)
    parser.add_argument("--port-base", type=int)
    arguments = parser.parse_args()
    sys.setswitchinterval(SWITCH_S)
    os.umask(0o027)  # whatever the caller's: nothing of a site is for everybody to read
    set_up(arguments.role)
    part = _imported(arguments.role)
    if not told_to_go():
        return 0
    try:
        part(load(arguments.data, port_base=arguments.port_base))
    except OathwardError as error:
        log.error("stopped", reason=error.reason.code, where=error.where, why=error.why)
        return max(1, error.reason.answer.exit_code)
    return 0


def _imported(role: str) -> Callable[[Settings], None]:
    """Import what a role is; gives what runs it."""
    if role == "keeper":
        from oathward.proposing import register
        from oathward.vault.keeper.server import run as run_keeper

        return lambda settings: run_keeper(settings, register)
    if role == "gateway":
        from oathward.gateway.process import run
    elif role == "beside":
        from oathward.gateway.beside import run
    elif role == "replay":
        from oathward.gateway.orders import run
    elif role == "notices":
        from oathward.gateway.orders import run_notices as run
    elif role == "courier":
        from oathward.courier.process import run
    elif role == "portal":
        from oathward.app.portal import run
    else:
        from oathward.app.process import run
    return lambda settings: uvloop.run(_part(role, run, settings))


def _part(
    role: str, run: Callable[[Opened], Coroutine[Any, Any, None]], settings: Settings
) -> Coroutine[Any, Any, None]:
    if role == "replay":
        from oathward.gateway.orders import KEEPER_TIMEOUT_S

        patient = dataclasses.replace(settings.gateway, keeper_timeout_s=KEEPER_TIMEOUT_S)
        settings = dataclasses.replace(settings, gateway=patient)
    role = "gateway" if role in {"beside", "replay", "notices"} else role
    if os.geteuid() == 0:
        users.become(settings, role)  # after the imports: they may lie where the other user cannot read
    return run(build(settings, role, become_keeper=False))


if __name__ == "__main__":
    sys.exit(main())
