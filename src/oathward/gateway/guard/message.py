"""What the checks of one message share: its original, whom it is about, whose it must not be, and what was asked.

Rules:
- Made once for a message and used for each of its links: what was asked of the patients' index for one link, and
  the lines in which one link's check found no number, are not looked at again for the next.
- Tokens with digits are looked for by their keyed hashes: of canaries and of other patients on every link, of the
  card on links that may not carry identity. On those only what is hardly a value or a code is asked about.
- The date in a time is nobody's identifier; a newborn's birth date is in every time of its month.

Deliberately absent: raw tokens, letters, encodings (``check``), and memory beyond the message (``guard``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

from oathward.gateway.guard.context import NOTHING, Context
from oathward.gateway.guard.hashes import Hashes
from oathward.gateway.guard.normalise import squeeze
from oathward.gateway.guard.original import Original
from oathward.gateway.guard.outlines import Line, Outlines
from oathward.gateway.guard.search import Hit
from oathward.gateway.guard.spans import pieces_of
from oathward.patients.model import WordKind

Foreign = Callable[[Iterable[bytes]], AbstractSet[bytes]]
"""Of keyed tokens (``WordHasher.token``), those that are identifiers of other patients."""
_NONE: frozenset[Line] = frozenset()


class OneMessage:
    """One message under the guard; ``Guard.message`` makes it, ``Guard.link`` checks what would leave of it."""

    __slots__ = ("_answered", "_asked", "_clean", "_clean_of", "_lowered", "_noted", "_persons", "_whole", "canaries", "card", "foreign", "fresh", "hashes", "of_all", "original", "outlines")  # fmt: skip

    def __init__(
        self,
        original: Original,
        outlines: Outlines,
        of_all: Context,
        hashes: Hashes,
        card: Mapping[bytes, WordKind],
        foreign: Foreign | None,
        canaries: AbstractSet[bytes],
    ) -> None:
        self.original, self.outlines, self.of_all, self.hashes = original, outlines, of_all, hashes
        self.card, self.foreign, self.canaries = card, foreign, canaries
        self.fresh: dict[bytes, Line] = {}
        self._lowered: bytes | None = None
        self._persons: tuple[object, ...] = ()
        self._answered: set[bytes] = set()
        self._asked: frozenset[Line] = _NONE
        self._whole: frozenset[Line] = _NONE
        self._noted: tuple[bool, list[Line]] | None = None
        self._clean: set[bytes] = set()
        self._clean_of: frozenset[str] | None = None

    @property
    def persons(self) -> tuple[object, ...]:
        """All that tells which tokens its persons have."""
        if not self._persons:
            self._persons = self.original.persons()
        return self._persons

    def came_with(self, text: bytes) -> bool:
        """Say whether the original has a text in lower case, however it writes it."""
        if self._lowered is None:
            self._lowered = self.original.raw.lower()
        return text in self._lowered

    # --- numbers in the clear

    def may_hold_number(self, context: Context, lines: list[bytes]) -> bool:
        """Say whether lines may hold a person's number; those found clean of it for another link do not."""
        if (
            self._clean_of is not None and self._clean_of <= context.clear
        ):  # it looked for all of these, and more
            lines = list(set(lines) - self._clean)
        return context.may_hold_number(lines)

    def clean(self, context: Context, lines: list[bytes]) -> None:
        """Note that a payload of these lines was found clean."""
        if self._clean_of is None and context.closed:
            self._clean, self._clean_of = set(lines), context.clear

    # --- keyed tokens

    def search(
        self,
        context: Context,
        lines: list[bytes],
        found: list[Line],
        hidden: AbstractSet[bytes] = NOTHING,
    ) -> tuple[Hit, bytes] | None:
        """Search all lines of a payload: a hit, and its line.

        Args:
            found: what is known of the lines.
            hidden: tokens behind encodings of lines that are asked about too.
        """
        if context.canaries or context.strong:
            tokens = frozenset().union(*[one.tokens for one in found])
            if not (tokens.isdisjoint(context.canaries) and tokens.isdisjoint(context.strong)):
                hits = [(hit, line) for line in lines if (hit := self._own(context, pieces_of(line)))]
                if hits:
                    return min(hits, key=lambda one: one[0].kind != "canary")
        if self.foreign is None:
            return None
        asked = self._not_asked(context, found)
        if hidden:
            asked |= hidden
        others = self._others(asked) if asked else None
        if others:
            of = (line for line, one in zip(lines, found, strict=True) if not others.isdisjoint(one.asked))
            return Hit("other-patient", "patient index"), next(of, lines[0])
        self._noted = (context.closed, found)
        return None

    def _not_asked(self, context: Context, found: list[Line]) -> set[bytes]:
        """Collect the tokens that are asked about, of lines that no other link had."""
        new: Iterable[Line] = found
        if self._noted is not None:
            closed, lines = self._noted
            if closed:
                self._whole = self._whole.union(lines)
            else:
                self._asked = self._asked.union(lines)
            self._noted = None
        if self._asked or (context.closed and self._whole):
            new = set(found).difference(self._asked, self._whole if context.closed else ())
        return set().union(*([one.whole for one in new] if context.closed else [one.asked for one in new]))

    def asking(self) -> tuple[OneMessage, set[bytes]]:
        """Give the same message of no day, with nobody's card and an index that knows nobody; and what that is asked."""
        asked: set[bytes] = set()

        def ask(tokens: Iterable[bytes]) -> AbstractSet[bytes]:
            asked.update(tokens)
            return NOTHING

        original = replace(self.original, dated=False)
        return OneMessage(original, self.outlines, self.of_all, self.hashes, {}, ask, self.canaries), asked

    def search_text(self, context: Context, text: bytes) -> Hit | None:
        """Search one text, as what an encoding hid."""
        pieces = pieces_of(text)
        hit = self._own(context, pieces)
        if hit is None and self.foreign is not None:
            asked = pieces_of(text, whole=True) if context.closed else pieces
            token, day = self.hashes.token, self.hashes.day
            if self._others({token(piece) for piece in asked if not day(piece)}):
                hit = Hit("other-patient", "patient index")
        return hit

    def _own(self, context: Context, pieces: Iterable[bytes]) -> Hit | None:
        """Search for canaries and the card."""
        hashed = {piece: self.hashes.token(piece) for piece in pieces}
        if not context.canaries.isdisjoint(hashed.values()):
            return Hit("canary", "canary")
        if any(one in context.strong and not self._is_today(piece) for piece, one in hashed.items()):
            return Hit("token", "card")
        return None

    def _others(self, asked: set[bytes]) -> AbstractSet[bytes]:
        """Choose those of other patients; the patient's own are not asked about, nor is one asked about twice."""
        asked = asked.difference(self.card, self._answered) if self._answered else asked.difference(self.card)
        if not asked or self.foreign is None:
            return NOTHING
        others = self.foreign(asked)
        if others:
            return others
        if self._answered:
            self._answered.update(asked)
        else:
            self._answered = asked
        return NOTHING

    def _is_today(self, piece: bytes) -> bool:
        """Say whether a token is a date of the message's own month."""
        return self.hashes.day(piece) != b"" and squeeze(piece)[:6] == self.original.day()[:6]
