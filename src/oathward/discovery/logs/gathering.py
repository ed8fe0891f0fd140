"""What an observer has gathered since it last gave a part.

Rules:
- What a source says again within ``AGAIN_US`` is said once: a log of DNS answers has the same ten thousand times a day. Memory of that is bounded;
  where it is full it begins anew, and things are said once more.
- A time that cannot be is refused, whatever it is the time of.
- A mark that names nobody (an empty one, an address of a group) is none; a statement without a mark is none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from oathward.core.reasons import Reason
from oathward.discovery.model import Around, Fact, Mark, MarkKind, Seen, Statement
from oathward.discovery.values import address, names_one

if TYPE_CHECKING:
    import polars as pl

AGAIN_US = 3_600_000_000
SAID_MAX = 50_000


class Gathered:
    """Statements, frames of flows and what was refused, until a part is taken."""

    def __init__(self, around: Around) -> None:
        self.around = around
        self.refused: Counter[tuple[Reason, str]] = Counter()
        self._statements: list[Statement] = []
        self._frames: list[pl.DataFrame] = []
        self._said: dict[object, int] = {}

    def refuse(self, reason: Reason, place: str, count: int = 1) -> None:
        """Count what cannot be read; 0 counts nothing."""
        if count:
            self.refused[reason, place] += count

    def in_time(self, at_us: int) -> bool:
        """Say whether a time can be; one that cannot is counted."""
        fine = self.around.from_us <= at_us <= self.around.until_us
        if not fine:
            self.refuse(Reason.OBSERVED_TIME, "time")
        return fine

    def say(
        self, at_us: int, source: str, marks: Iterable[Mark], facts: Iterable[Fact] = (), *, segment: str = ""
    ) -> None:
        """Take what a source says of one endpoint, unless it said the same of late; marks and facts without a value are left out."""
        kept = tuple(mark for mark in marks if mark.value)
        told = tuple(fact for fact in facts if fact.value)
        if not kept or not self.in_time(at_us):
            return
        key = (source, kept, told, segment)
        before = self._said.get(key)
        if before is not None and abs(at_us - before) < AGAIN_US:
            return
        if len(self._said) >= SAID_MAX:
            self._said.clear()
        self._said[key] = at_us
        self._statements.append(
            Statement(at_us, source, self.around.realm, kept, told, segment or self.around.segment)
        )

    def flows(self, frame: pl.DataFrame) -> None:
        """Take a frame with ``FLOW_COLUMNS``."""
        if frame.height:
            self._frames.append(frame)

    @property
    def is_something(self) -> bool:
        """Whether there is anything to give."""
        return bool(self._statements or self._frames or self.refused)

    def part(self, offset: int) -> Seen:
        """Take what was gathered, and begin anew; ``offset``: bytes of the source read so far, -1 where it has none."""
        import polars as pl

        frames = self._frames
        whole = frames[0] if len(frames) == 1 else pl.concat(frames) if frames else None
        seen = Seen(self._statements, whole, [], Counter(self.refused), offset)
        self._statements, self._frames = [], []
        self.refused.clear()  # the same counter goes on: who reads the source counts in it too
        return seen


def at(text: object) -> Mark:
    """Mark an endpoint by its address; one without a value where that is no single endpoint's."""
    kept = address(text) if isinstance(text, str) else ""
    return Mark(MarkKind.ADDRESS, kept if kept and names_one(kept) else "")
