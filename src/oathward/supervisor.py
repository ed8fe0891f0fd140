"""Start the processes of a site, keep them running, stop them in order.

Rules:
- Order up: keeper, courier, app, gateway; order down: gateway first, so that nothing new is accepted
  while the others finish.
- A process that ends by itself is started again after a pause that doubles up to a longest one.
- Each runs as its own operating-system user where the settings name one and we may.
- Children learn of our end by their standard input; nothing is left behind by a killed supervisor.

Deliberately absent: any work on data.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from oathward.core.errors import OathwardError
from oathward.core.process import statuses
from oathward.core.reasons import Reason
from oathward.core.settings import Settings

ROLES = ("keeper", "courier", "app", "gateway")
"""In the order in which they start."""

READY_S_MAX = 20.0
STOP_S_MAX = 15.0
_PAUSE_FIRST_S, _PAUSE_LONGEST_S, _HEALTHY_S = 0.2, 10.0, 30.0


@dataclass(slots=True)
class _Child:
    role: str
    process: asyncio.subprocess.Process | None = None
    started_s: float = 0.0
    restarts: int = 0
    watcher: asyncio.Task[None] | None = field(default=None)


class Supervisor:
    """Run all parts of one data folder.

    Args:
        say: takes one line for people or logs: role and what happened.
    """

    def __init__(
        self, settings: Settings, say: Callable[[str, str], None], *, arguments: tuple[str, ...] = ()
    ) -> None:
        self._settings, self._say, self._arguments = settings, say, arguments
        self._children = {role: _Child(role) for role in ROLES}
        self._stopping = False

    async def start(self) -> dict[str, Any]:
        """Start every part and wait until each says it is ready; gives role -> status.

        Raises:
            OathwardError: a part did not become ready; all are stopped again.
        """
        self._settings.run_folder.mkdir(parents=True, exist_ok=True)
        for role, child in self._children.items():
            await self._spawn(child)
            child.watcher = asyncio.create_task(self._watch(child))
            await self._ready(role, child)
        return dict(statuses(self._settings.run_folder))

    async def stop(self) -> None:
        """Stop the parts, last started first, each after the one before has ended."""
        self._stopping = True
        for child in reversed(self._children.values()):
            process = child.process
            if process is None or process.returncode is not None:
                continue
            process.terminate()
            try:
                async with asyncio.timeout(STOP_S_MAX):
                    await process.wait()
            except TimeoutError:
                self._say(child.role, "did not stop in time, killed")
                process.kill()
                await process.wait()
        for child in self._children.values():
            if child.watcher:
                child.watcher.cancel()

    async def _spawn(self, child: _Child) -> None:
        settings = self._settings
        # The keeper gives its sockets to the users of the others first, and becomes its own user then.
        user = None if child.role == "keeper" else getattr(settings.users, child.role) or None
        (settings.run_folder / f"{child.role}.json").unlink(missing_ok=True)
        environment = os.environ | {"OATHWARD_SUPERVISED": "1"}
        child.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "oathward.app",
            child.role,
            "--data",
            str(settings.data),
            *self._arguments,
            stdin=asyncio.subprocess.PIPE,
            env=environment,
            user=user if user and os.geteuid() == 0 else None,
            start_new_session=True,  # a Ctrl-C in the terminal is ours to pass on, in order
        )
        child.started_s = time.monotonic()

    async def _ready(self, role: str, child: _Child) -> None:
        deadline = time.monotonic() + READY_S_MAX
        while time.monotonic() < deadline:
            status = statuses(self._settings.run_folder).get(role)
            process = child.process
            if (
                status
                and process
                and status["pid"] == process.pid
                and status["state"] in {"ready", "unhealthy"}
            ):
                return
            if child.restarts > 1:
                break
            await asyncio.sleep(0.02)
        await self.stop()
        raise OathwardError(role, "did not become ready; see its lines above", reason=Reason.INTERNAL)

    async def _watch(self, child: _Child) -> None:
        pause_s = _PAUSE_FIRST_S
        while not self._stopping:
            process = child.process
            assert process is not None
            code = await process.wait()
            if self._stopping:
                return
            if time.monotonic() - child.started_s > _HEALTHY_S:
                pause_s = _PAUSE_FIRST_S
            child.restarts += 1
            self._say(child.role, f"ended with code {code}; starting it again in {pause_s:.1f} s")
            await asyncio.sleep(pause_s)
            pause_s = min(_PAUSE_LONGEST_S, pause_s * 2)
            await self._spawn(child)
