"""Leave of an attachment the text that names nobody; everything that is no text is held or dropped.

Parameters: ``below``, what happens to what is no text, is too large, or stands elsewhere (a pointer, a URL): ``drop`` or
``hold``; ``recall`` and ``language`` as the action ``text`` has them.

Rules:
- What an attachment is, its bytes say: nobody believes its declared type. Text is plain, HTML, XML or RTF; a PDF, an image,
  an archive, and whatever holds a byte that no text has, is none.
- What leaves is written anew, in UTF-8; of RTF the text without its formatting.
- A text that holds another file (a long run of base64) does not pass with it: the run is removed.

Source: 45 CFR 164.514(b)(2)(i)(Q): images; RFC 2045 (media types).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from oathward.core.errors import DeidentificationError, PolicyError
from oathward.core.reasons import Reason
from oathward.deid.action import Action, Parameters, Seeds
from oathward.deid.actions import text as texts_action
from oathward.protocols import markup, rtf
from oathward.protocols.shaping import REMOVE, Attachments, Ruling, Shaped, Texts

BYTES_MAX = 4_194_304

_FILES = (b"%PDF", b"%!PS", b"PK\x03\x04", b"MZ", b"BM", b"GIF8", b"Rar!", b"OggS", b"ID3", b"RIFF")
"""Beginnings of files that may hold no byte that a text has not."""

_NO_TEXT = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]").search
_NESTED = re.compile(
    r"\A\s*(?:MIME-Version|Content-Type|Content-Transfer-Encoding|begin [0-7]{3}) ?", re.IGNORECASE
).match
_HTML = re.compile(
    r"\A\s*(?:<!--.{0,2000}?-->\s*)?<(?:!doctype html|html|head|body|div|p|table|span|h[1-6]|br|pre|b|i|font|center|ul|ol)\b",
    re.IGNORECASE | re.DOTALL,
).match
_XML = re.compile(r"\A\s*<(?:\?xml|[A-Za-z_!])").match
_RTF = re.compile(r"\A\s*\{\\rtf").match
_HIGH = bytes(range(0x80, 0x100))
_HIGH_SHARE_MAX = 0.3

_Cleaner = Callable[[str, Texts, Any], str | None]


def read(data: bytes) -> str | None:
    """Give the text that bytes are; None where they are none.

    Source: Unicode 15 §23.8 (byte order marks).
    """
    for mark, codec in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            try:
                text = data.decode(codec)
            except UnicodeDecodeError:
                return None
            return None if _NO_TEXT(text.encode("utf-8", "replace")) else text
    if not data or data.lstrip().startswith(_FILES) or _NO_TEXT(data):
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        many = len(data) - len(data.translate(None, _HIGH)) > _HIGH_SHARE_MAX * len(data)
        return None if many else data.decode("cp1252", "replace")


def _plain(text: str, texts: Texts, context: Any) -> str | None:
    found = texts.pieces([text], context)
    return None if found is None else found[0]


def kind_of(text: str) -> tuple[str, _Cleaner] | None:
    """Say what a text is by how it begins: its media type and who cleans it; None for what holds other files."""
    if _NESTED(text):
        return None
    if _RTF(text):
        return "application/rtf", rtf.cleaned
    if _HTML(text):
        return "text/html; charset=utf-8", markup.html
    if _XML(text):
        return "application/xml", markup.xml
    return "text/plain; charset=utf-8", _plain


def _rule(cls: str, part: str, parameters: Parameters) -> Ruling:
    below = "".join(parameters.get("below", ("drop",)))
    if below not in texts_action.BELOW:
        raise PolicyError("parameters.attachment.below", "write one of drop, hold")
    texts = texts_action.ACTION.rule("note.text", "", parameters)
    if part or cls != "attachment" or not isinstance(texts, Texts):
        return REMOVE

    def shaped(data: bytes | None, seeds: Seeds) -> Shaped | None:
        made = _shaped(data, seeds, texts)
        if made is None and below == "hold":
            raise DeidentificationError("attachment", "a text", reason=Reason.DEID_ATTACHMENT_HELD)
        return made

    return Attachments(shaped)


def _shaped(data: bytes | None, seeds: Seeds, texts: Texts) -> Shaped | None:
    text = read(data) if data is not None and len(data) <= BYTES_MAX else None
    kind = None if text is None else kind_of(text)
    if text is None or kind is None:
        return None
    media, clean = kind
    made = clean(text, texts, seeds)
    return Shaped(made.encode("utf-8", "replace"), media) if made else None


ACTION = Action(_rule, parameters=frozenset(("below", "recall", "language")), keyed=True)
