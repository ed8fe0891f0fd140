"""Plain text: UTF-8, UTF-16 with its mark, or one byte a character.

Rules:
- A text names nobody in a field: nothing is known of whose it is, so it is recognisers alone that find what names somebody.
- What has control characters is held, wherever they stand: it is binary, or of another character set than it says.
- Where the profile does not clean texts, none leaves; where it leaves them as they are, neither.

Deliberately absent: tables and formats of word processors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from oathward.core.errors import DecodeError, DeidentificationError
from oathward.core.labels import CLASSES
from oathward.core.reasons import Reason
from oathward.deid.action import Seeds
from oathward.deid.plan import Plan, compile_plan
from oathward.deid.text.model import NOTHING
from oathward.deid.texts import Reading
from oathward.deidentifying.format import Content, Format, Shaped, Terms, Unit, one_after_another
from oathward.protocols.shaping import Edit, Texts, edited

_SUFFIXES = (".txt", ".text", ".md")
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_CONTROL = re.compile(_BINARY.pattern.decode())
_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_BYTES_MAX = 64 << 20
_NOTE = "note.text"


def _recognise(head: bytes, name: str) -> bool:
    return name.endswith(_SUFFIXES) and (head[:2] in _MARKS or not _BINARY.search(head))


def _compile(terms: Terms) -> Plan:
    return compile_plan(terms.profile, CLASSES)


def _read(data: bytes, _terms: Terms) -> Content:
    text, charset = _decoded(data)
    if _CONTROL.search(text):  # UTF-32 begins as UTF-16 does; what stands between letters hides every word
        raise DecodeError("text", "no control characters", reason=Reason.CHARSET_BROKEN)

    def shape(plan: Plan, seeds: Seeds) -> Shaped:
        edits = edits_of(plan, text, seeds)
        if edits is None:
            raise DeidentificationError("text", "a profile that cleans texts", reason=Reason.NOTHING_LEFT)
        return Shaped((edited(text, edits).encode(charset, "replace"),), {}, {_NOTE: len(edits)})

    return Content([Unit((), lambda: NOTHING, shape)], one_after_another)


def _decoded(data: bytes) -> tuple[str, str]:
    """Give a text, and its character set.

    Raises:
        DecodeError: ``CHARSET_BROKEN``; it is not what its mark says.
    """
    charset = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        return data.decode(charset), charset
    except UnicodeDecodeError:
        if charset != "utf-8":
            raise DecodeError(
                "text", "the character set its mark says", reason=Reason.CHARSET_BROKEN
            ) from None
    return data.decode("latin-1"), "latin-1"


def _texts(data: bytes) -> Iterator[str]:
    """Give what of a file that was written is searched: the text, in its character set."""
    try:
        yield _decoded(data)[0]
    except DecodeError:
        yield data.decode("latin-1")


def edits_of(plan: Plan, text: str, seeds: Seeds) -> Sequence[Edit] | None:
    """Give what a plan changes of a text; None where nothing of it may leave.

    Raises:
        DeidentificationError: it is held.
    """
    ruling = plan.texts.decide(_NOTE, "") if plan.texts else None
    if plan.texts is None or not isinstance(ruling, Texts):
        return None
    return ruling.edits(text, reading_of(plan.texts).seeds(text, seeds))


def reading_of(texts: Reading) -> Reading:
    """Give how a text alone is read: there is nothing else in its file that would say whose it is."""
    return Reading(texts.decide, lambda _text: (), lambda _text: ())


FORMAT = Format("text", ".txt", _recognise, _compile, _read, _BYTES_MAX, names=None, texts=_texts)
