"""Figures of a job, entry by entry: for its report, and for how far it is.

Rules:
- An entry that stands in place of an earlier one takes that one's figures out: what was taken back was not written.

Deliberately absent: which files; what the search afterwards found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Self

from oathward.deidentifying.journal import Entry

UNKNOWN = "unknown"


class Sums:
    """Files by format, values by class, and reasons, over the entries that were added.

    Each counter gives a name's count; ``formats`` has one a format: files, written, held, units, units_held, bytes_in, bytes_out.
    """

    def __init__(self) -> None:
        self.files: Counter[str] = Counter()
        self.formats: dict[str, Counter[str]] = {}
        self.removed: Counter[str] = Counter()
        self.changed: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Self:
        """Add up entries."""
        sums = cls()
        for one in entries:
            sums.add(one)
        return sums

    def add(self, one: Entry, instead: Entry | None = None) -> None:
        """Add an entry; ``instead``: the one in whose place it stands."""
        if instead is not None:
            self._count(instead, -1)
        self._count(one, 1)

    def _count(self, one: Entry, sign: int) -> None:
        whole = {"files": 1, "written": one.written, "held": not one.written}
        partly = one.written and bool(one.held)
        more = {
            "units": one.units,
            "units_held": sum(1 for unit, *_ in one.held if unit >= 0),
            "bytes_in": one.bytes_in,
            "bytes_out": one.bytes_out,
        }
        _add(self.files, {**whole, "partly_held": partly}, sign)
        _add(self.formats.setdefault(one.format or UNKNOWN, Counter()), whole | more, sign)
        if one.written:
            _add(self.removed, one.removed, sign)
            _add(self.changed, one.changed, sign)
        _add(self.reasons, dict.fromkeys({code for _, code, _ in one.held}, 1), sign)


def _add(sums: Counter[str], counts: Mapping[str, int], sign: int) -> None:
    for name, count in counts.items():
        sums[name] += sign * count
