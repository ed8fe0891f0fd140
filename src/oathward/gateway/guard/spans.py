"""Where in an outline tokens with digits may stand.

Rules:
- A token is a run of digits, or of letters and digits, or such runs joined by single separators.
- A time as ISO 8601 writes it is its date; the digits of a UUID are no numbers of their own. A UUID is a
  token, and so is what it is joined with: ``PAT-`` and a UUID.

Deliberately absent: what stands there (``outlines``).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

from oathward.gateway.guard.normalise import UUID, UUID_HYPHENS, outline
from oathward.gateway.guard.tokens import IDENTIFIER_LENGTH_MIN

Spans = tuple[tuple[int, int], ...]
TOKEN_LENGTH_MAX = 64
JOINED_DIGITS_MAX = 16
WHOLE_DIGITS_MIN = 7
NO_LETTERS = b"0123456789-./ ()"

_DIGITS = re.compile(rb"0{6,}")
# Runs are bounded and start where digits start: a long row of digits is looked at once.
_GROUPS = re.compile(rb"(?<!0)0{1,16}(?!0)(?:[ \-./()]{1,2}0{1,16}(?!0))+")
_ISO_TIME = re.compile(rb"(?<![0A-Za-z.])(0000-00-00)[Tt]00:00(?::00(?:\.0{1,9})?)?(?![0A-Za-z]{2})")
_BEFORE = re.compile(rb"(?<![0A-Za-z])(?:[0A-Za-z]{1,8}[\-._]){1,2}\Z").search
_BEHIND = re.compile(rb"(?:[\-._][0A-Za-z]{1,8}(?![0A-Za-z])){1,2}").match
_SEPARATORS = re.compile(rb"[\-./]")
_RUNS = bytes(
    code if chr(code) in "-./" or (chr(code).isalnum() and code < 128) else 32 for code in range(256)
)


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
    if b"T00:" in shape or b"t00:" in shape:  # a folded text has small letters
        found = _without_parts(found, [(match.span(), match.span(1)) for match in _ISO_TIME.finditer(shape)])
    if shape.count(b"-") >= UUID_HYPHENS:
        uuids = [match.span() for match in UUID.finditer(shape)]
        found = _without_parts(found, [(one, one) for one in uuids])
        found += [_around(shape, *one) for one in uuids]
    return tuple(span for span in dict.fromkeys(found) if span[1] - span[0] <= TOKEN_LENGTH_MAX)


def _around(shape: bytes, start: int, end: int) -> tuple[int, int]:
    """Give what a UUID is joined with: an identifier may be one behind letters of whoever gave it."""
    before, behind = _BEFORE(shape, max(0, start - TOKEN_LENGTH_MAX), start), _BEHIND(shape, end)
    return before.start() if before else start, behind.end() if behind else end


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
    """Choose spans with letters, UUIDs, and rows of digits that are no fraction, no range and longer than a code.

    A hospital of some size has given out every number of six digits: each code and count would be a patient's.
    """
    return tuple(
        (start, end)
        for start, end in spans
        if shape[start:end].translate(None, NO_LETTERS)
        or UUID.search(shape, start, end)
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
