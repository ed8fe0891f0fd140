"""An opened site as one role sees it: settings, database, time, keeper, trust."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine

from oathward.core.clock import Clock
from oathward.core.settings import Settings
from oathward.vault.authority import Seen
from oathward.vault.keeper.client import Client
from oathward.vault.sign import Verifier


@dataclass(frozen=True, slots=True)
class Opened:
    """What one process has of its site.

    Args:
        role: ``gateway``, ``courier``, ``app`` or ``admin`` (a command).
        keeper: answers what this role may ask.
        authority: checks everything the keeper signed.
        seen: the newest versions of signed documents this process knows of.
    """

    settings: Settings
    role: str
    engine: Engine
    clock: Clock
    keeper: Client
    authority: Verifier
    seen: Seen

    @property
    def site(self) -> str:
        """The site's name, as it stands in every row."""
        return self.settings.site.name
