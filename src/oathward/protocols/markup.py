"""Text with marks of a format (XHTML, HTML, XML): its words are cleaned, and it is written anew.

Rules:
- The words of one document are one text: a name of which a part is bold is one name. Elements that begin a line part words.
- What is written is made here: elements from a list, attributes that lay out, words escaped. What runs, loads, hides, refers
  or comments is left out; an image goes.
- XML of an unknown kind keeps its elements; of attributes and short texts, numbers nobody found go. What stands in an element
  that names somebody in CDA, in FHIR, or by a plain word (``PERSONAL``) goes.
- What cannot be read as its format gives nothing; so do a document type and entities of its own.

Deliberately absent: what is done to the words (``shaping.Texts``), and what may stand in a narrative (``fhir.narrative``).

Source: FHIR R4 §2.4.0 (narrative); XML 1.0.
"""

from __future__ import annotations

import re
from html import escape
from html.parser import HTMLParser
from typing import Any
from xml.parsers import expat

from oathward.protocols.shaping import Texts, Transform

DEPTH_MAX = 200
_BREAK = "\n\n"

_INLINE_NAMES = (
    "a abbr acronym b big cite code dfn em font i q s samp small span strike strong sub sup tt u var"
)
_BLOCK_NAMES = """
address article blockquote body br caption center col colgroup dd del div dl dt figcaption figure footer h1 h2 h3 h4 h5 h6
head header hr html ins li main ol p pre section table tbody td tfoot th thead title tr ul
"""
INLINE = frozenset(_INLINE_NAMES.split())
BLOCKS = frozenset(_BLOCK_NAMES.split())
VOID = frozenset(("br", "hr", "col"))
_SILENT_NAMES = (
    "script style iframe object embed applet svg math template noscript audio video canvas select textarea"
)
SILENT = frozenset(_SILENT_NAMES.split())
"""Elements whose content is no text that is shown."""

_LAYOUT_NAMES = """
align valign char width height span colspan rowspan border cellpadding cellspacing frame rules dir lang xml:lang xml:space
compact nowrap scope clear
"""
LAYOUT = frozenset(_LAYOUT_NAMES.split())
_LAYOUT_VALUE = re.compile(r"[A-Za-z0-9%.*\-]{1,12}").fullmatch
WORDED = frozenset(("title", "alt", "summary", "abbr"))
"""Attributes that are text."""

_PERSONAL_NAMES = """
address addr addressline birthdate birthtime birthdatetime censustract city county deathdate deceasedtime delimiter dob email
extension familyname family fax firstname fullname givenname given housenumber id identifier lastname line middlename mrn name
patientid patientname phone postalcode postbox prefix setid ssn streetaddress streetaddressline streetname suffix surname telecom
telephone zip zipcode
"""
PERSONAL = frozenset(_PERSONAL_NAMES.split())
"""Elements of XML of whose words and attributes nothing stays."""

_SPACES = re.compile(r"[ \t\r\n\f]+")
_NUMBER = re.compile(r"\S*[0-9]{5}\S*").fullmatch
_NAMESPACE = re.compile(r"(?:https?:|urn:)[A-Za-z0-9:/._#\-]{1,120}").fullmatch
_XML_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,63}(?::[A-Za-z_][A-Za-z0-9_.\-]{0,63})?").fullmatch


class _UnreadableError(Exception):
    """It is not of its format, or of a kind that is not read."""


