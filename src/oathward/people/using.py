"""When a role was last used: noted where something was permitted, once an hour a person and action.

Rules:
- A role counts as used where it alone would have permitted what was done: of two roles the one that was needed.
- What is noted is looked up in memory first; the small write comes at most once in ``NOTED_S``, in a transaction of its own.

Deliberately absent: what was used on whom; the ledger has openings and changes.
"""

from __future__ import annotations

import dataclasses
import threading

from sqlalchemy import Engine

from oathward.core.db import write
from oathward.people import granted_sql
from oathward.policy.access import PLAIN, Actor, Around, Permitted, Rules, Thing, decide

NOTED_S = 3_600
REMEMBERED_MAX = 50_000
SIGN_IN = "session.begin"
"""The action under which signing in is noted; it needs no role."""


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
        roles = [
            role.value
            for role in sorted(actor.roles)
            if isinstance(
                decide(rules, dataclasses.replace(actor, roles=frozenset({role})), action, thing, around),
                Permitted,
            )
        ]
        return self._write(actor.id, action, roles or [""], now_us)

    def sign_in(self, person: str, now_us: int) -> bool:
        """Note that somebody signed in."""
        return self._write(person, SIGN_IN, [""], now_us)

    def _due(self, person: str, action: str, now_us: int) -> bool:
        with self._guard:
            if now_us - self._noted.get((person, action), -NOTED_S * 2_000_000) < NOTED_S * 1_000_000:
                return False
            if len(self._noted) >= REMEMBERED_MAX:
                self._noted.clear()
            self._noted[person, action] = now_us
            return True

    def _write(self, person: str, action: str, roles: list[str], now_us: int) -> bool:
        with write(self._engine) as db:
            granted_sql.note_use(db, self._site, person, action, roles, now_us)
        return True
