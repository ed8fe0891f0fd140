"""Score spans against gold marks: how many marks are covered whole, how much of what is clean is covered too.

Rules:
- A mark is found where every word of it is covered, by spans of whatever class: half a name is a name.
- Clean words are those that nobody marked; words marked as something that is no identifier count on neither side.
- Intervals are Wilson's, 95 %.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bench.textcorpora import Case, Gold
from oathward.deid.text.tokens import tokens

Z = 1.959964


@dataclass
class Score:
    """Counts over cases: ``found[category] of marked[category]``, ``over`` of ``clean`` words."""

    found: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    marked: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    over: int = 0
    clean: int = 0

    def add(self, case: Case, spans: Iterable[tuple[int, int]]) -> list[Gold]:
        """Count one case; gives the marks that were missed."""
        covered = bytearray(len(case.text))
        for start, end in spans:
            covered[start:end] = b"\1" * (end - start)
        words = tokens(case.text)
        places = list(zip(words.starts, words.ends, strict=True))
        missed = []
        for gold in case.gold:
            self.marked[gold.category] += 1
            inside = [(max(a, gold.start), min(b, gold.end)) for a, b in places]
            if all(all(covered[a:b]) for a, b in inside if a < b):
                self.found[gold.category] += 1
            else:
                missed.append(gold)
        named = bytearray(len(case.text))
        for mark in (*case.gold, *case.beside):
            named[mark.start : mark.end] = b"\1" * (mark.end - mark.start)
        clean = [(a, b) for a, b in places if not any(named[a:b])]
        self.clean += len(clean)
        self.over += sum(any(covered[a:b]) for a, b in clean)
        return missed


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Give the 95 % interval of a share; the whole range where there is nothing."""
    if not of:
        return 0.0, 1.0
    share, z2 = hits / of, Z * Z
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = Z * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of)) / (1 + z2 / of)
    return middle - half, middle + half


def lines(score: Score, order: Sequence[str]) -> list[tuple[str, int, int, float, float]]:
    """Give (category, found, marked, low, high) for those that are marked at all, then what of the clean words went."""
    rows = [(c, score.found[c], score.marked[c]) for c in order if score.marked[c]]
    return [
        (name, hits, of, *wilson(hits, of)) for name, hits, of in (*rows, ("over", score.over, score.clean))
    ]
