"""The ``app`` process: the console's pages, metrics, and keeping house off the hot paths.

Rules:
- SQLite's log is moved into its file here, never inside a commit of the gateway.
- Message metadata past its retention is forgotten in small batches.
- Processes that hung, deliveries that are nowhere, and notices that nobody answered become findings. The list of what patients
  said is kept.
- Where a setting says how, letters to holders of the patient portal are sent (``letters``).
- Where a setting names a collector, numbers are sent to it (``telemetry``); else nothing of that is loaded.
- The living picture is looked after (``picture``): house kept, findings told.
- Pages are served by a thread with a loop of its own (``web.serving.server``); one that ends by an error of ours ends the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import time
from typing import TYPE_CHECKING, Any

import structlog
from prometheus_client import CollectorRegistry, start_http_server

from oathward import ledger, uploading
from oathward.accesses import actions as accesses
from oathward.activation import load_active
from oathward.app import letters, picture, reviews
from oathward.app.deliveries import Deliveries
from oathward.app.hangs import Hangs
from oathward.app.metrics import Collector
from oathward.consent.notices import actions as notices
from oathward.core.clock import micros, wall_s
from oathward.core.db import checkpoint, read, write
from oathward.core.errors import OathwardError, SettingsError
from oathward.core.process import Status, told_to_stop
from oathward.core.reasons import Reason
from oathward.disclosures import actions as disclosures
from oathward.explaining import listing
from oathward.findings import actions as findings
from oathward.jobs import actions as jobs
from oathward.ledger import Record, prepare
from oathward.messages import sql as messages
from oathward.messages import traffic
from oathward.vault import beds, care_orders, care_room, kept
from oathward.vault.opened import Opened
from oathward.web.serving.server import Server

if TYPE_CHECKING:
    from oathward.app.telemetry.sender import Sender

_CHECKPOINT_S = 0.5
_STATUS_S = 1.0
_LOOK_S = 1.0
_PURGE_S = 60.0
_PURGE_ROWS = 1_000
_REFUSAL_RECORDS_MAX = 20
_DAY_US = 86_400_000_000

log = structlog.get_logger()


async def run(site: Opened) -> None:
    """Serve until told to stop."""
    status = Status(site.settings.run_folder_of("app"), "app")
    ports: dict[str, int] = {}
    metrics = site.settings.metrics
    if metrics.port >= 0:
        registry = CollectorRegistry()
        registry.register(Collector(site))
        server, _ = start_http_server(metrics.port, metrics.host, registry)
        ports["metrics"] = server.server_port
    telemetry = _telemetry(site)
    console = _console(site)
    if console is not None:
        ports["console"] = console.port
    status.write("ready", ports=ports)
    deliveries = Deliveries(site)
    did: dict[str, Any] = {}
    tasks = [
        asyncio.create_task(_say(status, ports, console, did)),
        asyncio.create_task(_keep_house(site, status, deliveries, did, console)),
        asyncio.create_task(reviews.run(site)),
        asyncio.create_task(picture.run(site)),
        asyncio.create_task(told_to_stop()),
    ]
    if site.settings.mail.sender:
        tasks.append(asyncio.create_task(letters.run(site)))
    if telemetry is not None:
        tasks.append(asyncio.create_task(telemetry.run(did)))
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    status.write("stopping", ports=ports)
    if console is not None:
        await asyncio.to_thread(console.stop)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    with contextlib.suppress(OSError):  # a full disk: the next one reads a little again
        deliveries.keep()
    status.remove()
    for task in done:
        task.result()


def _console(site: Opened) -> Server | None:
    """Open the console where it is on.

    Raises:
        OathwardError: ``port.taken``. SettingsError: this machine has no such address.
    """
    settings = site.settings.console
    if settings.port < 0:
        return None
    try:
        return Server(site, settings)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            why = f"port {settings.port} of {settings.host} is taken; --port-base, or [console] port"
            raise OathwardError("app", why, reason=Reason.PORT_TAKEN) from error
        raise SettingsError("[console] host or port", error.strerror or "cannot be opened") from error


def _telemetry(site: Opened) -> Sender | None:
    """Make ready to send numbers, where they are wanted.

    Raises:
        SettingsError: ``oathward[otel]`` is not installed.
    """
    if not site.settings.telemetry.endpoint:
        return None
    from oathward.app.telemetry.sender import Sender

    return Sender(site)


async def _say(status: Status, ports: dict[str, int], console: Server | None, did: dict[str, Any]) -> None:
    while console is None or console.alive:
        await asyncio.sleep(_STATUS_S)
        status.write("ready", ports=ports, **did)
    raise OathwardError("console", "ended by itself", reason=Reason.INTERNAL)


async def _keep_house(
    site: Opened, status: Status, deliveries: Deliveries, did: dict[str, Any], console: Server | None
) -> None:
    next_look_s = next_purge_s = 0.0
    hangs = Hangs(site)
    while True:
        now_s = time.monotonic()
        try:
            await asyncio.to_thread(checkpoint, site.engine)
            if now_s >= next_purge_s:
                next_purge_s = now_s + _PURGE_S
                await asyncio.to_thread(_purge, site)
                await asyncio.to_thread(_forget_stays, site)
                await asyncio.to_thread(_tell_notices, site)
                await asyncio.to_thread(_keep_findings, site)
                await asyncio.to_thread(uploading.compare, site, micros(site.clock.now()))
                if console is not None:
                    await asyncio.to_thread(_record_refusals, site, console)
            if now_s >= next_look_s:
                next_look_s = now_s + _LOOK_S
                await asyncio.to_thread(hangs.record)
                while await asyncio.to_thread(ledger.index, site.engine, site.site):
                    status.moved("house")  # after a long absence this takes a while
                while await asyncio.to_thread(deliveries.turn):
                    status.moved("house")
                while await asyncio.to_thread(listing.turn, site):
                    status.moved("house")
                await asyncio.to_thread(_take_openings, site)
                site.clock.persist()
                did["house_s"] = wall_s()
        except (OathwardError, OSError) as error:
            log.warning("house", error=type(error).__name__)
        status.moved("house")
        await asyncio.sleep(_CHECKPOINT_S)


def _record_refusals(site: Opened, console: Server) -> None:
    """Write what the console's door refused, summed up: a flood is one record a minute, address and reason."""
    refused = console.refused().most_common(_REFUSAL_RECORDS_MAX)
    at_us = micros(site.clock.now())
    leaves = [
        prepare(Record("connection.refused", {"peer": peer, "reason": reason.code, "count": count}, at_us))
        for (peer, reason), count in refused
    ]
    if leaves:
        with write(site.engine) as db:
            ledger.append(db, site.site, leaves)


