"""What the courier hands around."""

from __future__ import annotations

from dataclasses import dataclass

from oathward.core.reasons import Reason
from oathward.messages.model import OutboxRow


@dataclass(slots=True)
class Item:
    """One delivery in memory: its row and the opened body, ready for the wire."""

    row: OutboxRow
    body: bytes
    attempts: int = 0
    sent_at_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Delivered:
    """The recipient has it: its answer code (``AA``, ``CA``, ``file``)."""

    answer: str


@dataclass(frozen=True, slots=True)
class Failed:
    """This try did not deliver. ``refused``: the recipient said no to this very message."""

    reason: Reason
    refused: bool = False


Result = Delivered | Failed
