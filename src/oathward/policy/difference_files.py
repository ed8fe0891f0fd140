"""What a new bundle changes in its files, line by line: for whoever wants to read what the words were made of.

Rules:
- A line that is gone begins with ``-``, one that came with ``+``, one that stays with a space: nothing depends on colour.
- Bounded: lines of a file, lines of all files, characters of a line; what was cut off is counted and said.
- Too many lines to compare are told as all gone and all new, which is true too.

Deliberately absent: what follows from it (``difference`` says that in words), and characters that are not seen (``files``
lets none in).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

FILE_LINES_MAX = 400
ALL_LINES_MAX = 2_000
LINE_LENGTH_MAX = 400
COMPARED_LINES_MAX = 1_000
"""Of one side of one file, less what is the same at its begin and its end: comparing takes longer than linear time."""
AROUND = 3
"""Lines that stay shown around those that change."""

Mark = Literal["+", "-", " ", "@"]


class Line(NamedTuple):
    """One line as it is shown. ``mark``: ``@`` where lines are left out before the next one."""

    mark: Mark
    text: str


@dataclass(frozen=True, slots=True)
class FileChange:
    """What is otherwise in one file. ``cut``: lines of the difference that are not shown."""

    path: str
    what: Literal["new file", "file taken out", "changed"]
    gone: int
    came: int
    lines: tuple[Line, ...]
    cut: int

    @property
    def words(self) -> str:
        """Say how much it is."""
        counts = [
            f"{count:,} {_lines(count)} {word}"
            for count, word in ((self.came, "more"), (self.gone, "less"))
            if count
        ]
        return f"{self.what}: {', '.join(counts) or 'only its end'}"


def by_line(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> tuple[FileChange, ...]:
    """Say what is otherwise in each file that is; by path."""
    room, found = ALL_LINES_MAX, []
    for path in sorted(before.keys() | after.keys()):
        if before.get(path) != after.get(path):
            found.append(_file(path, before.get(path), after.get(path), min(room, FILE_LINES_MAX)))
            room -= len(found[-1].lines)
    return tuple(found)


def _file(path: str, before: bytes | None, after: bytes | None, room: int) -> FileChange:
    old, new = ([] if side is None else side.decode().splitlines() for side in (before, after))
    lines = list(_told(old, new))
    count = {mark: sum(line.mark == mark for line in lines) for mark in "+-"}
    what = "new file" if before is None else "file taken out" if after is None else "changed"
    return FileChange(path, what, count["-"], count["+"], tuple(lines[:room]), max(0, len(lines) - room))  # type: ignore[arg-type]  # one of the three


def _told(old: Sequence[str], new: Sequence[str]) -> Iterator[Line]:
    """Give the lines that change with some around them."""
    for group in _groups(old, new):
        if group[0][3] or group[0][1]:
            yield Line("@", f"line {group[0][3] + 1}")
        for tag, a, b, c, d in group:
            if tag == "equal":
                yield from (Line(" ", _short(text)) for text in new[c:d])
            else:
                yield from (Line("-", _short(text)) for text in old[a:b])
                yield from (Line("+", _short(text)) for text in new[c:d])


def _groups(old: Sequence[str], new: Sequence[str]) -> list[list[tuple[str, int, int, int, int]]]:
    head = _same(old, new)
    tail = _same(old[head:][::-1], new[head:][::-1])
    a, b, low, high = len(old) - tail, len(new) - tail, max(0, head - AROUND), min(tail, AROUND)
    if max(a, b) - head > COMPARED_LINES_MAX:
        parts = [
            ("equal", low, head, low, head),
            ("replace", head, a, head, b),
            ("equal", a, a + high, b, b + high),
        ]
        return [parts]
    found = SequenceMatcher(None, old[low : a + high], new[low : b + high]).get_grouped_opcodes(AROUND)
    return [[(tag, i + low, j + low, k + low, n + low) for tag, i, j, k, n in group] for group in found]


def _same(old: Sequence[str], new: Sequence[str]) -> int:
    """Count the lines that are the same from the begin."""
    pairs = zip(old, new, strict=False)
    return next((n for n, (one, other) in enumerate(pairs) if one != other), min(len(old), len(new)))


def _short(text: str) -> str:
    more = len(text) - LINE_LENGTH_MAX
    return text if more <= 0 else f"{text[:LINE_LENGTH_MAX]} … and {more:,} more characters of this line"


def _lines(count: int) -> str:
    return "line" if count == 1 else "lines"
