"""One check of one payload against its original: line by line, then what lines hide.

Rules: those of ``guard``. A payload of which every line has an outline found clean before, and whose digits hold
no number of the person's, needs no closer look than at its keyed tokens. JSON is looked at twice: first
as it is written (``quiet``), else object by object.

Deliberately absent: memory (``context``), keyed tokens (``message``), and what a token is (``tokens``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from operator import attrgetter

from oathward.gateway.guard import search
from oathward.gateway.guard.context import Context, Weak
from oathward.gateway.guard.message import OneMessage
from oathward.gateway.guard.normalise import (
    DEPTH_MAX,
    Budget,
    Unsearchable,
    fold,
    letter_words,
    squeeze,
    views,
)
from oathward.gateway.guard.of_hl7v2 import PERSON_SEGMENTS
from oathward.gateway.guard.original import Original
from oathward.gateway.guard.outlines import Line, Outline
from oathward.gateway.guard.payload import (
    ADDRESS,
    CODES,
    OBJECT,
    Objects,
    is_json,
    objects_of,
    without_our_ids,
)
from oathward.gateway.guard.quiet import is_quiet
from oathward.gateway.guard.tokens import role_of
from oathward.gateway.guard.verdict import CLEAN, Counted, Stop, Verdict

EXPANSION = 8
"""Opened layers of a message may be this many times its size, of what is beyond ``EXPANSION_BYTES_MIN`` only
``EXPANSION_LARGE`` times, and ``EXPANSION_BYTES_MIN`` more."""
EXPANSION_LARGE = 2
EXPANSION_BYTES_MIN = 262_144

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
_CARD = "card"

_OURS = re.compile(rb"[0-9A-V]{20}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
_OUTLINE = attrgetter("outline")
_NOT_BLANKS = bytes(code for code in range(256) if code not in b" \t")
_PACKED = frozenset(
    (b"\x1f\x8b", b"PK", b"\x78\x9c", b"\x78\x01", b"\x78\xda", b"\xff\xfe", b"\xfe\xff", b"%P")
)


def check(message: OneMessage, context: Context, outgoing: bytes) -> Verdict:
    """Search one payload: most have nothing but lines of known outlines and other people's digits.

    Raises:
        Unsearchable: it cannot be searched within bounds.
    """
    if is_json(outgoing):
        return _check_json(message, context, outgoing)
    lines = outgoing.split(b"\r")
    lines[0] = _without_our_id(lines[0], message.original)
    found = message.outlines.read(lines, message.original, message.fresh)
    numbers = context.closed and message.may_hold_number(context, lines)
    packed = 0 in outgoing or outgoing[:2] in _PACKED
    if packed or numbers or not context.clean.issuperset(map(_OUTLINE, found)):
        return Check(message, context, lines, found, _Segments(lines, message.original)).run(
            outgoing, numbers=numbers, packed=packed
        )
    hit = message.search(context, lines, found)
    if hit is not None:
        return Stop(hit[0].kind, f"{hit[0].place} in {_Segments(lines, message.original).place_of(hit[1])}")
    message.clean(context, lines)
    return CLEAN


def _check_json(message: OneMessage, context: Context, outgoing: bytes) -> Verdict:
    """Search JSON: object by object where any of its pieces asks for it."""
    outgoing = without_our_ids(outgoing, message.came_with)
    if is_quiet(message, context, outgoing, _hides):
        return CLEAN
    objects = objects_of(outgoing)
    found = message.outlines.read(objects.lines, message.original, message.fresh)
    numbers = context.closed and message.may_hold_number(context, objects.lines)
    return Check(message, context, objects.lines, found, objects).run(outgoing, numbers=numbers, packed=False)


def _hides(message: OneMessage, context: Context, piece: bytes, line: Line) -> bool:
    """Say whether a piece's encodings hide something; where not, note what must be asked about it each time."""
    alone, asked = message.asking()
    close = Check(alone, context, [piece], [line], _Segments([piece], message.original))
    try:
        if close.hides() is not None:
            return True
    except Unsearchable:
        return True
    context.know_hidden(line.outline, frozenset(asked))
    return False


