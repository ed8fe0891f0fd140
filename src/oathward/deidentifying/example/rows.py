"""What an example shows: rows of before and after, and how those of one format are found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, NamedTuple, TypeVar

from oathward.core.registry import collect
from oathward.deid import words
from oathward.deid.action import Seeds
from oathward.deid.profile import Profile
from oathward.deidentifying.example.story import Story

What = Literal["kept", "changed", "removed", "added"]

ADDED = "did not come: it says what was done, or makes the document valid"
BELONGS = "goes with what it belongs to: alone it would say something else"
NOTHING_LEFT = "of this value nothing is left"
ALREADY = "this value is so already"
ANEW = "made anew for what leaves"


class Row(NamedTuple):
    """One value, or one run of a text.

    Args:
        place: where it stands, as the standard says it. name: of the place in words, where the standard has some.
        cls: element class; about: in words. before, after: empty where there is none.
        action: what the profile does with the class; why: in words, for this value.
    """

    place: str
    name: str
    cls: str
    about: str
    before: str
    after: str
    what: What
    action: str
    why: str


class Run(NamedTuple):
    """A run of a text before and after; all runs together are both texts."""

    before: str
    after: str
    what: What


class Value(NamedTuple):
    """One value of a document: where, what it is, as text."""

    place: str
    cls: str
    text: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """One format's example.

    Args:
        title: of the format, as people say it. name: of the file, by which a format may be recognised.
        told: story -> the document as it comes.
        rows: (before, after or None where it is held, the profile, its plan, the seeds) -> rows.
        document: bytes -> text for reading; empty where it is none.
        runs: the text with its changed runs, of formats that are text alone.
    """

    title: str
    name: str
    told: Callable[[Story], bytes]
    rows: Callable[[bytes, bytes | None, Profile, Any, Seeds], Sequence[Row]]
    document: Callable[[bytes], str]
    runs: Callable[[bytes, bytes | None, Profile, Any, Seeds], Sequence[Run]] | None = field(default=None)


@cache
def examples() -> Mapping[str, Example]:
    """Collect the examples: name of the format -> its example."""
    found = collect("oathward.deidentifying.example", "EXAMPLE")
    return {name: part for name, part in found.items() if isinstance(part, Example)}


class Reasons:
    """Says why a value became what it did, in the words of its class."""

    def __init__(self, profile: Profile) -> None:
        self._said = {one.cls: one for one in words.said(profile)}

    def row(self, before: Value | None, after: Value | None, *, why: str = "") -> Row:
        """Make the row of one value: what it was, what leaves, and why.

        Args:
            why: the format's own words, where it is not the class alone that decides.
        """
        told = before or after
        assert told is not None
        old, new = before.text if before else "", after.text if after else ""
        what: What = "added" if not old else "removed" if not new else "kept" if old == new else "changed"
        said = self._said[told.cls]
        why = why or self._why(said, what)
        return Row(told.place, told.name, told.cls, said.what, old, new, what, said.action, why)

    def becomes(self, cls: str) -> str:
        """Say what becomes of a class."""
        return self._said[cls].becomes

    @staticmethod
    def _why(said: words.Said, what: What) -> str:
        stays, goes = said.action in ("keep", "pass"), said.action in (words.REMOVED, "hold")
        if what == "added":
            return ADDED
        if what == "removed":
            return said.becomes if goes else BELONGS if stays else f"{said.becomes}; {NOTHING_LEFT}"
        if what == "kept":
            return said.becomes if stays else f"{said.becomes}; {ALREADY}"
        return said.becomes if not stays and not goes else ANEW


T = TypeVar("T")
Alike = Callable[[T, T], int]
"""How alike two things are: 0 where one cannot be what became of the other."""


def aligned(before: Sequence[T], after: Sequence[T], alike: Alike[T]) -> list[tuple[T | None, T | None]]:
    """Pair what came with what leaves, in order, so that pairs are as alike as can be; alone is what has no other."""
    best = [[0] * (len(after) + 1) for _ in range(len(before) + 1)]
    for i in range(len(before) - 1, -1, -1):
        for j in range(len(after) - 1, -1, -1):
            both = alike(before[i], after[j])
            together = best[i + 1][j + 1] + both if both else 0
            best[i][j] = max(together, best[i + 1][j], best[i][j + 1])
    found: list[tuple[T | None, T | None]] = []
    i = j = 0
    while i < len(before) and j < len(after):
        both = alike(before[i], after[j])
        if both and best[i][j] == best[i + 1][j + 1] + both:
            found.append((before[i], after[j]))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            found.append((before[i], None))
            i += 1
        else:
            found.append((None, after[j]))
            j += 1
    return [*found, *((one, None) for one in before[i:]), *((None, one) for one in after[j:])]


def paired(before: Mapping[str, Value], after: Mapping[str, Value], reasons: Reasons) -> Iterable[Row]:
    """Give the rows of values that stand at the same place before and after; what was added stands behind."""
    for place, value in before.items():
        yield reasons.row(value, after.get(place))
    for place, value in after.items():
        if place not in before:
            yield reasons.row(None, value)
