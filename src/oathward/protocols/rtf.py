r"""Rich text: the text that a document shows is cleaned, and written as a document without its formatting.

Rules:
- What is no text of the document (fonts, styles, its author, pictures, other files, fields' instructions, notes) is left out,
  and so is every group that a reader may skip.
- What cannot be read as rich text, or holds bytes of its own (``\bin``), gives nothing.

Deliberately absent: what is done to the words (``shaping.Texts``).

Source: Rich Text Format 1.9.1.
"""

from __future__ import annotations

import re
from typing import Any

from oathward.protocols.shaping import Texts

DEPTH_MAX = 200


class _BrokenError(Exception):
    """It is no rich text, or of a kind that is not read."""


_CONTROL = re.compile(
    r"\\(?:([a-zA-Z]{1,32})(-?[0-9]{1,10})? ?|'([0-9a-fA-F]{2})|(.))|([{}])|[\r\n]+|([^\\{}\r\n]+)", re.DOTALL
)
_HIDDEN_NAMES = """
fonttbl colortbl stylesheet info pict object header footer headerl headerr headerf footerl footerr footerf listtable
listoverridetable rsidtbl generator filetbl revtbl themedata datastore xmlnstbl bkmkstart bkmkend fldinst annotation atnid
atnauthor comment author operator
"""
_HIDDEN = frozenset(_HIDDEN_NAMES.split())
"""Groups whose content is no text of the document."""

_SIGNS = {"par": "\n", "line": "\n", "sect": "\n", "page": "\n", "row": "\n", "cell": "\t", "tab": "\t"}
_SIGNS |= {"emdash": "—", "endash": "-", "lquote": "'", "rquote": "'", "ldblquote": '"', "rdblquote": '"'}
_SIGNS |= {"bullet": "•", "emspace": " ", "enspace": " "}
_LITERAL = {"\\": "\\", "{": "{", "}": "}", "~": "\xa0", "_": "-", "-": ""}


def cleaned(text: str, texts: Texts, context: Any) -> str | None:
    """Clean the text of RTF; its formatting goes, its lines stay."""
    words = _rtf_words(text)
    made = None if words is None else texts.pieces([words], context)
    if made is None:
        return None
    out = []
    for sign in made[0]:
        if sign == "\n":
            out.append("\\par\n")
        elif sign in "\\{}":
            out.append("\\" + sign)
        elif sign.isascii():
            out.append(sign)
        else:
            units = sign.encode("utf-16-le", "replace")
            out += [
                f"\\u{int.from_bytes(units[i : i + 2], 'little', signed=True)}?"
                for i in range(0, len(units), 2)
            ]
    return "{\\rtf1\\ansi\\deff0{\\fonttbl{\\f0 Times;}}\n" + "".join(out) + "}"


class _Rtf:
    """Where one is in an RTF: which groups are open, whether they are shown, what follows a character by number."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self.hidden = False
        self._groups: list[tuple[bool, int]] = []
        self._skipped, self._skip = 1, 0
        self._units: list[int] = []

    def open(self) -> None:
        if len(self._groups) >= DEPTH_MAX:
            raise _BrokenError
        self._groups.append((self.hidden, self._skipped))
        self._skip = 0

    def close(self) -> None:
        if not self._groups:
            raise _BrokenError
        self.hidden, self._skipped = self._groups.pop()
        self._skip = 0

    def word(self, name: str, number: int) -> None:
        if name == "bin":
            raise _BrokenError  # bytes that no parser of text may read
        if name in _HIDDEN:
            self.hidden = True
        elif name == "uc":
            self._skipped = max(0, min(number, 8))
        elif name == "u":
            self._flush_unless(number)
            self._skip = self._skipped
        elif name in _SIGNS:
            self.put(_SIGNS[name])

    def _flush_unless(self, number: int) -> None:
        if not self.hidden:
            unit = number & 0xFFFF
            self._units.append(unit)
            if not 0xD800 <= unit < 0xDC00:
                self.flush()

    def flush(self) -> None:
        """Write characters by number; halves of one belong together."""
        if self._units:
            raw = b"".join(unit.to_bytes(2, "little") for unit in self._units)
            self.out.append(raw.decode("utf-16-le", "replace"))
            self._units.clear()

    def put(self, text: str) -> None:
        self.flush()
        taken = min(self._skip, len(text))
        self._skip -= taken
        if not self.hidden:
            self.out.append(text[taken:])


def _rtf_words(text: str) -> str | None:
    """Give the text that an RTF shows; None for what is none."""
    if not text.lstrip().startswith("{\\rtf"):
        return None
    at = _Rtf()
    try:
        for match in _CONTROL.finditer(text):
            name, number, code, sign, bracket, words = match.groups()
            if bracket:
                at.open() if bracket == "{" else at.close()
            elif name:
                at.word(name, int(number or 1))
            elif code:
                at.put(bytes.fromhex(code).decode("cp1252", "replace"))
            elif sign == "*":
                at.hidden = True
            elif sign:
                at.put(_LITERAL.get(sign, "\n" if sign in "\r\n" else ""))
            elif words:
                at.put(words)
    except _BrokenError:
        return None
    at.flush()
    return "".join(at.out)
