"""What a run gives the living inventory, and what it is told back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from oathward.core.clock import micros
from oathward.core.db import read
from oathward.discovery.model import Statement
from oathward.endpoints import actions, views
from oathward.network import views as network
from oathward.observing import guessing, identities, late

if TYPE_CHECKING:
    import polars as pl

    from oathward.endpoints.model import ConflictRow
    from oathward.vault.opened import Opened


CHANGED_MAX = 20_000
"""Endpoints of which a run remembers that they were seen, until their types are guessed."""


class Living:
    """The living inventory of a site, as a run sees it. ``by``: who had the sources read."""

    def __init__(self, site: Opened, by: str) -> None:
        self._site, self._by = site, by
        self._counts: Counter[str] = Counter()
        self._conflicts: dict[str, ConflictRow] = {}
        self._changed = set[str]()

    def take(self, statements: Sequence[Statement]) -> None:
        """Take statements in."""
        site = self._site
        with read(site.engine) as db:
            late_us = network.newest_us(db, site.site)
        now_us = micros(site.clock.now())
        taken = actions.take(site.engine, site.site, statements, now_us, self._by, late_us=late_us)
        self._counts.update(taken.counts)
        self._conflicts |= {one.id: one for one in taken.conflicts}
        self._changed |= taken.changed
        if len(self._changed) >= CHANGED_MAX:  # a run without end
            self.guess_types()

    def holders(self, asked: pl.DataFrame) -> pl.DataFrame:
        """Give the endpoint that held each address in an hour."""
        with read(self._site.engine) as db:
            return views.holders(db, self._site.site, asked)

    def settle(self) -> int:
        """Give sums of flows to the devices whose addresses were learned late; gives how many totals of an hour went."""
        given = late.settle(self._site)
        self._changed |= given.touched
        return given.hours

    def guess_types(self) -> int:
        """Guess the types of endpoints that were seen since; gives how many guesses are others now."""
        changed, self._changed = self._changed, set()
        return guessing.guess(self._site, changed)

    def raise_findings(self) -> int:
        """Tell findings of identities that are claimed twice; gives how many are new or back."""
        told = identities.tell(self._site)
        return told.opened + told.reopened

    def counts(self) -> dict[str, int]:
        """Say what became of statements; ``sightings``: those of sources, and those that flows make of the addresses in them."""
        return {"sightings" if name == "statements" else name: count for name, count in self._counts.items()}

    def conflicts(self) -> list[ConflictRow]:
        """List the conflicts of identity that were seen."""
        return list(self._conflicts.values())
