"""How far the emergency copy is that somebody asked for: kept while it is made, and until another is asked for.

Deliberately absent: making (``making``), and who may ask (``operations/copies``).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oathward.core.errors import OathwardError


class Progress:
    """One run. ``id`` is told to whoever began it; who knows it may ask how far it is."""

    def __init__(self, id_: str) -> None:
        self.id = id_
        self.done = self.of = 0
        self.made: Mapping[str, Any] | None = None
        self.refused: OathwardError | None = None
        self.ended = threading.Event()

    def told(self, done: int, of: int) -> None:
        """Note how many patients are done, of how many."""
        self.done, self.of = done, of
