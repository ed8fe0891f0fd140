"""What the courier hands around."""

from __future__ import annotations

from dataclasses import dataclass

from oathward.core.reasons import Reason
from oathward.messages.model import OutboxRow

GRACE_S = 0.5
"""After it was seen that a delivery may not be sent any more, how long its answer may still come."""


@dataclass(slots=True)
class Item:
    """One delivery in memory: its row and the opened body, ready for the wire.

    ``conflicts``: how often the recipient said that it clashes with what it has.
    """

    row: OutboxRow
    body: bytes
    attempts: int = 0
    sent_at_s: float = 0.0
    conflicts: int = 0


@dataclass(frozen=True, slots=True)
class Delivered:
    """The recipient has it: its answer code (``AA``, ``CA``, ``file``, ``201``).

    ``receipt``: digest of what it answered, where the wire has more than a code.
    """

    answer: str
    receipt: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """This try did not deliver.

    Args:
        refused: the recipient said no to this very message; otherwise it is away, for all of them.
        final: asking again would not change its mind.
        pause_s: how long it asks to be left alone, at least.
        answer: its answer code, where it gave one.
        codes: what it says is wrong, as codes of a published list.
        unsent: nothing of it can have reached the recipient.
    """

    reason: Reason
    refused: bool = False
    final: bool = False
    pause_s: float = 0.0
    answer: str = ""
    codes: tuple[str, ...] = ()
    unsent: bool = False


Result = Delivered | Failed
