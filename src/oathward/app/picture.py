"""The living picture in the background: house kept, sums given to whose addresses were learned late, types guessed and findings told when sources were read, and every hour.

Rules:
- At most one turn at a time, on a thread; one that fails is tried again at the next look, and the site goes on.
- Who is in use is said anew every minute (``observing.caring``).
- What it does is done again without harm: ``observe`` does the same after each run.

Deliberately absent: reading sources (``observe``), what is found (``mapping``).
"""

from __future__ import annotations

import asyncio
import time

import structlog

from oathward.core.db import read
from oathward.core.errors import OathwardError
from oathward.mapping import telling
from oathward.network import views
from oathward.observing import caring, guessing, identities, keeping, late
from oathward.vault.opened import Opened

FIRST_S = 120.0
LOOK_S = 300.0
CARE_S = 60.0
"""Who is in use is looked at so often."""

AGAIN_S = 3_600.0

log = structlog.get_logger()


class Picture:
    """When the living picture of a site was looked after last, and what was read then."""

    def __init__(self, site: Opened) -> None:
        self._site = site
        self._read_us, self._done_s = -1, 0.0

    def turn(self) -> bool:
        """Keep house and tell findings, where sources were read since or an hour is over; says whether it did.

        Raises:
            OathwardError, OSError: it could not be done; it is still due.
        """
        site = self._site
        with read(site.engine) as db:
            last = views.sources(db, site.site, limit=1)
        read_us = last[0].updated_us if last else 0
        if read_us == self._read_us and time.monotonic() - self._done_s < AGAIN_S:
            return False
        keeping.tidy(site)
        late.settle(site)
        guessing.guess(site)
        identities.tell(site)
        told = telling.tell_all(site)
        self._read_us, self._done_s = read_us, time.monotonic()
        if told.opened or told.reopened or told.cleared:
            log.info(
                "picture",
                opened=told.opened,
                reopened=told.reopened,
                cleared=told.cleared,
                cut=told.cut,
            )
        return True


async def run(site: Opened) -> None:
    """Look after it for as long as the process runs."""
    picture = Picture(site)
    await asyncio.sleep(FIRST_S)
    look_s = 0.0
    while True:
        try:
            await asyncio.to_thread(caring.tend, site)
            if time.monotonic() >= look_s:
                look_s = time.monotonic() + LOOK_S
                await asyncio.to_thread(picture.turn)
        except (OathwardError, OSError) as error:
            log.warning("picture", error=type(error).__name__)
        await asyncio.sleep(CARE_S)
