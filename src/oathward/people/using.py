"""When a role was last used: noted where something was permitted, once an hour a person and action.

Rules:
- A role counts as used where it alone would have permitted what was done, and nobody without a role may do it.
- What is noted is looked up in memory first; the small write comes at most once in ``NOTED_S``, in a transaction of its own.
- Where it cannot be written, what was permitted is done all the same.

Deliberately absent: what was used on whom; the ledger has openings and changes.
"""

from __future__ import annotations

import dataclasses
import threading

from sqlalchemy import Engine

from oathward.core.db import write
from oathward.core.errors import StorageError
from oathward.core.labels import Role
from oathward.people import granted_sql
from oathward.policy.access import PLAIN, Actor, Around, Permitted, Rules, Thing, decide

NOTED_S = 3_600
REMEMBERED_MAX = 50_000


class Uses:
    """Uses of one site, as one process notes them; safe in threads."""

    def __init__(self, engine: Engine, site: str) -> None:
        self._engine, self._site = engine, site
        self._guard = threading.Lock()
        self._noted: dict[tuple[str, str], int] = {}

    def note(
        self, rules: Rules, actor: Actor, action: str, thing: Thing, now_us: int, around: Around = PLAIN
    ) -> bool:
        """Note that somebody was permitted something; says whether it was written."""
        if not actor.id or not self._due(actor.id, action, now_us):
            return False

        def permits(*roles: Role) -> bool:
            one = dataclasses.replace(actor, roles=frozenset(roles))
            return isinstance(decide(rules, one, action, thing, around), Permitted)

        roles = [] if permits() else [role.value for role in sorted(actor.roles) if permits(role)]
        if not roles:
            return False
        try:
            with write(self._engine) as db:
                granted_sql.note_use(db, self._site, actor.id, action, roles, now_us)
        except StorageError:
            with self._guard:
                self._noted.pop((actor.id, action), None)  # the next one is written
            return False
        return True

    def _due(self, person: str, action: str, now_us: int) -> bool:
        with self._guard:
            last = self._noted.get((person, action))
            if last is not None and now_us - last < NOTED_S * 1_000_000:
                return False
            if len(self._noted) >= REMEMBERED_MAX:
                self._noted.clear()
            self._noted[person, action] = now_us
            return True
