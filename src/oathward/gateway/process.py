"""The gateway process: listeners, one committer, and an eye on what changes.

Rules:
- It is ready once keys, policy and devices are loaded and every port is open.
- The event loop frames, decides and seals; one thread commits. Nothing else writes on the hot path.
- It beats only while the event loop turns and the committing thread finishes what it was given.
- Consents and merges are looked at ten times a second; what else changes, twice.
- When bodies can no longer be written it ends itself: the supervisor starts one that reads the disk anew.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import ssl
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from oathward import ledger
from oathward.core.db import read, write
from oathward.core.errors import OathwardError, SettingsError, StorageError
from oathward.core.process import Status, raise_files, told_to_stop
from oathward.core.reasons import Reason
from oathward.gateway import effects, orders
from oathward.gateway.arrival import Prepared
from oathward.gateway.commit import Committer
from oathward.gateway.gate import Gate
from oathward.gateway.listeners import answers
from oathward.gateway.listeners.beside import Beside
from oathward.gateway.listeners.fhir.listener import FhirListener
from oathward.gateway.listeners.mllp.listener import MllpListener
from oathward.gateway.listeners.tls import server_context
from oathward.gateway.listeners.turns import Turns
from oathward.ledger import Record, prepare
from oathward.vault.opened import Opened

_REFRESH_S = 0.5
_HOUSE_S = 30.0
_SAID_MAX = 40
"""Looks while nothing can be read; a database that takes longer to answer is for the watchdog."""
_REFUSALS_S = 1.0
_GC_THRESHOLD = 50_000
"""Messages make few cycles; collecting rarely costs less than collecting often (profiled: 6 % of a message)."""

log = structlog.get_logger()


async def run(site: Opened) -> None:
    """Serve until told to stop, or until storage fails for good.

    Raises:
        StorageError: bodies cannot be written any more.
        OathwardError: ``port.taken``: another program listens where it should.
    """
    raise_files()
    gc.set_threshold(_GC_THRESHOLD, 20, 20)
    gate = Gate(site)
    gate.watch.start()
    with read(gate.engine) as db:
        gate.stores.discard_tails(db)
    loop = asyncio.get_running_loop()
    finished = _Finished(loop)
    group_max = site.settings.gateway.group_messages_max
    committer = WatchedCommitter(gate, finished.hand_over, group_max=group_max, loop=loop)
    turns, beside = Turns(), Beside(gate, site.settings.mllp)
    listener = MllpListener(gate, committer, site.settings.mllp, turns, beside)
    ports = await _listen(listener, site)
    fhir = FhirListener(gate, committer, site.settings.fhir, turns, beside)
    ports |= await _listen_fhir(fhir, site)
    status = Status(site.settings.run_folder_of("gateway"), "gateway")
    gc.collect()
    gc.freeze()
    _say(status, gate, committer, ports)
    tasks = [
        asyncio.create_task(_watch(gate, committer, status, ports)),
        asyncio.create_task(_record_refusals(gate)),
        asyncio.create_task(orders.watch(site)),
        asyncio.create_task(orders.watch_notices(gate)),
        asyncio.create_task(told_to_stop()),
    ]
    noting = effects.noting(gate)
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    status.write("stopping", ports=ports)
    await listener.stop()
    await fhir.stop()
    await beside.stop()
    await asyncio.to_thread(committer.stop)
    await asyncio.to_thread(_flush, gate)
    for task in (*tasks, noting):
        task.cancel()
    gate.close()
    status.remove()
    for task in done:
        task.result()


async def _listen(listener: MllpListener, site: Opened) -> dict[str, int]:
    try:
        with_tls = site.settings.mllp.tls_port >= 0
        return await listener.start(_tls(site, required=True) if with_tls else None)
    except OSError as error:
        mllp = site.settings.mllp
        if error.errno == errno.EADDRINUSE:
            why = f"port {mllp.port} or {mllp.tls_port} of {mllp.host} is taken; --port-base, or [mllp] port"
            raise OathwardError("gateway", why, reason=Reason.PORT_TAKEN) from error
        why = f"cannot listen on {mllp.host}: {error.strerror or 'no such address'}"
        raise SettingsError("[mllp] host or port", why) from error


async def _listen_fhir(listener: FhirListener, site: Opened) -> dict[str, int]:
    fhir = site.settings.fhir
    if fhir.port < 0:
        return {}
    tls = _tls(site, required=False)
    tls.set_alpn_protocols(["http/1.1"])
    try:
        return await listener.start(tls)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            why = f"port {fhir.port} of {fhir.host} is taken; --port-base, or [fhir] port"
            raise OathwardError("gateway", why, reason=Reason.PORT_TAKEN) from error
        why = f"cannot listen on {fhir.host}: {error.strerror or 'no such address'}"
        raise SettingsError("[fhir] host or port", why) from error


class WatchedCommitter(Committer):
    """A committer of which can be told, from the event loop, whether its thread moves."""

    def __init__(
        self,
        gate: Gate,
        done: Callable[[list[Prepared]], None],
        *,
        group_max: int,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._given = self._finished = self._finished_before = 0

        def counted(group: list[Prepared]) -> None:
            done(group)
            self._finished += len(group)

        super().__init__(gate, counted, group_max=group_max, loop=loop)

    def submit(self, prepared: Prepared) -> None:
        """Queue one message; its outcome comes through ``done``."""
        self._given += 1
        super().submit(prepared)

    def moves(self) -> bool:
        """Whether it finished anything since the last look, or had nothing to do."""
        finished, before = self._finished, self._finished_before
        self._finished_before = finished
        return finished != before or finished == self._given


class _Finished:
    """Brings committed groups from the committer's thread to the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def hand_over(self, group: list[Prepared]) -> None:
        """Called on the committer's thread."""
        self._loop.call_soon_threadsafe(answers.finished, group)


