"""Committed groups to the connections that wait for them, whatever they speak.

Rules:
- Each connection of a group is asked once to send what has its outcome.
- An answer that fails, which is a bug of ours, leaves the others answered.

Deliberately absent: what an answer is; a connection writes its own.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import cast

from oathward.gateway.arrival import Prepared
from oathward.gateway.listeners.beside import Sender


def finished(group: list[Prepared]) -> None:
    """Answer a committed group; runs on the event loop."""
    _answer(deque(dict.fromkeys(cast("Sender", prepared.owner) for prepared in group)))


def _answer(senders: deque[Sender]) -> None:
    try:
        while senders:
            senders.popleft().answer()
    finally:  # also where an answer raised: the others go on
        if senders:
            asyncio.get_running_loop().call_soon(_answer, senders)
