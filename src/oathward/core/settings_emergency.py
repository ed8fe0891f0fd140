"""Settings of the emergency copy; part of ``settings``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Emergency:
    """The emergency copy: the last proved state of each inpatient, for when this system is down or its data altered."""

    public_key_file: str = ""  # from `oathward emergency key`; a relative path is one in the data folder
    folder: str = ""  # where the keeper makes copies by itself: another disk, or one that another machine fetches from; empty: only when asked
    every_minutes: float = 15.0  # how often it does
    generations: int = 24  # copies kept in a folder; older ones are deleted
    hours: float = 8.0  # how far back values of a patient go
    messages_max: int = 200  # of one patient, the newest
    bytes_max: int = 2_147_483_648  # of one copy; each patient has the same share of it
