"""What became of the sources of one run, for people and as JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class SourceReport:
    """What became of one source.

    Args:
        state: ``read``, ``known`` (nothing new in it), ``unknown`` (nobody reads it), ``empty``, ``skipped``, ``grown`` (read before, when it was shorter, and
            only to be read whole), ``failed``. why: of the last three, in words.
        flows: that it counts. sessions: rows that say more of flows which another source counts, or nobody: TLS, MQTT.
        named: a person named it, and not only the folder it lies in.
        refused: (reason code, place) -> how many things could not be read.
    """

    name: str
    state: str
    observer: str = ""
    words: str = ""
    why: str = ""
    flows: int = 0
    sessions: int = 0
    statements: int = 0
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    first_us: int = 0
    last_us: int = 0
    held_bytes: int = 0
    named: bool = False


@dataclass(slots=True)
class Report:
    """What became of all."""

    sources: list[SourceReport] = field(default_factory=list)
    clear: Counter[str] = field(default_factory=Counter)

    @property
    def refused(self) -> Counter[tuple[str, str]]:
        """Add up what could not be read."""
        return sum((one.refused for one in self.sources), Counter[tuple[str, str]]())

    def of(self, state: str) -> list[SourceReport]:
        """Give the sources of one state."""
        return [one for one in self.sources if one.state == state]
