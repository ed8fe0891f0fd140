"""What the guard searches for in messages about one person, and what it already found clean of that.

Rules:
- One context per person, as told by the person-bearing segments, and per set of classes that may pass; one for all
  links that carry identity, where nobody's own words are searched for.
- It is bounded, and emptied when the card changes or outlines are dropped. What is known clean is an *outline*:
  digits are searched for in each payload (``may_hold_number``), letters once.
- It holds patient values in memory: ``Guard.forget`` drops it.

Deliberately absent: searching (``check``, ``search``), and where tokens come from (``tokens``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from oathward.gateway.guard.normalise import NO_UUID, outline, squeeze
from oathward.gateway.guard.outlines import Line, Outline
from oathward.gateway.guard.tokens import Tokens, without_longer
from oathward.patients.model import WordKind

OUTLINES_MAX = 512
OUTLINES_OF_ALL_MAX = 16_384
"""Outlines known in the context that all patients share."""
NOTHING: frozenset[bytes] = frozenset()
NO_CLASSES: frozenset[str] = frozenset()
Weak = tuple[tuple[str, bytes], ...]
"""Weak tokens of a line: places, and the word where it is a short name that stands alone."""
_STRONG = frozenset((WordKind.IDENTIFIER, WordKind.TOKEN, WordKind.BIRTH))
_MEMBER = re.compile(rb'"[^"]*"\s*:')
_HEX = b"0123456789abcdef"
_NOT_DIGITS = bytes(code for code in range(256) if not 48 <= code <= 57)


@dataclass(slots=True, eq=False)
class Context:
    """What is searched for, and the outlines that were found clean of it.

    ``closed``: for links that may not carry identity. ``strong``: hashes of the card's strong tokens that the raw
    tokens do not cover; ``names``: of its names. ``clean``: outlines whose lines need no look but at their
    digits; ``quiet``: the same of pieces of JSON; ``hidden``: of
    those with encodings, the tokens behind these that are asked about; ``outlines``: of all that were looked at, the weak tokens in their letters; ``lettered``: outlines whose
    lines may hold a token of letters and digits.
    """

    tokens: Tokens
    clear: frozenset[str] = NO_CLASSES
    closed: bool = True
    card: Mapping[bytes, WordKind] = field(default_factory=dict)
    canaries: AbstractSet[bytes] = NOTHING
    strong: frozenset[bytes] = NOTHING
    names: frozenset[bytes] = NOTHING
    generation: object = None
    outlines: dict[Outline, Weak] = field(default_factory=dict)
    clean: set[Outline] = field(default_factory=set)
    lettered: set[Outline] = field(default_factory=set)
    quiet: set[Outline] = field(default_factory=set)
    hidden: dict[Outline, frozenset[bytes]] = field(default_factory=dict)
    _words: frozenset[bytes] = field(init=False)
    _probes: tuple[bytes, ...] = field(init=False)
    _shapes: tuple[bytes, ...] = field(init=False)
    _hexadecimal: tuple[bytes, ...] = field(init=False)

    def __post_init__(self) -> None:
        weak = self.tokens.weak_numbers
        self._probes = without_longer((*self.tokens.digit_forms, *filter(bytes.isdigit, weak)))
        lettered = (*self.tokens.other_forms, *(form for form in weak if not form.isdigit()))
        self._shapes = tuple({outline(form) for form in lettered})
        # What may stand in a UUID, of which an outline has no letters.
        self._hexadecimal = tuple({b"0" * len(form) for form in lettered if not form.translate(None, _HEX)})
        names = [(n.family, n.given, n.family_backwards, n.given_backwards) for n in self.tokens.names]
        self._words = frozenset(self.tokens.weak_words).union(
            self.tokens.name_words, *(w for n in names for w in n)
        )

    @property
    def searches(self) -> bool:
        """Say whether there are raw tokens to search for; on links for identity there are none."""
        tokens = self.tokens
        return bool(tokens.needles or tokens.names or tokens.births)

    def know(
        self,
        card: Mapping[bytes, WordKind],
        canaries: AbstractSet[bytes],
        generation: object,
        token_hash: Callable[[str], bytes],
    ) -> None:
        """Take the card's words and the canaries; other ones than before make every outline new.

        Args:
            generation: of the outlines; those of another one are let go.
        """
        if card != self.card or canaries != self.canaries or generation is not self.generation:
            self._forget()
            strong = _STRONG - {WordKind.BIRTH} if "patient.birth-date" in self.clear else _STRONG
            self.strong = frozenset(hashed for hashed, kind in card.items() if kind in strong)
            self.strong -= {token_hash(token) for token in self.tokens.covered}
            self.names = frozenset(hashed for hashed, kind in card.items() if kind is WordKind.NAME)
        self.card, self.canaries, self.generation = card, canaries, generation

    def may_hold_number(self, lines: list[bytes]) -> bool:
        """Say whether the digits of lines hold those of a token, whatever stands between them."""
        if not self._probes:
            return False
        digits = b"\r".join(lines).translate(None, _NOT_DIGITS)
        return any(map(digits.__contains__, self._probes))

    def know_outline(self, facts: Outline, weak: Weak) -> None:
        """Note an outline without strong tokens in its letters, and the places of its weak ones."""
        if len(self.outlines) >= (OUTLINES_MAX if self.closed else OUTLINES_OF_ALL_MAX):
            self._forget()
        lettered = self.is_lettered(facts)
        self.outlines[facts] = weak
        if lettered:
            self.lettered.add(facts)
        elif not (weak or facts.opened or facts.encoded or (facts.dated and self.tokens.births)):
            self.clean.add(facts)

    def is_quiet(self, facts: Outline) -> bool:
        """Say whether nothing in the letters of a piece of JSON needs a look at the objects it belongs to.

        Words of names may stand in several pieces of one object: each alone is enough to look.
        """
        if facts in self.quiet:
            return True
        if facts.encoded and facts not in self.hidden:
            return False
        if facts.opened or (facts.dated and self.tokens.births) or self.is_lettered(facts):
            return False
        if not (
            self._words.isdisjoint(facts.words) and facts.hashes.isdisjoint(self.card.keys() | self.canaries)
        ):
            return False
        letters = (facts.letters, squeeze(_MEMBER.sub(b"", facts.shape)).translate(None, b"0"))
        if any(form in text for text in letters for name in self.tokens.names for form in name.joined):
            return False
        if len(self.quiet) >= (OUTLINES_MAX if self.closed else OUTLINES_OF_ALL_MAX):
            self.quiet.clear()
        self.quiet.add(facts)
        return True

    def know_hidden(self, facts: Outline, asked: frozenset[bytes]) -> None:
        """Note that what a piece's encodings hide was found clean, and which tokens there are asked about each time."""
        if len(self.hidden) >= OUTLINES_MAX:
            self.hidden.clear()
            self.quiet.clear()
        self.hidden[facts] = asked

    def behind(self, found: Iterable[Line]) -> AbstractSet[bytes]:
        """Collect the tokens behind encodings of quiet pieces."""
        hidden = self.hidden
        if not hidden:
            return NOTHING
        return NOTHING.union(*[hidden[one.outline] for one in found if one.outline.encoded])

    def is_lettered(self, facts: Outline) -> bool:
        """Say whether lines of an outline may hold a token of letters and digits."""
        if facts in self.outlines:
            return facts in self.lettered
        if not self._shapes:
            return False
        letters, shapes = squeeze(facts.shape), self._shapes
        if self._hexadecimal and NO_UUID in facts.shape:
            shapes += self._hexadecimal
        return any(shape in letters for shape in shapes)

    def _forget(self) -> None:
        self.outlines.clear()
        self.clean.clear()
        self.lettered.clear()
        self.quiet.clear()
        self.hidden.clear()
