"""One check of one payload against its original: line by line, then what lines hide.

Rules: those of ``guard``, which makes one of these for each payload.

Deliberately absent: memory (``context``), and what a token is (``tokens``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet

from oathward.gateway.guard import search
from oathward.gateway.guard.context import Context, Weak
from oathward.gateway.guard.normalise import (
    DEPTH_MAX,
    Budget,
    Unsearchable,
    fold,
    letter_words,
    outline,
    squeeze,
    views,
)
from oathward.gateway.guard.outlines import Outline, Outlines, pieces_of
from oathward.gateway.guard.tokens import PERSON_SEGMENTS
from oathward.gateway.guard.verdict import CLEAN, Counted, Stop, Verdict
from oathward.patients.model import WordKind
from oathward.protocols.hl7v2.reader import Message

EXPANSION = 8
"""Opened layers of a message may be this many times its size, of what is beyond ``EXPANSION_BYTES_MIN`` only
``EXPANSION_LARGE`` times, and ``EXPANSION_BYTES_MIN`` more."""
EXPANSION_LARGE = 2
EXPANSION_BYTES_MIN = 262_144

Foreign = Callable[[Iterable[bytes]], AbstractSet[bytes]]
"""Of keyed tokens (``WordHasher.token``), those that are identifiers of other patients."""

NAME_ALONE_MIN = 5
"""Letters of a name that stops by itself where it is all of a component."""
COMMON = frozenset(
    b"""abbott allen apgar arterial artery baby baker barrett baxter bishop black blood bone bowman brain braden braun
    bright brown burns carter chambers cole cook coombs cooper cross cuff day dean drager draeger drake dragger english
    father field fields fisher flow foley foot ford fowler fox foster fresenius ganz general glasgow grant gray green
    grey hall hamilton hand hart head heart hill hodgkin holter house howell hudson jordan king knight lane lead lewis
    light long love major manual march marsh martin mask may medtronic miller minor monitor moon moore morse mother
    mueller murphy newborn night normal north page parent park patient payne peak penn philips phillips pierce plate
    point poole post potter power price pulse pump ramsay rate ray read reed reid rice rich roche rose sample sharp
    short siemens silver small smart smith snow south spark sparks spring stern stone stress strong summer summers swan
    tall taylor temple temp test tidal upper urine usual venous wall ward waters weight welch west white wild winter
    winters wise wood woods wright young zoll""".split()
)
"""Names that are also words, places, scales, makers or parts of the body, in codes and units too."""
_OWN = frozenset(("PID", "MRG", "car"))

_OURS = re.compile(rb"[0-9A-V]{20}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
_PACKED = frozenset(
    (b"\x1f\x8b", b"PK", b"\x78\x9c", b"\x78\x01", b"\x78\xda", b"\xff\xfe", b"\xfe\xff", b"%P")
)


class Check:
    """One check of one payload."""

    __slots__ = ("_alone", "_budget", "_card", "_closed", "_context", "_foreign", "_fresh", "_hits", "_lines", "_open", "_opened_clean", "_original",
                 "_others", "_outlines", "_pieces", "_seen")  # fmt: skip

    def __init__(
        self,
        outlines: Outlines,
        context: Context,
        original: Message,
        foreign: Foreign | None,
        card: Mapping[bytes, WordKind],
        *,
        closed: bool = False,
    ) -> None:
        self._outlines, self._context, self._original = outlines, context, original
        self._foreign, self._card = foreign, card
        self._hits: Counter[str] | None = None
        self._closed = closed  # the link may not carry identity
        self._pieces: set[bytes] = set()
        self._others: set[bytes] = set() if closed else self._pieces
        self._fresh: dict[bytes, tuple[bytes, ...]] = {}
        self._alone: dict[bytes, str] = {}
        self._open: list[bytes] = []
        self._opened_clean: list[tuple[Outline, Weak]] = []
        self._lines: list[bytes] = []

    def run(self, outgoing: bytes) -> Verdict:
        """Search line by line, then what lines hide."""
        context = self._context
        self._lines = lines = outgoing.split(b"\r")
        if 0 in outgoing or outgoing[:2] in _PACKED:
            self._open.append(outgoing)
        lines[0] = self._without_our_id(lines[0])
        fresh = self._not_known(lines)
        if not fresh and not self._open:
            return self._hashed() or CLEAN
        body = b"\r".join(fresh)
        stop = self._letters(fresh, outline(body).split(b"\r")) or self._numbers(body) or self._hashed()
        if stop is None and self._open:
            stop = self._opened(len(outgoing))
        if stop is not None:
            return stop
        for facts, weak in self._opened_clean:
            context.know_outline(facts, weak)
        if len(self._alone) > 1:
            return Stop("name-parts", f"{next(iter(self._alone.values()))} in message")
        if self._hits:
            return Counted(dict(self._hits))
        if self._closed:
            context.remember(self._fresh)
        return CLEAN

    def _not_known(self, lines: list[bytes]) -> list[bytes]:
        """Leave out lines found clean before; whose their tokens are is asked again."""
        clean = self._context.lines
        if clean and self._foreign is not None:
            for line in lines:
                self._others.update(clean.get(line, ()))
        return [line for line in lines if line not in clean] if clean else lines

    # --- in plain sight

    def _letters(self, lines: list[bytes], shapes: list[bytes]) -> Stop | None:
        """Search words and names, and note what else each line needs."""
        context = self._context
        plain = context.plain
        wanted = bool(context.strong or context.canaries or (self._foreign and not self._closed))
        asked, closed = bool(self._foreign), self._closed
        take = self._pieces.add
        for line, shape in zip(lines, shapes, strict=False):  # of no lines there is one empty shape
            facts = plain.get(shape)
            if facts is None:
                facts = self._outlines.of(shape, line, self._original)
                stop = self._look(line, facts)
                if stop is not None:
                    return stop
            if wanted:
                for start, end in facts.spans:
                    take(line[start:end])
            if closed:
                others = self._fresh[line] = tuple([line[start:end] for start, end in facts.whole])
                if asked:
                    self._others.update(others)
        return None

    def _look(self, line: bytes, facts: Outline) -> Stop | None:
        """Do with one line what its outline asks for."""
        context = self._context
        if facts.opened:
            self._open.append(line)
        elif facts.dated and context.tokens.births:
            hit = search.birth(fold(line, self._original.charset), context.tokens)
            if hit is not None:
                return Stop(hit.kind, self._place(hit.place, line))
        known = context.outlines.get(facts)
        weak = self._words(line, facts) if known is None else known
        if isinstance(weak, Stop):
            return weak
        if known is None:
            if facts.encoded:
                self._open.append(line)
                self._opened_clean.append((facts, weak))
            else:
                context.know_outline(facts, weak)
        elif facts.encoded and self._foreign is not None and not self._closed:
            self._open.append(line)  # clean for one patient is not clean for another
        for place, word in weak:
            if word:
                self._alone[word] = place
            else:
                self._count(place)
        return None

    def _words(self, line: bytes, facts: Outline) -> Stop | Weak:
        """Search the words of an outline: stop, or the weak ones."""
        context = self._context
        tokens, card = context.tokens, context.card
        if not facts.hashes.isdisjoint(context.canaries):
            return Stop("canary", self._place("canary", line))
        named = any(search.may_hold_name(facts.words, facts.letters, name) for name in tokens.names)
        found = facts.hashes & card.keys()
        if named or found:
            text = fold(line, self._original.charset)
            hit = search.full_name(text, facts.words, facts.letters, tokens) if named else None
            hit = hit or self._card_words(text, facts.hashes)
            if hit is not None:
                return Stop(hit.kind, self._place(hit.place, line))
        weak = [(tokens.weak_words[word], b"") for word in facts.words & tokens.weak_words.keys()]
        parts = self._name_parts(line, facts, found)
        if isinstance(parts, Stop):
            return parts
        return (*weak, *(("card", b"") for _ in found), *parts)

    def _name_parts(self, line: bytes, facts: Outline, found: AbstractSet[bytes]) -> Stop | Weak:
        """Search names that are all of a component: stop at a long one, give the short ones."""
        context = self._context
        names = context.tokens.name_words
        carded = found & context.names
        if not self._closed or not (carded or facts.words & names.keys()):
            return ()
        if line.startswith(b"MSH") or (context.clear and line[:3] in PERSON_SEGMENTS):
            return ()  # a hospital's name, or a town that the plan keeps
        short = []
        for word in set(search.alone(fold(line, self._original.charset))) - COMMON:
            place = names.get(word) or ("card" if carded and self._outlines.hash_of(word) in carded else "")
            if len(word) >= NAME_ALONE_MIN and place and place[:3] in _OWN:
                return Stop("name-parts", self._place(place, line))
            if place:
                short.append((place, word))
        return tuple(short)

    def _card_words(self, text: bytes, hashes: AbstractSet[bytes]) -> search.Hit | None:
        """Search the card's words: a whole token, or two words of names close together."""
        context = self._context
        if not hashes.isdisjoint(context.strong):
            return search.Hit("token", "card")
        found = hashes & context.names
        if len(found) < 2:
            return None
        fields = [[self._outlines.hash_of(word) for word in words] for words in search.words_by_field(text)]
        close = any(
            search.near(iter(fields), {one}, found - {one}, search.WORDS_BETWEEN_MAX + 1) for one in found
        )
        return search.Hit("name", "card") if close else None

    def _numbers(self, body: bytes) -> Stop | None:
        tokens = self._context.tokens
        if not (tokens.needles or tokens.births or tokens.weak_numbers):
            return None
        squeezed = squeeze(body)
        hit = search.numbers(body, squeezed, tokens)
        if hit is not None:
            line = next((one for one in self._lines if search.numbers(one, squeeze(one), tokens)), b"")
            return Stop(hit.kind, self._place(hit.place, line))
        for place in search.weak(body, squeezed, tokens):
            self._count(place)
        for form, place in tokens.weak_ids.items():
            component = bytes([self._original.separators.component])
            if form in squeezed and search.is_code(self._lines, form, component):
                return Stop("weak-identifiers", f"{place} in message")
        return None

    def _hashed(self) -> Stop | None:
        """Search tokens with digits by their hashes: on the card, of canaries, of other patients."""
        hit = self._known_tokens(self._pieces, self._others) if self._pieces or self._others else None
        if hit is None:
            return None
        line = next((one for one in self._lines if self._known_in(one)), b"")
        return Stop(hit.kind, self._place(hit.place, line))

    def _known_in(self, text: bytes) -> search.Hit | None:
        return self._known_tokens(pieces_of(text), pieces_of(text, whole=self._closed))

    def _known_tokens(self, pieces: set[bytes], others: set[bytes]) -> search.Hit | None:
        context, outlines = self._context, self._outlines
        hashes = outlines.token_hashes(pieces | others)
        if not hashes.isdisjoint(context.canaries):
            return search.Hit("canary", "canary")
        if not hashes.isdisjoint(context.strong):
            real = {outlines.token_hash(piece) for piece in pieces if not self._is_today(piece)}
            if not real.isdisjoint(context.strong):
                return search.Hit("token", "card")
        if self._foreign is not None and others:
            asked = {outlines.token_hash(piece) for piece in others - outlines.times} - self._card.keys()
            if asked and self._foreign(asked):
                return search.Hit("other-patient", "patient index")
        return None

    def _is_today(self, piece: bytes) -> bool:
        """Say whether a token is a date of the message's own month: a newborn's birth date is in every time."""
        return piece in self._outlines.times and squeeze(piece)[:6] == self._original.header(7)[:6]

    # --- behind encodings

    def _opened(self, size_bytes: int) -> Stop | None:
        small = min(size_bytes, EXPANSION_BYTES_MIN)
        self._budget = Budget(
            EXPANSION * small + EXPANSION_LARGE * (size_bytes - small) + EXPANSION_BYTES_MIN
        )
        self._seen: set[bytes] = set()
        for line in self._open:
            hit = self._text(line)
            stop = Stop(hit.kind, self._place(hit.place, line)) if hit else self._inside(line, line, ())
            if stop is not None:
                return stop
        return None

    def _inside(self, data: bytes, line: bytes, through: tuple[str, ...]) -> Stop | None:
        for name, opened in views(data, self._budget, self._original.separators):
            if len(through) >= DEPTH_MAX:
                raise Unsearchable
            if opened in self._seen:
                continue
            self._seen.add(opened)
            hit = self._text(opened)
            if hit is not None:
                return Stop(hit.kind, f"{self._place(hit.place, line)} through {', '.join((*through, name))}")
            stop = self._inside(opened, line, (*through, name))
            if stop is not None:
                return stop
        return None

    def _text(self, data: bytes) -> search.Hit | None:
        """Search one text for everything."""
        context = self._context
        text = fold(data, self._original.charset)
        hit = search.strong(text, context.tokens) if context.searches else None
        if hit is not None or not (context.card or context.canaries or self._foreign):
            return hit
        if not (context.card or context.canaries):
            return self._known_in(text)
        hashes = self._outlines.hashes_of(frozenset(letter_words(text)))
        if not hashes.isdisjoint(context.canaries):
            return search.Hit("canary", "canary")
        return self._card_words(text, hashes) or self._known_in(text)

    # --- small things

    def _without_our_id(self, line: bytes) -> bytes:
        """Blank MSH-10 where it is an id that Oathward made: random letters that would make every line new."""
        if not line.startswith(b"MSH") or len(line) < 4:
            return line
        fields = line.split(line[3:4], 10)
        if len(fields) < 11 or fields[9].isdigit() or not _OURS(fields[9]):
            return line
        if fields[9] == self._original.control_id:
            return line
        fields[9] = b""
        return line[3:4].join(fields)

    def _count(self, place: str) -> None:
        if self._hits is None:
            self._hits = Counter()
        self._hits[place] += 1

    def _place(self, place: str, line: bytes) -> str:
        """Say where; a segment by its number, because its name is the sender's."""
        return (
            f"{place} in segment {self._lines.index(line) + 1}"
            if line in self._lines
            else f"{place} in message"
        )