async def _watch(gate: Gate, committer: WatchedCommitter, status: Status, ports: dict[str, int]) -> None:
    """Take in changes, say how it goes, keep house."""
    house_in_s = _HOUSE_S
    while committer.fatal is None:
        await asyncio.sleep(_REFRESH_S)
        gate.trouble = ""  # what is still wrong says so again
        gate.forget_in_time()
        try:
            await _saying(asyncio.to_thread(gate.refresh), lambda: _say(status, gate, committer, ports))
            house_in_s -= _REFRESH_S
            if house_in_s <= 0:
                house_in_s = _HOUSE_S
                await asyncio.to_thread(_keep_house, gate)
        except (OathwardError, OSError) as error:
            gate.unhealthy(error)
        _say(status, gate, committer, ports)
    raise committer.fatal


async def _saying(work: Coroutine[Any, Any, None], say: Callable[[], None]) -> None:
    """Do something, and go on saying how it goes while a database lets it wait: for so long, then the silence is heard."""
    task = asyncio.ensure_future(work)
    for _ in range(_SAID_MAX):
        done, _pending = await asyncio.wait({task}, timeout=_REFRESH_S)
        if done:
            break
        say()
    await task


def _keep_house(gate: Gate) -> None:
    with read(gate.engine) as db:
        gate.stores.drop_used_up(db)
    gate.clock.persist()
    gate.traffic.flush(gate.engine, gate.site)


def _flush(gate: Gate) -> None:
    """Write the last counts; those of a disk that takes nothing are lost with the process."""
    try:
        gate.traffic.flush(gate.engine, gate.site)
    except StorageError as error:
        gate.unhealthy(error)


async def _record_refusals(gate: Gate) -> None:
    """Write refused connections, summed up (a flood is one record a second and reason), and findings of look-ups."""
    while True:
        await asyncio.sleep(_REFUSALS_S)
        refusals, gate.refusals = gate.refusals, Counter()
        findings, gate.findings = gate.findings, []
        if refusals or findings:
            try:
                await asyncio.to_thread(_write, gate, refusals, findings)
            except StorageError as error:
                gate.unhealthy(error)
                gate.refusals += refusals
                gate.findings += findings


def _write(gate: Gate, refusals: Counter[tuple[str, Reason]], findings: list[tuple[str, str]]) -> None:
    at_us = gate.now_us()
    worst = refusals.most_common(_REFUSAL_RECORDS_MAX)
    leaves = [
        prepare(Record("connection.refused", {"peer": peer, "reason": reason.code, "count": count}, at_us))
        for (peer, reason), count in worst
    ]
    leaves += [
        prepare(Record("finding.raised", {"finding": code, "about": about}, at_us))
        for code, about in dict.fromkeys(findings)
    ]
    with write(gate.engine) as db:
        ledger.append(db, gate.site, leaves)


_REFUSAL_RECORDS_MAX = 100


def _say(status: Status, gate: Gate, committer: WatchedCommitter, ports: dict[str, int]) -> None:
    if committer.moves():
        status.moved("writer")
    trouble = gate.trouble if gate.watch.fresh else Reason.CONSENT_UNREADABLE.code
    status.write(
        "unhealthy" if trouble else "ready",
        ports=ports,
        trouble=trouble,
        bundle=gate.bundle_name,
        waiting=committer.waiting,
        counts=dict(gate.counts),
    )


def _tls(site: Opened, *, required: bool) -> ssl.SSLContext:
    """TLS for devices, with the certificate the site's own CA gave this gateway."""
    trust = site.settings.data / "trust"
    files = (str(trust / name) for name in ("mllp.pem", "mllp.key", "device-ca.pem"))
    return server_context(*files, required=required)
