"""Whether a delivery that a person would have tried again may go at all: what the courier would say of it, asked before.

Rules:
- Asked as at delivery (``recheck``), of the policy in force and of what its people say now.
- What cannot be told now is no refusal: the courier asks again, and waits.

Deliberately absent: the recipient's own refusals; whether it takes it now, only a try tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.activation import load_active
from oathward.consent.views import Consents
from oathward.core.clock import Clock, micros
from oathward.core.db import read
from oathward.core.reasons import Reason
from oathward.courier.recheck import Now, refused_now
from oathward.messages.model import OutboxRow
from oathward.patients import views as patients
from oathward.plans import Plans
from oathward.vault.authority import Seen

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from oathward.vault.sign import Verifier


class Again:
    """Asks about rows of one site; called like a function. ``seen``: where the caller knows the newest versions."""

    def __init__(
        self, engine: Engine, site: str, authority: Verifier, clock: Clock, seen: Seen | None = None
    ) -> None:
        self._engine, self._site, self._authority, self._clock = engine, site, authority, clock
        self._seen = seen or Seen()

    def __call__(self, row: OutboxRow) -> Reason | None:
        """Say why it would be dead again at once; None where it would be tried.

        Raises:
            AuthorityError: what was signed does not verify.
        """
        with read(self._engine) as db:
            active = load_active(db, self._site, self._authority, self._seen)
            if active is None:
                return None
            families = {one: patients.family(db, self._site, one) for one in row.persons}
            consents = Consents(self._site, self._authority, self._seen, family=families.__getitem__)
            at_us, sure = micros(self._clock.now()), self._clock.sure()
            plans, facts = (
                Plans(active.bundle.profiles),
                {row.persons: consents.of(self._engine, row.persons)},
            )
            return _why(
                db, self._site, row, Now(active.bundle, active.label, plans, facts, at_us, clock_sure=sure)
            )


def _why(db: Connection, site: str, row: OutboxRow, now: Now) -> Reason | None:
    found = refused_now(db, site, row, now)
    return found if isinstance(found, Reason) else None
