"""The section ``[consent]`` of the settings, a dataclass as those in ``core.settings``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Consent:
    """How soon a change of consents is seen, and what is done about it."""

    poll_ms: float = 100.0  # how often each process looks whether consents or merges changed
    notice_hours: float = 24.0  # how long a recipient has to answer a notice of what a patient allows it, before that is a finding
