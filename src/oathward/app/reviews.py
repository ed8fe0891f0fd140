"""Policy reviews in the background: each night, and when another bundle is in force.

Rules:
- At most one at a time, on a thread; one that fails is tried again in an hour, and the site goes on.
- The night is that of the server's clock, UTC.

Deliberately absent: the review (``oathward.reviewing``); signing off (the console).
"""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import orjson
import structlog

from oathward import activation, reviewing
from oathward.activation import Active
from oathward.core.db import read
from oathward.core.errors import OathwardError
from oathward.vault.opened import Opened

LOOK_S = 30.0
FIRST_S, FRESH_S = 120.0, 10.0
"""After a start, others come first; of a site that was never reviewed somebody waits to see it, and there is little to read."""

AGAIN_S = 3_600.0
HOUR = 2

log = structlog.get_logger()


class Reviews:
    """Of which bundle and night the last review was; a small file remembers it over a start."""

    def __init__(self, site: Opened) -> None:
        self._site = site
        self._path = site.settings.own_folder_of("app") / "app-reviews"
        self._active: Active | None = None
        self._done = _load(self._path)
        self.stop = threading.Event()

    @property
    def ever(self) -> bool:
        """Whether this site was reviewed before."""
        return bool(self._done[0])

    def run(self) -> bool:
        """Review, where the bundle in force or the night is another; says whether it did.

        Raises:
            OathwardError: it could not be done; it is still due.
        """
        now = self._now()
        if not now[0] or now == self._done:
            return False
        found = reviewing.run(self._site, stopped=self.stop.is_set)
        self._done = now
        _store(self._path, now)
        if found is not None and any(found.counts.values()):
            log.info("review", bundle=found.label, **found.counts)
        return True

    def _now(self) -> tuple[str, int]:
        site = self._site
        with read(site.engine) as db:
            self._active = activation.load_active(
                db, site.site, site.authority, site.seen, current=self._active
            )
        now = site.clock.now()
        night = now.toordinal() - (now.hour < HOUR)
        return (self._active.label if self._active else "", night)


async def run(site: Opened) -> None:
    """Review for as long as the process runs; one under way ends with it."""
    reviews = Reviews(site)
    try:
        await asyncio.sleep(FIRST_S if reviews.ever else FRESH_S)
        while True:
            wait_s = LOOK_S
            try:
                await asyncio.to_thread(reviews.run)
            except (OathwardError, OSError) as error:
                log.warning("review", error=type(error).__name__)
                wait_s = AGAIN_S
            await asyncio.sleep(wait_s)
    finally:
        reviews.stop.set()


def _load(path: Path) -> tuple[str, int]:
    try:
        value = orjson.loads(path.read_bytes())
        return str(value["bundle"]), int(value["night"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", 0


def _store(path: Path, done: tuple[str, int]) -> None:
    partial = path.with_suffix(f".{os.getpid()}.part")
    partial.write_bytes(orjson.dumps({"bundle": done[0], "night": done[1]}))
    partial.replace(path)
