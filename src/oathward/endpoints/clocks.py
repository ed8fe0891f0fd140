"""A sensor's clock that ran ahead for a while: what DHCP gave meanwhile is put back to when its log had got to. Pure.

Rules:
- A log of DHCP is written as things happen. A record more than ``AHEAD_US`` later than the one before it begins a run that was ahead, where the log comes back to
  the time before it within ``RUN_MAX`` records, and goes on from there for ``AFTER_MIN`` records at least. Where it does not come back, nobody was heard for so long.
- What was ahead is of the time of the last record before it: a renewal of six hours later would be one of a card that is in two places.

Deliberately absent: sources that tell when something began (connections), whose order says nothing; a clock that fell back, which is as an archive that is read late.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from oathward.discovery.model import Statement
from oathward.endpoints.fronting import DHCP
from oathward.endpoints.picture import HOUR_US, SKEW_US

AHEAD_US = HOUR_US
RUN_MAX = 2_000
AFTER_MIN = 3


def steadied(statements: Sequence[Statement]) -> list[Statement]:
    """Give statements, in the order they were read, with the times of those that were ahead put back."""
    found = list(statements)
    logs: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, said in enumerate(found):
        if said.source.endswith(DHCP):
            logs[said.realm, said.source].append(place)
    for places in logs.values():
        times = [found[place].at_us for place in places]
        for begin, end in _ahead(times):
            for place in places[begin:end]:
                found[place] = replace(found[place], at_us=times[begin - 1])
    return found


def _ahead(times: Sequence[int]) -> list[tuple[int, int]]:
    """Find the runs that were ahead: from, until (exclusive)."""
    found, at = list[tuple[int, int]](), 1
    while at < len(times):
        end = _back(times, at) if times[at] - times[at - 1] > AHEAD_US else 0
        if end:
            found.append((at, end))
        at = max(at, end) + 1
    return found


def _back(times: Sequence[int], begin: int) -> int:
    """Say where a log is back at the time it had before a place; 0 where it does not come back."""
    before, bound = times[begin - 1], times[begin] - AHEAD_US
    for end in range(begin + 1, min(begin + RUN_MAX, len(times) - AFTER_MIN + 1)):
        if times[end] < bound:
            after = times[end : end + AFTER_MIN]
            return end if all(before - SKEW_US <= one < bound for one in after) else 0
    return 0
