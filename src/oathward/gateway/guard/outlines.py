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
from bisect import bisect_left
from collections.abc import Callable, Iterator
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
from oathward.gateway.guard.tokens import IDENTIFIER_LENGTH_MIN

OUTLINES_MAX = 16_384
OUTLINES_BYTES_MAX = 16_777_216
LINES_MAX = 16_384
STAMPED_MIN = 3
"""Unknown lines of a payload from which on it is worth looking whether they differ from known ones in their time."""
FRESH_MAX = 1_024
"""Lines of one message that came for the first time, kept for its other links."""
LINE_BYTES_MAX = 1_024
"""Longer lines are not known by their bytes, nor by their tokens."""
TOKEN_LENGTH_MAX = 64
JOINED_DIGITS_MAX = 16
WHOLE_DIGITS_MIN = 7
_DATE_DIGITS_MIN = 8
_NO_LETTERS = b"0123456789-./ ()"

_DIGITS = re.compile(rb"0{6,}")
# Runs are bounded and start where digits start: a long row of digits is looked at once.
_GROUPS = re.compile(rb"(?<!0)0{1,16}(?!0)(?:[ \-./()]{1,2}0{1,16}(?!0))+")
_ISO_TIME = re.compile(rb"(?<![0A-Za-z.])(0000-00-00)T00:00(?::00(?:\.0{1,9})?)?(?![0A-Za-z]{2})")
_UUID = re.compile(rb"(?<![0A-Za-z])[0A-Fa-f]{8}-(?:[0A-Fa-f]{4}-){3}[0A-Fa-f]{12}(?![0A-Za-z])")
_UUID_HYPHENS = 4
_SEPARATORS = re.compile(rb"[\-./]")
_RUNS = bytes(
    code if chr(code) in "-./" or (chr(code).isalnum() and code < 128) else 32 for code in range(256)
)
_HIDDEN = re.compile(rb"0[^0A-Za-z|]{0,3}[\x80-\xff][^0A-Za-z|]{0,9}0")
# Letters and digits in base64 never give one of these, so what hides a token has no short parts.
_PART = re.compile(rb"[0A-Za-z]{8,}")


Spans = tuple[tuple[int, int], ...]
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
    tokens: frozenset[bytes]
    asked: frozenset[bytes]
    whole: frozenset[bytes]


class Outlines:
    """Remember lines and their outlines.

    ``generation``: another object after everything was dropped; who still holds an outline then holds it alone.
    """

    __slots__ = ("_by_tokens", "_bytes", "_hashes", "_known", "_lines", "_once", "_runs", "_stamped", "_variants", "generation")  # fmt: skip

    def __init__(self, hashes: Hashes) -> None:
        self._hashes = hashes
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
        if len(fresh) > FRESH_MAX:
            fresh.clear()
        missing = [at for at, one in enumerate(found) if one is None] if None in found else []
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
    return digits >= _DATE_DIGITS_MIN and not digits % 2 and not part.translate(None, _NO_LETTERS)


def spans_of(shape: bytes) -> Spans:
    """List where in an outline tokens with digits may stand: runs, and runs joined by single separators."""
    found = [match.span() for match in _DIGITS.finditer(shape)]
    found += [match.span() for match in _GROUPS.finditer(shape) if _is_number(match[0])]
    at = 0
    for run in [
        one for one in shape.translate(_RUNS).split() if len(one) >= IDENTIFIER_LENGTH_MIN and 48 in one
    ]:
        at = shape.index(run, at)
        found += _in_run(run, at)
        at += len(run)
    if b"T00:" in shape:
        found = _without_parts(found, [(match.span(), match.span(1)) for match in _ISO_TIME.finditer(shape)])
    if shape.count(b"-") >= _UUID_HYPHENS:
        found = _without_parts(found, [(match.span(), match.span()) for match in _UUID.finditer(shape)])
    return tuple(span for span in dict.fromkeys(found) if span[1] - span[0] <= TOKEN_LENGTH_MAX)


def _without_parts(
    found: list[tuple[int, int]], wholes: list[tuple[tuple[int, int], tuple[int, int]]]
) -> list[tuple[int, int]]:
    """Leave out what is part of a whole, and put in what stands for it: of a time its date, of a UUID itself.

    Args:
        wholes: in order, none over another.
    """
    starts = [start for (start, _), _ in wholes]
    left = []
    for start, end in found:
        at = bisect_left(starts, end) - 1
        if at < 0 or wholes[at][0][1] <= start:
            left.append((start, end))
    return left + [span for _, span in wholes]


def whole_of(shape: bytes, spans: Spans) -> Spans:
    """Choose spans with letters, and rows of digits that are no fraction, no range and longer than a code.

    A hospital of some size has given out every number of six digits: each code and count would be a patient's.
    """
    return tuple(
        (start, end)
        for start, end in spans
        if shape[start:end].translate(None, _NO_LETTERS)
        or (
            end - start >= WHOLE_DIGITS_MIN
            and shape[start:end].isdigit()
            and shape[start - 1 : start] != b"."
        )
    )


def _in_run(run: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Give spans of a run of letters, digits and separators: all of it, and its parts with letters and digits."""
    parts = _SEPARATORS.split(run)
    digits = run.count(b"0")
    letters = len(run) - digits - len(parts) + 1
    if not letters:
        return
    if len(parts) > 1 and IDENTIFIER_LENGTH_MIN - 2 <= digits <= JOINED_DIGITS_MAX:
        yield at, at + len(run)
    for part in parts:
        if len(part) >= IDENTIFIER_LENGTH_MIN and 48 in part and part.strip(b"0"):
            yield at, at + len(part)
        at += len(part) + 1


def _is_number(group: bytes) -> bool:
    return IDENTIFIER_LENGTH_MIN <= group.count(b"0") <= JOINED_DIGITS_MAX


def pieces_of(text: bytes, *, whole: bool = False) -> set[bytes]:
    """List the pieces of a text that may be tokens with digits."""
    shape = outline(text)
    spans = spans_of(shape)
    return {text[start:end] for start, end in (whole_of(shape, spans) if whole else spans)}


def _is_mixed(part: bytes) -> bool:
    return not (part.isalpha() or part.isdigit())


def _hides_digits(shape: bytes, folded: bytes) -> bool:
    """Say whether digits of another script, or marks between digits, may hide a number."""
    return _HIDDEN.search(shape) is not None or bool(folded.translate(None, _NOT_1_TO_9))


_NOT_1_TO_9 = bytes(code for code in range(256) if not 49 <= code <= 57)
