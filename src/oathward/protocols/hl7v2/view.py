"""The form a message is read in: separators found, character set settled, hidden bytes made visible.

Rules:
- Nearly every message is read as it came. Two kinds are rewritten first: a character set whose bytes hide
  separators becomes UTF-8, and MSH-18 says so; optional separators that are letters, digits or control
  characters become the usual ones. What follows never meets either.
- MSH-1 and the component separator are ASCII punctuation, all separators differ, and component and
  repetition are given; anything else is refused.

Source: HL7 v2.8.2 §2.5.4 (delimiters), §2.14.9.1, §2.14.9.2 (MSH-1, MSH-2), §2.14.9.18 (MSH-18).
"""

from __future__ import annotations

import re
from functools import lru_cache

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason
from oathward.protocols.hl7v2.charset import UTF_8, UTF_8_NAME, Charset, charset_of, text_of, unmarked
from oathward.protocols.hl7v2.escapes import ABSENT, USUAL, Separators, escape_bytes, unescape_bytes

_PUNCTUATION = frozenset(b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
_LINE_ENDS = re.compile(rb"[\r\n]")
_BYTES = [bytes([code]) for code in range(256)]


def unwrapped(raw: bytes) -> tuple[bytes, Charset | None]:
    """Take off a byte order mark and blank lines; say the character set where the bytes themselves show it.

    Raises:
        DecodeError: MESSAGE_EMPTY, HEADER_MISSING, BATCH_BROKEN (a batch header), CHARSET_BROKEN.
    """
    view, known = unmarked(raw)
    view = view.lstrip(b"\r\n")
    if not view:
        raise DecodeError("message", "some bytes", reason=Reason.MESSAGE_EMPTY)
    if view.startswith((b"FHS", b"BHS")):
        raise DecodeError("message", "one message, not a batch", reason=Reason.BATCH_BROKEN)
    if not view.startswith(b"MSH"):
        raise DecodeError("message", "MSH first", reason=Reason.HEADER_MISSING)
    return view, known


def separators_of(header: bytes) -> Separators:
    """Read MSH-1 and MSH-2.

    Raises:
        DecodeError: SEPARATORS_INVALID.
    """
    end = header.find(header[3:4], 4, 12) if len(header) > 3 else -1
    return _defined(header[3 : end if end >= 0 else 12])


@lru_cache(maxsize=256)
def _defined(given: bytes) -> Separators:
    """Read MSH-1 and MSH-2; ``given`` is both, without what ends MSH-2."""
    bad = DecodeError("MSH-2", "different punctuation characters", reason=Reason.SEPARATORS_INVALID)
    if not 3 <= len(given) <= 6 or len(set(given)) < len(given) or not given.isascii():
        raise bad
    if given[0] not in _PUNCTUATION or given[1] not in _PUNCTUATION:
        raise bad
    if any(code in b"\x00\t\n\x0b\x0c\r\x1c " or 65 <= code & ~32 <= 90 for code in given):
        raise bad
    return Separators(*given)


def usable(separators: Separators) -> bool:
    """Say whether no separator is a letter, a digit or a control character."""
    return separators is USUAL or all(
        code in _PUNCTUATION
        for code in (separators.repetition, separators.escape, separators.subcomponent, separators.truncation)
        if code
    )


def declared_charset(fields: list[bytes], separators: Separators) -> Charset:
    """Find the character set of MSH-18; ``fields`` is the header, split.

    Raises:
        DecodeError: CHARSET_UNSUPPORTED.
    """
    named = fields[17] if len(fields) > 17 else b""
    if named and not b"".join(fields).isascii():
        # Trail bytes of BIG-5 and GB 18030 may look like separators and shift the header's fields.
        named = next((field for field in fields[17:] if field in _SHIFTING), named)
    return charset_of(named, separators.repetition)


_SHIFTING = frozenset((b"BIG-5", b"BIG5", b"GB 18030-2000", b"GB18030"))


def rewritten(view: bytes, charset: Charset, separators: Separators) -> tuple[bytes, Separators]:
    """Give the message in UTF-8 with separators that are punctuation, saying so in MSH-2 and MSH-18.

    Args:
        charset: of ``view``; where it is transparent only its label and the separators can need a change.

    Raises:
        DecodeError: CHARSET_BROKEN.
    """
    if not charset.transparent:
        view = text_of(view, charset).encode()
        fields = _first_line(view).split(_BYTES[separators.field])
        if len(fields) < 18 or charset_of(fields[17], separators.repetition) != charset:
            raise DecodeError("MSH-18", "the same in its own character set", reason=Reason.CHARSET_BROKEN)
    if not view.isascii() and (charset == UTF_8 or not charset.transparent):
        view = _labelled_utf_8(view, _BYTES[separators.field])
    return (view, separators) if usable(separators) else _with_usual_separators(view, separators)


def _labelled_utf_8(view: bytes, separator: bytes) -> bytes:
    header = _first_line(view)
    fields = header.split(separator)
    fields += [b""] * (18 - len(fields))
    fields[17] = UTF_8_NAME
    return separator.join(fields) + view[len(header) :]


def _with_usual_separators(view: bytes, old: Separators) -> tuple[bytes, Separators]:
    new = Separators(old.field, old.component, *_substitutes(old))
    lines = [_retold(line, old, new) for line in _LINE_ENDS.split(view)]
    start = 4 + view[4:].find(_BYTES[old.field])
    mark = bytes((new.component, new.repetition, new.escape, new.subcomponent))
    lines[0] = view[:4] + mark + _retold(_first_line(view)[start:], old, new)
    return b"\r".join(lines), new


def _first_line(view: bytes) -> bytes:
    end = view.find(b"\r")
    header = view if end < 0 else view[:end]
    return header if 10 not in header else header[: header.index(b"\n")]


def _substitutes(separators: Separators) -> tuple[int, int, int]:
    """Pick repetition, escape and sub-component characters that are punctuation and not yet taken."""
    taken = {separators.field, separators.component}
    chosen = []
    for wanted in b"~\\&":
        code = next(code for code in (wanted, *b"~\\&#@%$") if code not in taken)
        taken.add(code)
        chosen.append(code)
    return chosen[0], chosen[1], chosen[2]


def _retold(line: bytes, old: Separators, new: Separators) -> bytes:
    """Write one line's fields with other separators, escaping what became one."""
    pairs = [(old.field, new.field), (old.repetition, new.repetition), (old.component, new.component)]
    pairs += [(old.subcomponent, new.subcomponent)] if old.subcomponent != ABSENT else []

    def inner(value: bytes, level: int) -> bytes:
        if level == len(pairs):
            return escape_bytes(unescape_bytes(value, old), new)
        before, after = pairs[level]
        return _BYTES[after].join(inner(piece, level + 1) for piece in value.split(_BYTES[before]))

    return inner(line, 0)
