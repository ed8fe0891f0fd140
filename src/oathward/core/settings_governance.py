"""The section ``[governance]`` of the settings, a dataclass as those in ``core.settings``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Governance:
    """The governance register, and what counts as late."""

    controller: str = ""  # who answers for all of it in law, with address: for the record of processing
    representative: str = ""  # of the controller in the Union, where it needs one
    protection_officer: str = ""  # data protection officer, with how to reach them
    country: str = ""  # of this site, ISO 3166 code: a recipient elsewhere is a transfer
    late_s: float = 300.0  # a message older than this when it comes is late; newer by as much is ahead
    review_days: int = 365  # an entry that becomes active without a day of review is due after so long
    soon_days: int = 30  # what ends within so long is a finding already
