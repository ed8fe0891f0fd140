"""What the guard knows about lines: their words, and where tokens may stand, looked at once per outline.

Rules:
- Two lines with one outline (``normalise.outline``) differ in digits only, so words, escapes and places of
  digits are the same. Runs of letters *and* digits, which may be an encoding, are compared with the line itself:
  a line whose runs are others than those remembered is a new outline.
- A time as ISO 8601 writes it is its date; the digits of a UUID are no numbers of their own.
- A line that comes again is known by its bytes, another one by its outline and the tokens in it (``Line``). What
  comes only once is not remembered: it would push out of the processor's caches what comes with every message.
- One ``Outlines`` serves one character set and escape character: with others the same bytes say something else.
- Memory is bounded and holds values of messages: its owner drops it as a whole.

Deliberately absent: persons and links. Nothing here depends on whose line it is, or where it goes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import compress
from operator import itemgetter
from typing import TypeVar, cast

from oathward.gateway.guard.dates import may_hold
from oathward.gateway.guard.hashes import Hashes, Once
from oathward.gateway.guard.normalise import (
    decoded,
    fold,
    is_layered,
    letter_words,
    outline,
    runs,
    squeeze,
)
from oathward.gateway.guard.original import Original
from oathward.gateway.guard.spans import NO_LETTERS, Spans, spans_of, whole_of

OUTLINES_MAX = 16_384
OUTLINES_BYTES_MAX = 16_777_216
LINES_MAX = 16_384
STAMPED_MIN = 3
"""Unknown lines of a payload from which on it is worth looking whether they differ from known ones in their time."""
FRESH_MAX = 1_024
"""Lines of one message that came for the first time, kept for its other links."""
LINE_BYTES_MAX = 1_024
"""Longer lines are not known by their bytes, nor by their tokens."""
_DATE_DIGITS_MIN, _DATE_DIGITS_MAX = 8, 30
_HIDDEN = re.compile(rb"0[^0A-Za-z|]{0,3}[\x80-\xff][^0A-Za-z|]{0,9}0")
# Letters and digits in base64 never give one of these, so what hides a token has no short parts.
_PART = re.compile(rb"[0A-Za-z]{8,}")


Times = tuple[tuple[bytes, bool], ...]
"""Dates, or what stands in their places: then it is asked about as any other piece."""
Key = TypeVar("Key")


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """What all lines of one outline have in common; compared by identity.

    ``letters``: the line squeezed, without digits. ``hashes``: keyed hashes of its words, and of the longer
    ones as tokens. ``pieces``: takes what may be a token with digits, but for dates; ``whole``: which of these are
    hardly a measured value or a code (``whole_of``). ``times``: where a date or a time may stand, and whether that
    would be such a piece. ``mixed``: where runs of letters and digits stand that may be an encoding. ``encoded``: a
    run decodes to something. ``opened``: a line like this must be opened each time. ``dated``: it may hold a date
    in parts.
    """

    shape: bytes
    words: frozenset[bytes]
    letters: bytes
    hashes: frozenset[bytes]
    pieces: Callable[[bytes], tuple[bytes, ...]]
    whole: tuple[bool, ...]
    times: tuple[tuple[int, int, bool], ...]
    mixed: Spans
    encoded: bool
    opened: bool
    dated: bool


@dataclass(slots=True, eq=False)
class Line:
    """What all lines of one outline with the same tokens have in common: keyed hashes of those with digits.

    ``tokens``: all of them, of a time its date. ``asked``: without dates, what may be somebody's identifier;
    ``whole``: of these, what is hardly a measured value or a code.
    """

    outline: Outline
    tokens: Collection[bytes]
    asked: Collection[bytes]
    whole: Collection[bytes]

    def settle(self) -> None:
        """Make it what is kept."""
        self.tokens, self.asked, self.whole = (
            frozenset(self.tokens),
            frozenset(self.asked),
            frozenset(self.whole),
        )


class Outlines:
    """Remember lines and their outlines.

    ``generation``: another object after everything was dropped; who still holds an outline then holds it alone.
    """

    __slots__ = ("_by_tokens", "_bytes", "_hashes", "_known", "_lines", "_once", "_runs", "_stamped", "_tokens", "_variants", "generation")  # fmt: skip

    def __init__(self, hashes: Hashes) -> None:
        self._hashes, self._tokens = hashes, hashes.known
        self._known: dict[bytes, Outline] = {}
        self._variants: dict[tuple[bytes, ...], Outline] = {}
        self._bytes = 0
        self._runs: dict[bytes, bool] = {}
        self._by_tokens: dict[tuple[object, ...], Line] = {}
        self._lines: dict[bytes, Line] = {}
        self._stamped: dict[bytes, Line] = {}
        self._once = Once()
        self.generation: object = object()

    def read(self, lines: list[bytes], original: Original, fresh: dict[bytes, Line]) -> list[Line]:
        """Give what is known of each line.

        Args:
            original: says character set and escape character.
            fresh: lines of this message's other payloads that had not come before; what is new is put in.
        """
        found = list(map(self._lines.get, lines))
        if None not in found:
            return cast("list[Line]", found)
        if len(fresh) > FRESH_MAX:
            fresh.clear()
        missing = [at for at, one in enumerate(found) if one is None]
        time, sign = (
            self._time_of(lines[missing[-1]], original) if len(missing) >= STAMPED_MIN else (b"", b"")
        )
        for at in missing:
            line = lines[at]
            one = fresh.get(line)
            if one is None:
                stamped = (line + b"|").replace(time, sign) if time else line
                if 0 in stamped and 0 not in line:
                    one = self._stamped.get(stamped) or self._read_stamped(line, stamped, original)
                else:
                    one = self._read(line, original)
                fresh[line] = one
            found[at] = one
        return cast("list[Line]", found)

    def read_pieces(self, pieces: list[bytes], original: Original, fresh: dict[bytes, Line]) -> list[Line]:
        """Give what is known of each piece of JSON; see ``read``."""
        found = list(map(self._lines.get, pieces))
        if None in found:
            for at, one in enumerate(found):
                if one is None:
                    piece = pieces[at]
                    found[at] = fresh.get(piece) or fresh.setdefault(piece, self._read_piece(piece, original))
        return cast("list[Line]", found)

    def _time_of(self, line: bytes, original: Original) -> tuple[bytes, bytes]:
        """Give the first field of a line that is a time and nothing else, and what tells its day and length.

        Lines with another time of that day and length in the same fields say the same.
        """
        for start, end, _ in self._of(outline(line), line, original).times:
            alone = line[start - 1 : start] == b"|" and line[end : end + 1] in {b"|", b""}
            day = self._hashes.day(line[start:end]) if alone else b""
            if day:
                return line[start - 1 : end] + b"|", b"|\0%d %b|" % (end - start, day)
        return b"", b""

    def _read_stamped(self, line: bytes, stamped: bytes, original: Original) -> Line:
        found = self._read(line, original)
        if len(line) <= LINE_BYTES_MAX and self._once.again(stamped):
            _keep(self._stamped, stamped, found)
        return found

    def _read(self, line: bytes, original: Original) -> Line:
        """Look at a line that is not known by its bytes."""
        facts = self._of(outline(line), line, original)
        pieces = facts.pieces(line)
        times = self._in_times(facts, line) if facts.times else ()
        key = (facts, pieces, times)
        found = self._by_tokens.get(key) or self._hashed(facts, pieces, times)
        if len(line) <= LINE_BYTES_MAX:
            if self._once.again(key):
                _keep(self._by_tokens, key, found)
            if self._once.again(line):
                _keep(self._lines, line, found)
        return found

    def _in_times(self, facts: Outline, line: bytes) -> Times:
        """Give the date of each time; what turns out to be none, marked as such."""
        found = []
        for start, end, _ in facts.times:
            piece = line[start:end]
            day = self._hashes.day(piece)
            found.append((day or piece, not day))
        return tuple(found)

    def _hashed(self, facts: Outline, pieces: tuple[bytes, ...], times: Times) -> Line:
        token = self._hashes.token
        asked = [token(piece) for piece in pieces]
        whole = list(compress(asked, facts.whole))
        dates = []
        for (piece, is_asked), (_, _, is_whole) in zip(times, facts.times, strict=True):
            hashed = token(piece)
            if not is_asked:
                dates.append(hashed)
                continue
            asked.append(hashed)
            if is_whole:
                whole.append(hashed)
        others = frozenset(asked)
        return Line(facts, others.union(dates) if dates else others, others, frozenset(whole))

    def _read_piece(self, line: bytes, original: Original) -> Line:
        """Look at a piece of JSON that is not known by its bytes: it has few tokens, so they are not looked up as one."""
        facts = self._of(outline(line), line, original)
        asked = [self._tokens(piece) or self._hashes.token(piece) for piece in facts.pieces(line)]
        if facts.times:
            found = self._with_times(facts, line, asked)
        else:
            found = Line(facts, asked, asked, list(compress(asked, facts.whole)) if facts.whole else asked)
        if len(line) <= LINE_BYTES_MAX and self._once.again(line):
            found.settle()
            _keep(self._lines, line, found)
        return found

    def _with_times(self, facts: Outline, line: bytes, asked: list[bytes]) -> Line:
        """Put in the date of each time; what turns out to be none is asked about as any other piece."""
        token, day = self._hashes.token, self._hashes.day
        whole = list(compress(asked, facts.whole))
        dates = []
        for start, end, is_whole in facts.times:
            piece = line[start:end]
            date = day(piece)
            if date:
                dates.append(token(date))
                continue
            hashed = token(piece)
            asked.append(hashed)
            if is_whole:
                whole.append(hashed)
        return Line(facts, asked + dates if dates else asked, asked, whole)

    def _of(self, shape: bytes, line: bytes, original: Original) -> Outline:
        """Give the outline of a line; ``shape`` is how it looks."""
        facts = self._known.get(shape)
        if facts is not None and facts.mixed:
            facts = self._variants.get((shape, *(line[start:end] for start, end in facts.mixed)))
        return facts or self._learn(shape, line, original)

    def _learn(self, shape: bytes, line: bytes, original: Original) -> Outline:
        """Look at an outline for the first time."""
        folded = fold(shape, original.charset)
        words = frozenset(letter_words(folded))
        spans = spans_of(shape)
        whole = frozenset(whole_of(shape, spans))
        times = [span for span in spans if _may_be_a_time(shape[span[0] : span[1]])]
        timed = set(times)
        others = [span for span in spans if span not in timed]
        found = Outline(
            shape=shape,
            words=words,
            letters=squeeze(folded).translate(None, b"0123456789"),
            hashes=self._hashes.words(words),
            pieces=_taker(others),
            whole=tuple(span in whole for span in others),
            times=tuple((start, end, (start, end) in whole) for start, end in times),
            mixed=tuple(match.span() for match in _PART.finditer(shape) if _is_mixed(match[0])),
            encoded=any(map(self._decodes, runs(line))),
            opened=is_layered(shape, original.separators.escape)
            or (not shape.isascii() and _hides_digits(shape, folded)),
            dated=may_hold(folded, words),
        )
        self._bytes += len(shape)
        if len(self._known) + len(self._variants) >= OUTLINES_MAX or self._bytes > OUTLINES_BYTES_MAX:
            self._forget()
            self._bytes = len(shape)
        self._known[shape] = found
        if found.mixed:
            self._variants[shape, *(line[start:end] for start, end in found.mixed)] = found
        return found

    def _forget(self) -> None:
        for memory in (self._known, self._variants, self._by_tokens, self._lines, self._stamped):
            memory.clear()
        self.generation = object()

    def _decodes(self, run: bytes) -> bool:
        found = self._runs.get(run)
        if found is None:
            if len(self._runs) >= OUTLINES_MAX:
                self._runs.clear()
            found = bool(decoded(run))
            if len(run) <= LINE_BYTES_MAX:
                self._runs[run] = found
        return found


def _keep(memory: dict[Key, Line], key: Key, found: Line) -> None:
    if len(memory) >= LINES_MAX:
        memory.clear()
    memory[key] = found


def _taker(spans: list[tuple[int, int]]) -> Callable[[bytes], tuple[bytes, ...]]:
    """Make what takes these pieces out of a line, in one call where there are several."""
    if len(spans) > 1:
        return itemgetter(*(slice(start, end) for start, end in spans))
    return lambda line: tuple([line[start:end] for start, end in spans])


def _may_be_a_time(part: bytes) -> bool:
    digits = part.count(b"0")
    return (
        _DATE_DIGITS_MIN <= digits <= _DATE_DIGITS_MAX
        and not digits % 2
        and not part.translate(None, NO_LETTERS)
    )


def _is_mixed(part: bytes) -> bool:
    return not (part.isalpha() or part.isdigit())


def _hides_digits(shape: bytes, folded: bytes) -> bool:
    """Say whether digits of another script, or marks between digits, may hide a number."""
    return _HIDDEN.search(shape) is not None or bool(folded.translate(None, _NOT_1_TO_9))


_NOT_1_TO_9 = bytes(code for code in range(256) if not 49 <= code <= 57)