class _Segments:
    """Where the lines of HL7 v2 stand: segments by number, because their names are the sender's."""

    __slots__ = ("_component", "_lines")

    def __init__(self, lines: list[bytes], original: Original) -> None:
        self._lines, self._component = lines, bytes([original.separators.component])

    def place_of(self, line: bytes) -> str:
        """Say where a line stands."""
        return f"segment {self._lines.index(line) + 1}" if line in self._lines else "message"

    def is_value(self, form: bytes) -> bool:
        """Say whether a code or sub-id is nothing but this."""
        return search.is_code(self._lines, form, self._component)

    def coded_words(self) -> Iterator[bytes]:
        """Give the words inside of identifiers of what was observed (OBX-3.1, 3.2, 3.4, 3.5), where they have no blanks."""
        for line in self._lines:
            fields = line.split(line[3:4], 4) if line.startswith(b"OBX") and len(line) > 4 else []
            parts = fields[3].split(self._component) if len(fields) > 3 else []
            for part in parts[:2] + parts[3:5]:
                if not part.translate(None, _NOT_BLANKS):
                    yield from letter_words(fold(part))


class Check:
    """A closer look at one payload."""

    __slots__ = ("_alone", "_budget", "_context", "_found", "_hits", "_lettered", "_lines", "_message", "_open", "_opened_clean", "_original", "_places", "_seen")  # fmt: skip

    def __init__(
        self,
        message: OneMessage,
        context: Context,
        lines: list[bytes],
        found: list[Line],
        places: _Segments | Objects,
    ) -> None:
        self._places = places
        self._message, self._context, self._original = message, context, message.original
        self._lines, self._found = lines, found
        self._hits: Counter[str] = Counter()
        self._alone: dict[bytes, str] = {}
        self._lettered = False
        self._open: list[bytes] = []
        self._opened_clean: list[tuple[Outline, Weak]] = []

    def run(self, outgoing: bytes, *, numbers: bool, packed: bool) -> Verdict:
        """Search line by line, then what lines hide.

        Args:
            numbers: whether the digits may hold those of a token.
            packed: whether the payload as a whole may be compressed, or text of another width.
        """
        if packed:
            self._open.append(outgoing)
        stop = self._letters()
        if stop is None and self._hits and self._context.closed:
            stop = self._coded()
        if stop is None and (numbers or self._lettered):
            stop = self._numbers()
        stop = stop or self._keyed()
        if stop is None and self._open:
            stop = self._opened(len(outgoing))
        if stop is not None:
            return stop
        for facts, weak in self._opened_clean:
            self._context.know_outline(facts, weak)
        if len(self._alone) > 1:
            return Stop("name-parts", f"{next(iter(self._alone.values()))} in message")
        if self._hits:
            return Counted(dict(self._hits))
        self._message.clean(self._context, self._lines)
        return CLEAN

    # --- in plain sight

    def _letters(self) -> Stop | None:
        """Search words and names, and note what else each line needs."""
        clean = self._context.clean
        for line, one in zip(self._lines, self._found, strict=True):
            if one.outline not in clean:
                stop = self._look(line, one.outline)
                if stop is not None:
                    return stop
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
        self._lettered = self._lettered or context.is_lettered(facts)
        weak = self._words(line, facts) if known is None else known
        if isinstance(weak, Stop):
            return weak
        if known is None:
            if facts.encoded:
                self._open.append(line)
                self._opened_clean.append((facts, weak))
            else:
                context.know_outline(facts, weak)
        elif facts.encoded and (self._message.foreign is not None or context.strong):
            self._open.append(line)  # clean for one patient is not clean for another, nor in another month
        for place, word in weak:
            if word:
                self._alone[word] = place
            else:
                self._hits[place] += 1
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
        return (*weak, *((_CARD, b"") for _ in found), *parts)

    def _name_parts(self, line: bytes, facts: Outline, found: AbstractSet[bytes]) -> Stop | Weak:
        """Search names that are all of a component: stop at a long one, give the short ones."""
        context = self._context
        names = context.tokens.name_words
        carded = found & context.names
        if not context.closed or not (carded or facts.words & names.keys()):
            return ()
        if line.startswith(b"MSH") or (
            context.clear and (line[:3] in PERSON_SEGMENTS or line.startswith(ADDRESS))
        ):
            return ()  # a hospital's name, or a town that the plan keeps
        short = []
        codes = COMMON | CODES if line.startswith(OBJECT) else COMMON
        for word in set(search.alone(fold(line, self._original.charset))) - codes:
            place = names.get(word) or (_CARD if carded and self._message.hashes.word(word) in carded else "")
            if len(word) >= NAME_ALONE_MIN and place and (place == _CARD or role_of(place) == "patient"):
                return Stop("name-parts", self._place(place, line))
            if place:
                short.append((place, word))
        return tuple(short)

    def _coded(self) -> Stop | None:
        """Search long names inside of codes, where no sentence stands: not remembered, a line does not say what is a code."""
        context = self._context
        for word in set(self._places.coded_words()) - COMMON - CODES:
            if len(word) < NAME_ALONE_MIN:
                continue
            place = context.tokens.name_words.get(word, "")
            if place and role_of(place) == "patient":
                return Stop("name-parts", f"{place} in message")
            if context.names and self._message.hashes.word(word) in context.names:
                return Stop("name-parts", f"{_CARD} in message")
        return None

    def _card_words(self, text: bytes, hashes: AbstractSet[bytes]) -> search.Hit | None:
        """Search the card's words: a whole token, or two words of names close together."""
        context = self._context
        if not hashes.isdisjoint(context.strong):
            return search.Hit("token", _CARD)
        found = hashes & context.names
        if len(found) < 2:
            return None
        fields = [
            [self._message.hashes.word(word) for word in words] for words in search.words_by_field(text)
        ]
        close = any(
            search.near(iter(fields), {one}, found - {one}, search.WORDS_BETWEEN_MAX + 1) for one in found
        )
        return search.Hit("name", _CARD) if close else None

    def _numbers(self) -> Stop | None:
        tokens, body = self._context.tokens, b"\r".join(self._lines)
        squeezed = squeeze(body)
        hit = search.numbers(body, squeezed, tokens)
        if hit is not None:
            line = next((one for one in self._lines if search.numbers(one, squeeze(one), tokens)), b"")
            return Stop(hit.kind, self._place(hit.place, line))
        for place in search.weak(body, squeezed, tokens):
            self._hits[place] += 1
        for form, place in tokens.weak_ids.items():
            if form in squeezed and self._places.is_value(form):
                return Stop("weak-identifiers", f"{place} in message")
        return None

    def _keyed(self) -> Stop | None:
        """Search tokens with digits by their hashes."""
        hit = self._message.search(self._context, self._lines, self._found)
        return None if hit is None else Stop(hit[0].kind, self._place(hit[0].place, hit[1]))

    # --- behind encodings

    def hides(self) -> Stop | None:
        """Search what the lines' encodings hide, and nothing else."""
        self._open = list(self._lines)
        return self._opened(sum(map(len, self._lines)))

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
        if hit is None and (context.card or context.canaries):
            hashes = self._message.hashes.words(frozenset(letter_words(text)))
            if not hashes.isdisjoint(context.canaries):
                return search.Hit("canary", "canary")
            hit = self._card_words(text, hashes)
        if hit is None and (context.card or context.canaries or self._message.foreign):
            hit = self._message.search_text(context, text)
        return hit

    def _place(self, place: str, line: bytes) -> str:
        return f"{place} in {self._places.place_of(line)}"


def _without_our_id(line: bytes, original: Original) -> bytes:
    """Blank MSH-10 where it is an id that Oathward made: random letters that would make every line new."""
    if not line.startswith(b"MSH") or len(line) < 4:
        return line
    separator = line[3:4]
    fields = line.split(separator, 10)
    if len(fields) < 11 or not _OURS(fields[9]) or fields[9].isdigit() or fields[9] == original.control_id:
        return line
    fields[9] = b""
    return separator.join(fields)
