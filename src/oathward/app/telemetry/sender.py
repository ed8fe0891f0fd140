"""Send numbers, and spans of some messages, to the one collector that the settings name.

Rules:
- It connects to ``[telemetry] endpoint`` and nowhere else: no proxy, no redirect, no variable of the environment.
- A collector that is away costs nothing but its numbers: the next turn sends new ones; spans are not kept for it.
- That it is away is said once, in the log and on the page Health; so is that it came back.

Deliberately absent: credentials for a collector (put one of your own on this machine, and let it have them), retries,
compression, gRPC.

Source: OpenTelemetry Protocol 1.x, "OTLP/HTTP": ``POST`` of ``/v1/metrics`` and ``/v1/traces``, binary Protobuf; 200.
"""

from __future__ import annotations

import asyncio
import importlib
import ssl
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import structlog

from oathward.app.metrics import Collector
from oathward.app.telemetry.traces import Traces
from oathward.core.clock import micros, wall_s
from oathward.core.errors import SettingsError
from oathward.core.settings import Telemetry
from oathward.courier.http_client import HttpConnection
from oathward.vault.opened import Opened

_CONNECT_S_MAX = 5.0
_TOOK = 200
NEEDS = "needs the extra: pip install 'oathward[otel]'"

log = structlog.get_logger()


class Sender:
    """One collector's connection.

    Raises:
        SettingsError: ``oathward[otel]`` is not installed, or the certificate file cannot be read.
    """

    def __init__(self, site: Opened) -> None:
        settings = site.settings.telemetry
        self._otlp = _otlp()
        self._site, self._every_s = site, settings.every_s
        self._collector = Collector(site)
        share = settings.traces_per_thousand
        self._traces = Traces(site, share) if share else None
        where = urlsplit(settings.endpoint)
        self._authority, self._path = where.netloc, where.path.rstrip("/")
        context = _context(site, settings) if where.scheme == "https" else None
        self._http = HttpConnection(
            where.hostname or "",
            where.port or (443 if context else 80),
            context=context,
            connect_timeout_s=_CONNECT_S_MAX,
            reply_timeout_s=settings.reply_timeout_s,
        )
        self._trouble: str | None = None

    async def run(self, did: dict[str, Any]) -> None:
        """Send for ever; ``did`` takes when it last went well, and what is wrong."""
        try:
            while True:
                await asyncio.sleep(self._every_s)
                trouble = await self.turn()
                if trouble != self._trouble:
                    self._trouble = trouble
                    (log.warning if trouble else log.info)("telemetry", trouble=trouble or "none")
                did["telemetry_trouble"] = trouble
                if not trouble:
                    did["telemetry_s"] = wall_s()
        finally:
            self._http.close()

    async def turn(self) -> str:
        """Send what there is now; gives what went wrong as a word, empty when nothing did."""
        numbers = await asyncio.to_thread(self._numbers)
        trouble = await self._post("/v1/metrics", numbers)
        if self._traces is not None:
            spans = await asyncio.to_thread(self._traces.turn)
            if spans and not trouble:
                trouble = await self._post("/v1/traces", self._otlp.traces(spans, self._site.site))
        return trouble

    def _numbers(self) -> bytes:
        at_us = micros(self._site.clock.now())
        written: bytes = self._otlp.metrics(self._collector.collect(), self._site.site, at_us)
        return written

    async def _post(self, path: str, body: bytes) -> str:
        head = (
            f"POST {self._path}{path} HTTP/1.1\r\nhost: {self._authority}\r\n"
            f"content-type: application/x-protobuf\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        try:
            await self._http.open()
            answer = await self._http.ask(head.encode("ascii") + body)
        except OSError as error:  # the text of one may hold anything; its class says enough
            return type(error).__name__
        return "" if answer.status == _TOOK else f"answer {answer.status}"


def _otlp() -> ModuleType:
    """Load what writes OTLP, now that somebody wants it.

    Raises:
        SettingsError: it is not installed.
    """
    try:
        return importlib.import_module("oathward.app.telemetry.otlp")
    except ModuleNotFoundError as error:
        raise SettingsError("[telemetry] endpoint", NEEDS) from error


def _context(site: Opened, settings: Telemetry) -> ssl.SSLContext:
    file = str(site.settings.data / settings.ca_file) if settings.ca_file else None
    try:
        context = ssl.create_default_context(cafile=file)
    except OSError as error:
        raise SettingsError("[telemetry] ca_file", f"cannot be read: {error.strerror or 'no PEM'}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
