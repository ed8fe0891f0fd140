"""The sections ``[watchdog]`` and ``[users]`` of the settings: processes, dataclasses as those in ``core.settings``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Watchdog:
    """When a process is taken for hanging (``serve`` ends it and starts it again), and a delivery for missing."""

    silent_s_max: float = 15.0  # a part of it has not moved for so long; 0 = off
    keeper_silent_s_max: float = 60.0  # the keeper copies and exchanges keys in one go
    start_s_max: float = 120.0  # it has not said a word since it was started
    delivery_minutes_max: float = (
        5.0  # a permit older than this that was neither delivered nor waits is a finding
    )


@dataclass(frozen=True, slots=True)
class Users:
    """Operating-system users of the processes, by name or number.

    With one each and a group, root's ``serve`` keeps them apart; empty runs all as the caller (``doctor`` says what
    that allows).
    """

    gateway: str = ""
    courier: str = ""
    keeper: str = ""
    app: str = ""
    portal: str = ""  # needed where the portal is on
    group: str = ""  # what they share: the database and, to read, sealed bodies
