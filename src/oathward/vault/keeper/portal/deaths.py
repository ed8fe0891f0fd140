"""A death that an authoritative source told of ends every access to that patient's portal, by the keeper's own round each second.

Rules:
- It ends what was given before it was told. What staff give again afterwards stands: so a mistake is undone.
- It ends accesses to everyone the patient stands for: ending is the narrower answer, also where nobody confirmed a merge.
- Each end is a record, as every other (``giving``).
- One that cannot be ended now (its patient's accesses do not verify) keeps no other from being ended; all are asked again.

Deliberately absent: reading of messages (``gateway/care_deaths``).
"""

from __future__ import annotations

from oathward.core.db import read
from oathward.core.errors import OathwardError
from oathward.vault import deaths
from oathward.vault.keeper.keeper import Keeper
from oathward.vault.keeper.portal import giving, holders
from oathward.vault.keeper.proof import Person

_AGAIN_US = 600_000_000
"""Rows are looked at again for so long: one that came first may be stored later."""

BY = Person("registration", "a source that says who died")


class Deaths:
    """Looks for deaths that were told since the last time; all of them after a start."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._seen_us = 0

    def follow(self) -> None:
        """End what has to end.

        Raises:
            OathwardError: it cannot be read or stored now; asked again in a second.
        """
        keeper, since_us = self._keeper, max(0, self._seen_us - _AGAIN_US)
        with read(keeper.engine) as db:
            told = deaths.since(db, keeper.site, since_us)
        failed: OathwardError | None = None
        for subject, at_us in told:
            try:
                together = keeper.register.family(keeper, subject) if keeper.register else (subject,)
                for one in {subject, *together}:
                    if holders.seat_rows(keeper.store, subject=one):
                        giving.end_given_before(keeper, one, at_us, BY, "death")
            except OathwardError as error:
                failed = error
        if failed is not None:
            raise failed
        self._seen_us = max([self._seen_us, *(at_us for _, at_us in told)])
