"""Somebody at a desk, who has typed the command that records a withdrawal and waits to be told whose.

Rules:
- It is the command anyone would use, in a process of its own; the identifier comes by its standard input and is on no
  disk and in no argument.
- It is typed beforehand: what is timed is what the site does, not how long a program takes to start.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from oathward.core.clock import wall_s
from oathward.core.errors import OathwardError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from oathward_sim.hospital import Patient

_ANSWER_S_MAX = 60.0


@dataclass(slots=True)
class Desk:
    """One command, ready to go."""

    process: asyncio.subprocess.Process

    @classmethod
    async def ready(cls, data: Path) -> Desk:
        """Type the command for the site in a data folder."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "oathward.cli", "consent", "record", "--deny", "--purpose", "HRESCH", "--identifier-file", "-",
            "--source", "said at the desk", "--data", str(data), "--json",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        return cls(process)

    async def withdraw(self, who: Patient) -> tuple[float, float]:
        """Say whose it is; gives when that was and when the command was done, in seconds since 1970.

        Raises:
            OathwardError: it failed.
        """
        from oathward_sim.hospital import AUTHORITY

        asked_s = wall_s()
        async with asyncio.timeout(_ANSWER_S_MAX):
            _, said = await self.process.communicate(f"{who.mrn}^^^{AUTHORITY}^MR\n".encode())
        if self.process.returncode:
            why = said.decode().strip()[-200:]
            raise OathwardError("oathward consent record", why, reason=Reason.INTERNAL)
        return asked_s, wall_s()

    async def close(self) -> None:
        """End it, whether or not it was used."""
        if self.process.returncode is None:
            self.process.kill()
            await self.process.communicate()