class _Document:
    """What is written: marks, and places of words."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._out: list[tuple[str, int, bool]] = []

    def mark(self, text: str) -> None:
        """Write a mark."""
        self._out.append((text, -1, False))

    def words(self, text: str, *, quoted: bool = False) -> None:
        """Write words; ``quoted``: as the value of an attribute."""
        self._out.append(("", len(self.pieces), quoted))
        self.pieces.append(text)

    def part(self, *, line: bool = False) -> None:
        """Part what stands before from what follows; ``line``: by the end of a line only."""
        self.pieces.append("\n" if line else _BREAK)

    def written(self, texts: Texts, context: Any, *, numbers: bool) -> str | None:
        """Clean the words and write the document; None where nothing of it may leave.

        Args:
            numbers: whether a long number that stands alone may stay.
        """
        made = texts.pieces(self.pieces, context)
        if made is None:
            return None
        out = []
        for text, place, quoted in self._out:
            if place < 0:
                out.append(text)
                continue
            words = made[place]
            lost = not numbers and words == self.pieces[place] and _NUMBER(words.strip())
            out.append("" if lost else escape(words, quote=quoted))
        return "".join(out)


def xhtml(text: str, texts: Texts, context: Any) -> str | None:
    """Clean one ``div`` of XHTML, as a narrative holds it."""
    document = _Document()
    reader = _Html(document, root=' xmlns="http://www.w3.org/1999/xhtml"')
    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler = lambda name, attributes: reader.start(name, dict(attributes))
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    parser.StartDoctypeDeclHandler = _refuse
    parser.buffer_text = True
    try:
        parser.Parse(text.encode(), True)
    except (expat.ExpatError, _UnreadableError, UnicodeEncodeError):
        return None
    return document.written(texts, context, numbers=True)


def narrative(texts: Texts) -> Transform:
    """Make the transform of a narrative that cleans its words."""

    def cleaned(value: str, context: Any) -> str:
        return xhtml(value, texts, context) or ""

    return cleaned


def html(text: str, texts: Texts, context: Any) -> str | None:
    """Clean HTML, however it is written."""
    document = _Document()
    reader = _Html(document)
    parser = _Parser(reader)
    try:
        parser.feed(text)
        parser.close()
    except (_UnreadableError, ValueError):  # a reference of thousands of digits is a ValueError
        return None
    reader.close()
    return document.written(texts, context, numbers=True)


class _Html:
    """Writes elements of HTML as they come, and closes what is open."""

    def __init__(self, document: _Document, root: str = "") -> None:
        self._document, self._root = document, root
        self._open: list[str] = []
        self._silent = 0
        self._kept = 0

    def start(self, name: str, attributes: dict[str, str | None]) -> None:
        if name in SILENT:
            self._silent += 1
        if self._silent or not (name in INLINE or name in BLOCKS):
            return
        if len(self._open) >= DEPTH_MAX:
            raise _UnreadableError
        if name in BLOCKS:
            self._document.part(line=name == "br")
        self._document.mark(f"<{name}{self._root if not self._open else ''}")
        for key, value in attributes.items():
            self._attribute(key, value or "")
        self._document.mark("/>" if name in VOID else ">")
        if name not in VOID:
            self._open.append(name)
            self._kept += name == "pre"

    def _attribute(self, key: str, value: str) -> None:
        if key in LAYOUT and _LAYOUT_VALUE(value) and not _NUMBER(value):
            self._document.mark(f' {key}="{value}"')
        elif key in WORDED:
            self._document.part()
            self._document.mark(f' {key}="')
            self._document.words(value, quoted=True)
            self._document.mark('"')
            self._document.part()

    def end(self, name: str) -> None:
        if name in SILENT:
            self._silent = max(0, self._silent - 1)
        elif name in self._open and not self._silent:
            while self._close_last() != name:
                pass

    def _close_last(self) -> str:
        name = self._open.pop()
        self._kept -= name == "pre"
        self._document.mark(f"</{name}>")
        if name in BLOCKS:
            self._document.part()
        return name

    def data(self, text: str) -> None:
        if not self._silent:
            self._document.words(text if self._kept else _SPACES.sub(" ", text))

    def close(self) -> None:
        while self._open:
            self._close_last()


class _Parser(HTMLParser):
    """HTML as browsers take it; comments, declarations and instructions are nothing."""

    def __init__(self, reader: _Html) -> None:
        super().__init__(convert_charrefs=True)
        self._reader = reader

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._reader.start(tag, dict(attrs))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._reader.start(tag, dict(attrs))
        if tag not in VOID:
            self._reader.end(tag)

    def handle_endtag(self, tag: str) -> None:
        self._reader.end(tag)

    def handle_data(self, data: str) -> None:
        self._reader.data(data)


def _refuse(*_: object) -> None:
    raise _UnreadableError


# --- XML


def xml(text: str, texts: Texts, context: Any) -> str | None:
    """Clean XML of whatever kind; comments, instructions and what is no name go."""
    document = _Document()
    open_elements: list[bool] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        personal = name.rpartition(":")[2].lower() in PERSONAL
        open_elements.append(personal)
        if len(open_elements) > DEPTH_MAX or not _XML_NAME(name):
            raise _UnreadableError
        document.part()
        document.mark(f"<{name}")
        for key, value in attributes.items():
            if key == "xmlns" or key.startswith("xmlns:"):
                document.mark(f' {key}="{value}"' if _NAMESPACE(value) and _XML_NAME(key) else "")
            elif _XML_NAME(key) and not personal and key.lower() not in PERSONAL:
                document.mark(f' {key}="')
                document.words(value, quoted=True)
                document.mark('"')
                document.part()
        document.mark(">")

    def end(name: str) -> None:
        open_elements.pop()
        document.mark(f"</{name}>")
        document.part()

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = lambda words: None if open_elements[-1] else document.words(words)
    parser.StartDoctypeDeclHandler = _refuse
    parser.buffer_text = True
    try:
        # What it was encoded in is known: its declaration is not asked again.
        parser.Parse(re.sub(r"\A\s*<\?xml[^>]*\?>", "", text).encode(), True)
    except (expat.ExpatError, _UnreadableError, UnicodeEncodeError):
        return None
    made = document.written(texts, context, numbers=False)
    return None if made is None else '<?xml version="1.0" encoding="UTF-8"?>\n' + made
