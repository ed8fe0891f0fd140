"""A quick look at JSON as it is written: nearly all of it holds no word and no number of anybody's.

Rules:
- It is cut where objects begin (``payload.pieces``). Each piece must be quiet by itself: no word of a name, no encoding
  that hides something, no date in parts.
- What is quiet in a piece's letters is remembered (``context``); its digits are searched each time.
- It says nothing but whether a closer look is needed.

Deliberately absent: verdicts (``check``), memory (``outlines``, ``context``).
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter

from oathward.gateway.guard.context import Context
from oathward.gateway.guard.message import OneMessage
from oathward.gateway.guard.outlines import Line
from oathward.gateway.guard.payload import pieces

Hides = Callable[[OneMessage, Context, bytes, Line], bool]
"""Say whether what a piece's encodings hide is anything; where it is nothing, the context knows it."""

_OUTLINE = attrgetter("outline")


def is_quiet(message: OneMessage, context: Context, outgoing: bytes, hides: Hides) -> bool:
    """Say whether no piece of JSON holds a word, a number or an encoding that may be a person's."""
    cut = pieces(outgoing)
    if not cut or 0 in outgoing or (context.closed and context.may_hold_number([outgoing])):
        return False
    found = message.outlines.read_pieces(cut, message.original, message.fresh)
    if not context.quiet.issuperset(map(_OUTLINE, found)):
        for piece, one in zip(cut, found, strict=True):
            facts = one.outline
            if facts.encoded and facts not in context.hidden and hides(message, context, piece, one):
                return False
        if not all(map(context.is_quiet, {one.outline for one in found})):
            return False
    return message.search(context, cut, found, context.behind(found)) is None
