"""The ``portal`` process: patients' pages, and nothing else.

Rules:
- It writes nothing: the database refuses it, and what a patient changes the keeper signs and stores.
- It has a socket of the keeper's of its own, which takes no operation of staff.
- Pages are served by a thread with a loop of its own (``web.serving.server``); one that ends by an error of ours ends the
  process. What its door refused is counted in its status.

Deliberately absent: metrics, house-keeping, sending letters (``app``).
"""

from __future__ import annotations

import asyncio
import errno

from oathward.core.errors import OathwardError, SettingsError
from oathward.core.process import Status, told_to_stop
from oathward.core.reasons import Reason
from oathward.vault.opened import Opened
from oathward.web.portal.frame import create
from oathward.web.serving.server import Server

_STATUS_S = 1.0
_LOOK_S = 0.02


async def run(site: Opened) -> None:
    """Serve until told to stop."""
    status = Status(site.settings.run_folder_of("portal"), "portal")
    pages = _open(site)
    ports = {"portal": pages.port}
    status.write("starting", ports=ports)
    tasks = [asyncio.create_task(_say(status, ports, pages)), asyncio.create_task(told_to_stop())]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    status.write("stopping", ports=ports)
    await asyncio.to_thread(pages.stop)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    status.remove()
    for task in done:
        task.result()


def _open(site: Opened) -> Server:
    """Open the portal's port.

    Raises:
        OathwardError: ``port.taken``. SettingsError: it is off, or this machine has no such address.
    """
    settings = site.settings.portal
    if settings.port < 0:
        raise SettingsError("[portal] port", "is -1: the portal is off")
    try:
        return Server(site, settings, create)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            why = f"port {settings.port} of {settings.host} is taken; --port-base, or [portal] port"
            raise OathwardError("portal", why, reason=Reason.PORT_TAKEN) from error
        raise SettingsError("[portal] host or port", error.strerror or "cannot be opened") from error


async def _say(status: Status, ports: dict[str, int], pages: Server) -> None:
    refused = 0
    while pages.alive:
        if pages.serves:  # pages that cannot be made end the process before it was ready
            status.write("ready", ports=ports, refused=refused)
        await asyncio.sleep(_STATUS_S if pages.serves else _LOOK_S)
        refused += pages.refused().total()
    raise OathwardError("portal", "ended by itself", reason=Reason.INTERNAL)
