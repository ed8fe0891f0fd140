"""The last look at what leaves: independent of shaping, and of the catalogue on purpose.

Rules:
- On a link that may not carry identity the outgoing bytes are searched for the tokens of the original's persons
  (``tokens``) and for the keyed words of the subject's card, in plain sight and behind encodings.
- On every link they are searched for identifiers of *another* patient; on one that may not carry identity only
  for those with letters or of seven digits and more, written in one piece: shorter numbers are codes and values.
- A name of five letters or more that is all of a component stops there too, as do two shorter ones, and a short
  identifier that is all of OBX-3 or OBX-4. Words that are surnames and something else (``COMMON``) only count.
- Canaries are searched for on every link.
- Strong tokens stop, weak ones count. What cannot be searched within bounds stops too (``unsearchable``).
- A verdict names kinds and places, never a value.
- What was found out about a line's letters is remembered per person (``outlines``); digits are searched each
  time. Memory is bounded, holds patient values, and ``forget`` empties it.

Deliberately absent: what a verdict means. On a link for care the caller raises a finding and sends.

Source: DESIGN §3 "The guard".
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from oathward.core.words import WordHasher
from oathward.gateway.guard.check import Check, Foreign
from oathward.gateway.guard.context import NO_CLASSES, NOTHING, Context
from oathward.gateway.guard.normalise import Unsearchable
from oathward.gateway.guard.outlines import Outlines
from oathward.gateway.guard.tokens import PERSON_SEGMENTS, Tokens, tokens_of, without
from oathward.gateway.guard.verdict import Stop, Verdict
from oathward.patients.model import WordKind
from oathward.protocols.hl7v2.reader import Message

CONTEXTS_MAX = 4_096
_NOBODY: Mapping[bytes, WordKind] = {}


class Guard:
    """Check outgoing bytes against their original.

    Args:
        words: hashes outgoing words as the words of cards were hashed.
    """

    def __init__(self, words: WordHasher) -> None:
        self._words = words
        self._outlines = Outlines(words)
        self._contexts: OrderedDict[tuple[object, ...], Context] = OrderedDict()
        self._anyone = Context(Tokens())
        self._last: tuple[Message | None, Context] = (None, self._anyone)

    def check(
        self,
        original: Message,
        outgoing: bytes,
        *,
        carries_identity: bool,
        card_words: Mapping[bytes, WordKind] = _NOBODY,
        foreign: Foreign | None = None,
        canaries: AbstractSet[bytes] = NOTHING,
        clear: frozenset[str] = NO_CLASSES,
    ) -> Verdict:
        """Search what would leave.

        Args:
            outgoing: a message of any protocol; lines end in CR.
            card_words: keyed words and tokens of the subject's card, with their kinds.
            foreign: asked about tokens that look like identifiers, on every link.
            canaries: keyed words and tokens of invented patients; any of them stops on any link.
            clear: element classes that the link's plan lets pass unchanged (a limited data set keeps
                ``patient.birth-date``): their tokens do not stop.
        """
        if carries_identity:
            context = self._anyone
            context.know(_NOBODY, canaries, self._words.token)
            check = Check(self._outlines, context, original, foreign, card_words)
        else:
            context = self._context(original, clear)
            context.know(card_words, canaries, self._words.token)
            check = Check(self._outlines, context, original, foreign, card_words, closed=True)
        try:
            return Stop("unsearchable", "message") if context.tokens.too_many else check.run(outgoing)
        except Unsearchable:
            return Stop("unsearchable", "message")

    def forget(self) -> None:
        """Drop every value held in memory; call it when keys change."""
        self._outlines.forget()
        self._contexts.clear()
        self._anyone = Context(Tokens())
        self._last = (None, self._anyone)
        self._words.forget()

    def _context(self, original: Message, clear: frozenset[str]) -> Context:
        if original is self._last[0] and clear == self._last[1].clear:
            return self._last[1]
        persons = [segment for segment in original.segments if segment[:3] in PERSON_SEGMENTS]
        key = (clear, original.segments[0][3:9], original.charset, *persons)
        context = self._contexts.get(key)
        if context is None:
            tokens = tokens_of(original)
            context = self._contexts[key] = Context(without(tokens, clear) if clear else tokens, clear)
            if len(self._contexts) > CONTEXTS_MAX:
                self._contexts.popitem(last=False)
        else:
            self._contexts.move_to_end(key)
        self._last = (original, context)
        return context
