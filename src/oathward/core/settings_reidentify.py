"""Settings of finding out whose a pseudonym is: ``[reidentify]``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reidentify:
    """Two people find out whose a pseudonym of a project is."""

    waiting_days: int = 7  # so long a request waits for the second person; then it has ended
    show_hours: int = 24  # so long who asked may look, once, after the second person agreed
    open_max: int = 5  # of one person that wait or were agreed to; one more is refused
