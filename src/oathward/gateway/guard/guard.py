"""The last look at what leaves: independent of shaping, and of the catalogue on purpose.

Rules:
- Originals and payloads are of any protocol, in any pair: what came as HL7 v2 may leave as JSON (``payload``).
- On a link that may not carry identity the outgoing bytes are searched for the tokens of the original's persons
  (``tokens``) and for the keyed words of the subject's card, in plain sight and behind encodings.
- On every link they are searched for identifiers of *another* patient; on one that may not carry identity only
  for those with letters or of seven digits and more, written in one piece: shorter numbers are codes and values.
- A name of five letters or more that is all of a component stops there too, as do two shorter ones, and a short
  identifier that is all of OBX-3 or OBX-4, or of an id, a reference or a code in JSON. Words that are surnames and something else (``COMMON``) only count.
- So does one of five letters or more inside a code, a unit, a language tag or OBX-3, where these have no blanks.
- Canaries are searched for on every link.
- Strong tokens stop, weak ones count. What cannot be searched within bounds stops too (``unsearchable``).
- A verdict names kinds and places, never a value.
- What was found out about a line's letters is remembered per person (``outlines``); digits are searched each
  time. What the links of one message share is found out once (``message``, then ``link`` for each).
- Memory changes no verdict. It is bounded, holds patient values, and ``forget`` empties it.

Deliberately absent: what a verdict means. On a link for care the caller raises a finding (``guard.noticed``) and sends;
on any other nothing leaves (``guard.stopped``).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from oathward.core.words import WordHasher
from oathward.gateway.guard.check import check
from oathward.gateway.guard.context import NO_CLASSES, NOTHING, Context
from oathward.gateway.guard.hashes import Hashes
from oathward.gateway.guard.message import Foreign, OneMessage
from oathward.gateway.guard.normalise import Unsearchable
from oathward.gateway.guard.original import Original
from oathward.gateway.guard.outlines import Outlines
from oathward.gateway.guard.tokens import Tokens, without
from oathward.gateway.guard.verdict import Stop, Verdict
from oathward.patients.model import WordKind

CONTEXTS_MAX = 4_096
READERS_MAX = 4
"""Pairs of character set and escape character whose lines are known at a time."""
_NOBODY: Mapping[bytes, WordKind] = {}


class Guard:
    """Check outgoing bytes against their original.

    Args:
        words: hashes outgoing words as the words of cards were hashed.
    """

    def __init__(self, words: WordHasher) -> None:
        self._hashes = Hashes(words)
        self._readers: OrderedDict[tuple[str, int], tuple[Outlines, Context]] = OrderedDict()
        self._contexts: OrderedDict[tuple[object, ...], Context] = OrderedDict()

    def message(
        self,
        original: Original,
        *,
        card_words: Mapping[bytes, WordKind] = _NOBODY,
        foreign: Foreign | None = None,
        canaries: AbstractSet[bytes] = NOTHING,
    ) -> OneMessage:
        """Begin with one message; what is asked of ``foreign`` for one link is not asked again for the next.

        Args:
            card_words: keyed words and tokens of the subject's card, with their kinds.
            foreign: asked about tokens that look like identifiers, on every link.
            canaries: keyed words and tokens of invented patients; any of them stops on any link.
        """
        how = original.charset, original.separators.escape
        reader = self._readers.get(how)
        if reader is None:
            if len(self._readers) >= READERS_MAX:
                self._readers.popitem(last=False)
            reader = self._readers[how] = Outlines(self._hashes), Context(Tokens(), closed=False)
        return OneMessage(original, *reader, self._hashes, card_words, foreign, canaries)

    def link(
        self,
        message: OneMessage,
        outgoing: bytes,
        *,
        carries_identity: bool,
        clear: frozenset[str] = NO_CLASSES,
    ) -> Verdict:
        """Search what would leave on one link.

        Args:
            outgoing: HL7 v2, lines end in CR; or JSON, or any other bytes.
            clear: element classes that the link's plan lets pass unchanged (a limited data set keeps
                ``patient.birth-date``): their tokens do not stop.
        """
        if carries_identity:
            context, card = message.of_all, _NOBODY
        else:
            context, card = self._context(message, clear), message.card
        if (
            card is not context.card
            or message.canaries is not context.canaries
            or message.outlines.generation is not context.generation
        ):
            context.know(card, message.canaries, message.outlines.generation, self._hashes.whole)
        if context.tokens.too_many:
            return Stop("unsearchable", "message")
        try:
            return check(message, context, outgoing)
        except Unsearchable:
            return Stop("unsearchable", "message")

    def check(
        self,
        original: Original,
        outgoing: bytes,
        *,
        carries_identity: bool,
        card_words: Mapping[bytes, WordKind] = _NOBODY,
        foreign: Foreign | None = None,
        canaries: AbstractSet[bytes] = NOTHING,
        clear: frozenset[str] = NO_CLASSES,
    ) -> Verdict:
        """Search what would leave of a message with one link only; see ``message`` and ``link``."""
        one = self.message(original, card_words=card_words, foreign=foreign, canaries=canaries)
        return self.link(one, outgoing, carries_identity=carries_identity, clear=clear)

    def forget(self) -> None:
        """Drop every value held in memory; call it when keys change."""
        self._readers.clear()
        self._contexts.clear()
        self._hashes.forget()

    def _context(self, message: OneMessage, clear: frozenset[str]) -> Context:
        key = (clear, message.persons)
        context = self._contexts.get(key)
        if context is not None:
            self._contexts.move_to_end(key)
            return context
        tokens = message.original.tokens()
        context = self._contexts[key] = Context(without(tokens, clear) if clear else tokens, clear)
        if len(self._contexts) > CONTEXTS_MAX:
            self._contexts.popitem(last=False)
        return context
