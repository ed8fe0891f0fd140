"""What a narrative may hold: formatted text, and nothing that runs, loads or hides.

Rules:
- One ``div`` of XHTML with something to read or an image in it.
- Only the elements and attributes that FHIR names; links go to the web, to mail, into the text or the resource;
  an image comes from within (``#…``, ``data:``): a page that shows it asks nobody.
- No document type, no entity of its own, no processing instruction: nothing can grow when it is read.

Deliberately absent: cleaning. A narrative is taken whole or refused whole.

Source: FHIR R4 §2.4.0 (narrative), invariants txt-1 and txt-2.
"""

from __future__ import annotations

from typing import Any
from xml.parsers import expat

XHTML = "http://www.w3.org/1999/xhtml"
DEPTH_MAX = 100

_ELEMENT_NAMES = """
a abbr acronym b big blockquote br caption cite code col colgroup dd dfn div dl dt em h1 h2 h3 h4 h5 h6 hr i img li
ol p pre q samp small span strong sub sup table tbody td tfoot th thead tr tt ul var
"""
_ATTRIBUTE_NAMES = """
title style class id lang xml:lang xml:space dir accesskey tabindex span width align valign char charoff abbr axis
headers scope rowspan colspan summary border frame rules cellpadding cellspacing cite start type value name href rel
rev charset hreflang shape coords alt longdesc height src nowrap compact clear xmlns
"""
_ELEMENTS, _ATTRIBUTES = frozenset(_ELEMENT_NAMES.split()), frozenset(_ATTRIBUTE_NAMES.split())
_SCHEMES = ("http:", "https:", "mailto:", "tel:", "#")
_IMAGES = ("#", "data:image/")
_STYLE_FORBIDDEN = ("url(", "expression(", "@import", "javascript:", "\\")


class _UnsafeError(Exception):
    """Something stands in a narrative that may not."""


def is_narrative(text: Any) -> bool:
    """Say whether a text is a narrative as FHIR allows it."""
    if text.__class__ is not str or not text.startswith("<div") or "<!" in text.replace("<!--", ""):
        return False
    reader = _Reader()
    try:
        reader.read(text)
    except (expat.ExpatError, _UnsafeError):
        return False
    return reader.told


class _Reader:
    """Looks at one narrative, element by element; ``told``: it says or shows something."""

    def __init__(self) -> None:
        self.told = False
        self._depth = 0

    def read(self, text: str) -> None:
        parser = expat.ParserCreate("utf-8")
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = parser.ProcessingInstructionHandler = _refuse
        parser.Parse(text.encode(), True)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        root = self._depth == 1
        if name not in _ELEMENTS or self._depth > DEPTH_MAX or root != (name == "div" and root):
            raise _UnsafeError
        if root and attributes.get("xmlns") != XHTML:
            raise _UnsafeError
        if name == "img":
            self.told = True
        for key, value in attributes.items():
            _look_at(name, key, value)

    def _end(self, _: str) -> None:
        self._depth -= 1

    def _characters(self, text: str) -> None:
        if not self.told and not text.isspace():
            self.told = True


def _refuse(*_: object) -> None:
    raise _UnsafeError


def _look_at(element: str, key: str, value: str) -> None:
    if key not in _ATTRIBUTES or (key == "xmlns" and value != XHTML):
        raise _UnsafeError
    plain = value.strip().lower()
    if key in ("href", "cite", "longdesc") and ":" in plain and not plain.startswith(_SCHEMES):
        raise _UnsafeError
    if key == "src" and (element != "img" or not plain.startswith(_IMAGES)):
        raise _UnsafeError
    if key == "style" and any(word in plain for word in _STYLE_FORBIDDEN):
        raise _UnsafeError