def _forget_stays(site: Opened) -> None:
    """Forget stays, orders and on-call duties of long ago; stays are on record, and so is how many were forgotten."""
    now_us = micros(site.clock.now())
    with write(site.engine) as db:
        care_orders.forget_before(db, site.site, now_us)
        beds.forget_before(db, site.site, now_us)
        accesses.forget_duties(db, site.site, now_us)
        gone = care_room.forget_before(db, site.site, site.settings.people, now_us, _PURGE_ROWS)
        if gone.ended or gone.silent:
            body = {"ended": gone.ended, "silent": gone.silent}
            ledger.append(db, site.site, [prepare(Record("care.forgotten", body, now_us))])


def _take_openings(site: Opened) -> None:
    """Look at new openings and corrections, so that somebody reviews them; tell once of what waits too long."""
    now_us = micros(site.clock.now())
    review_us = int(site.settings.people.access_review_hours * 3_600_000_000)
    with write(site.engine) as db:
        accesses.take_in(db, site.site, site.authority, site.seen, review_us=review_us, now_us=now_us)
        accesses.tell_overdue(db, site.site, now_us)
    with write(site.engine) as db:
        disclosures.take_in(db, site.site, now_us)
    with write(site.engine) as db:
        disclosures.tell_overdue(db, site.site, now_us)


def _tell_notices(site: Opened) -> None:
    """Record notices to recipients that nobody answered in time."""
    with write(site.engine) as db:
        hours = site.settings.consent.notice_hours
        notices.tell_missing(db, site.site, hours=hours, now_us=micros(site.clock.now()))


def _keep_findings(site: Opened) -> None:
    """Note which suppressions of findings are over; forget findings that were cleared long ago."""
    now_us, woken = micros(site.clock.now()), 1
    while woken:
        with write(site.engine) as db:
            woken = findings.wake(db, site.site, now_us)
    before_us = now_us - site.settings.findings.cleared_days * _DAY_US
    with write(site.engine) as db:
        findings.forget(db, site.site, before_us, _PURGE_ROWS)


def _purge(site: Opened) -> None:
    """Forget what is past its time: message rows that only found duplicates, files of jobs, originals no link wants any longer."""
    now_us = micros(site.clock.now())
    before_us = now_us - site.settings.gateway.message_rows_days * _DAY_US
    with read(site.engine) as db:
        active = load_active(db, site.site, site.authority, site.seen)
    keep = active.bundle.keep if active else None
    with write(site.engine) as db:
        messages.delete_messages_before(db, before_us, _PURGE_ROWS)
        traffic.delete_before(db, site.site, before_us)
        jobs.forget(db, site.site, now_us - site.settings.deid.job_rows_days * _DAY_US, _PURGE_ROWS)
        gone = 0
        if keep is not None and keep.retention_days:
            until_us = now_us - keep.retention_days * _DAY_US
            gone = kept.delete_before(db, site.site, keep.id, until_us, _PURGE_ROWS)
        if gone:
            body = {"count": gone, "rule": f"link {keep.id}: {keep.retention_days} days" if keep else ""}
            ledger.append(db, site.site, [prepare(Record("original.removed", body, now_us))])
