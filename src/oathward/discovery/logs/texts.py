"""Lines of text out of a source, for observers that read them one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO

from oathward.core.reasons import Reason
from oathward.discovery.logs.blocks import blocks
from oathward.discovery.logs.gathering import Gathered
from oathward.discovery.model import Seen

LINE_LENGTH_MAX = 65_536
_STEPS = 5_000


class Lines:
    """The lines of a source, decoded; ``offset``: bytes of it whose lines were all given.

    Args:
        empty: whether empty lines are given: where they end a record.
    """

    def __init__(self, stream: BinaryIO, gathered: Gathered, *, empty: bool = False) -> None:
        self._empty = empty
        self._stream = stream
        self._gathered = gathered
        self.offset = 0

    def __iter__(self) -> Iterator[str]:
        for block in blocks(self._stream, self._gathered.refused):
            if not block.whole:
                self._gathered.refuse(Reason.OBSERVED_CUT, "line")
                self.offset = block.offset - len(block.data)
                return
            for part in block.parts():
                yield from self._lines(part.data)
                self.offset = part.offset

    def _lines(self, data: bytes) -> Iterator[str]:
        for raw in data[:-1].split(b"\n"):
            if len(raw) > LINE_LENGTH_MAX:
                self._gathered.refuse(Reason.OBSERVED_SIZE, "line")
            elif raw or self._empty:
                yield raw.decode("utf-8", "replace").rstrip("\r")


def parts(lines: Lines, steps: Iterable[None], gathered: Gathered) -> Iterator[Seen]:
    """Run a reader of lines to its end, giving what was gathered now and then: at least with each block, as what a socket had is one."""
    given = lines.offset
    for count, _ in enumerate(steps, 1):
        if gathered.is_something and (count % _STEPS == 0 or lines.offset != given):
            given = lines.offset
            yield gathered.part(lines.offset)
    yield gathered.part(lines.offset)
