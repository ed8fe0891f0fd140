"""What the guard searches for in messages about one person, and what it already found clean of that.

Rules:
- One context per person, as told by the person-bearing segments; bounded, and emptied when the card changes.
- It holds patient values in memory: ``Guard.forget`` drops it.

Deliberately absent: searching (``guard``, ``search``), and where tokens come from (``tokens``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from oathward.gateway.guard.outlines import Outline
from oathward.gateway.guard.tokens import Tokens
from oathward.patients.model import WordKind

LINES_MAX = 64
OUTLINES_MAX = 512
NOTHING: frozenset[bytes] = frozenset()
NO_CLASSES: frozenset[str] = frozenset()
Weak = tuple[tuple[str, bytes], ...]
"""Weak tokens of a line: places, and the word where it is a short name that stands alone."""
_STRONG = frozenset((WordKind.IDENTIFIER, WordKind.TOKEN, WordKind.BIRTH))


@dataclass(slots=True)
class Context:
    """What is searched for, and the lines and outlines that were found clean of it.

    ``strong``: hashes of the card's strong tokens that the raw tokens do not cover. ``names``: of its names.
    """

    tokens: Tokens
    clear: frozenset[str] = NO_CLASSES
    card: Mapping[bytes, WordKind] = field(default_factory=dict)
    canaries: AbstractSet[bytes] = NOTHING
    strong: frozenset[bytes] = NOTHING
    names: frozenset[bytes] = NOTHING
    lines: dict[bytes, tuple[bytes, ...]] = field(default_factory=dict)
    outlines: dict[Outline, Weak] = field(default_factory=dict)
    plain: dict[bytes, Outline] = field(default_factory=dict)

    @property
    def searches(self) -> bool:
        """Say whether there are raw tokens to search for; on links for identity there are none."""
        tokens = self.tokens
        return bool(tokens.needles or tokens.names or tokens.births)

    def know(
        self, card: Mapping[bytes, WordKind], canaries: AbstractSet[bytes], token_hash: Callable[[str], bytes]
    ) -> None:
        """Take the card's words and the canaries; other ones than before make every line new."""
        if card is self.card and canaries is self.canaries:
            return
        if card != self.card or canaries != self.canaries:
            self._forget()
            strong = _STRONG - {WordKind.BIRTH} if "patient.birth-date" in self.clear else _STRONG
            self.strong = frozenset(hashed for hashed, kind in card.items() if kind in strong)
            self.strong -= {token_hash(token) for token in self.tokens.covered}
            self.names = frozenset(hashed for hashed, kind in card.items() if kind is WordKind.NAME)
        self.card, self.canaries = card, canaries

    def know_outline(self, facts: Outline, weak: Weak) -> None:
        """Note an outline without strong tokens, and the places of its weak ones.

        One without any that needs no more than a look at digits is found by its shape.
        """
        if len(self.outlines) >= OUTLINES_MAX:
            self._forget()
        self.outlines[facts] = weak
        if facts.plain and not weak:
            self.plain[facts.shape] = facts

    def remember(self, lines: Mapping[bytes, tuple[bytes, ...]]) -> None:
        """Note lines as clean, each with what must still be asked about: whose it is may change."""
        if len(self.lines) > LINES_MAX:
            self.lines.clear()
        self.lines.update(lines)

    def _forget(self) -> None:
        self.lines.clear()
        self.outlines.clear()
        self.plain.clear()
