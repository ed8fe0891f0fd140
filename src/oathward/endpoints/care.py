"""Whether an endpoint is in use for somebody now, by the clinical data that it sends. Pure.

Silence says something only where a sensor listens; elsewhere nobody knows. Who takes a device asks the unit all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from oathward.endpoints.picture import MINUTE_US

IN_USE_US = 10 * MINUTE_US
"""Whoever sent clinical data within this is in use."""


class Care(StrEnum):
    """Whether an endpoint is in use for somebody now."""

    IN_USE = "in use"
    IDLE = "idle"
    UNKNOWN = ""


def care(clinical_us: Iterable[int], now_us: int, *, watched: bool) -> Care:
    """Say whether an endpoint is in use now.

    Args:
        clinical_us: when it sent clinical data (observations, alarms, images), microseconds UTC. watched: whether a sensor that would see it is at work.
    """
    last = max((at for at in clinical_us if at <= now_us + IN_USE_US), default=0)
    if last and now_us - last <= IN_USE_US:
        return Care.IN_USE
    return Care.IDLE if watched else Care.UNKNOWN
