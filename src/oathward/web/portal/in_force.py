"""The policy in force, as the portal has it: read anew for each page, compiled once a version.

Deliberately absent: what a patient said under it (``choosing``).
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from oathward.activation import Active, load_active
from oathward.core.db import read

if TYPE_CHECKING:
    from oathward.policy.bundle import Bundle
    from oathward.vault.opened import Opened


class InForce:
    """The bundle in force, of one site; safe in threads."""

    def __init__(self, site: Opened) -> None:
        self._site = site
        self._current: Active | None = None
        self._guard = threading.Lock()

    def now(self) -> Bundle | None:
        """Give it; none where none was ever activated; raises as ``active``."""
        active = self.active()
        return active.bundle if active is not None else None

    def active(self) -> Active | None:
        """Give it with its version, and since when.

        Raises:
            AuthorityError: it does not verify, is older than one seen, or cannot be used.
        """
        site = self._site
        with self._guard, read(site.engine) as db:
            self._current = load_active(db, site.site, site.authority, site.seen, current=self._current)
            return self._current
