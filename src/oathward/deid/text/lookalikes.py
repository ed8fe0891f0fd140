"""Letters of other alphabets that look like Latin ones, and Latin ones under other numbers: ``latin``, ``letter``.

Rules:
- ``latin`` puts the Latin letter in the place of each Cyrillic, Greek and Armenian one, and of small capitals; one for one.
- ``letter`` gives what one character is where it is written otherwise (full width, bold, in a circle, of another script's figures):
  Unicode's compatibility forms, where they are ASCII. ``º`` and ``ª`` are words of their own in Spanish; units in one
  character (``㎎``), fractions and signs (``™``) stay.
- Dashes are one hyphen.

Deliberately absent: figures for letters (``Mart1nez``): that is one letter wrong (``known_names``).

Source: Unicode Technical Standard 39, confusables; Annex 15, compatibility decomposition.
"""

from __future__ import annotations

from functools import lru_cache
from unicodedata import category, decimal, decomposition, normalize

_CODES = {
    # Cyrillic
    0x0410: "A", 0x0412: "B", 0x0421: "C", 0x0415: "E", 0x041D: "H", 0x0406: "I", 0x0407: "I", 0x0408: "J",
    0x041A: "K", 0x041C: "M", 0x041E: "O", 0x0420: "P", 0x0405: "S", 0x0422: "T", 0x0425: "X", 0x0423: "Y",
    0x04AE: "Y", 0x0474: "V", 0x050C: "G", 0x051A: "Q", 0x051C: "W", 0x04C0: "I", 0x0430: "a", 0x0432: "b",
    0x0441: "c", 0x0501: "d", 0x0435: "e", 0x04BB: "h", 0x043D: "h", 0x0456: "i", 0x0457: "i", 0x0458: "j",
    0x043A: "k", 0x043C: "m", 0x043E: "o", 0x0440: "p", 0x051B: "q", 0x0455: "s", 0x0442: "t", 0x0445: "x",
    0x0443: "y", 0x04AF: "y", 0x0475: "v", 0x051D: "w", 0x04CF: "l", 0x044C: "b",
    # Greek
    0x0391: "A", 0x0392: "B", 0x0395: "E", 0x0396: "Z", 0x0397: "H", 0x0399: "I", 0x039A: "K", 0x039C: "M",
    0x039D: "N", 0x039F: "O", 0x03A1: "P", 0x03A4: "T", 0x03A5: "Y", 0x03A7: "X", 0x03F9: "C", 0x03B1: "a",
    0x03B5: "e", 0x03B7: "n", 0x03B9: "i", 0x03BA: "k", 0x03BD: "v", 0x03BF: "o", 0x03C1: "p", 0x03C4: "t",
    0x03C5: "u", 0x03C7: "x", 0x03B3: "y", 0x03F2: "c", 0x03F3: "j",
    # Armenian
    0x053C: "L", 0x0555: "O", 0x054D: "U", 0x054F: "S", 0x0585: "o", 0x057D: "u", 0x0578: "n", 0x0570: "h",
    0x0581: "g",
    # small capitals and letters of phonetics
    0x1D00: "A", 0x0299: "B", 0x1D04: "C", 0x1D05: "D", 0x1D07: "E", 0xA730: "F", 0x0262: "G", 0x029C: "H",
    0x026A: "I", 0x1D0A: "J", 0x1D0B: "K", 0x029F: "L", 0x1D0D: "M", 0x0274: "N", 0x1D0F: "O", 0x1D18: "P",
    0x0280: "R", 0xA731: "S", 0x1D1B: "T", 0x1D1C: "U", 0x1D20: "V", 0x1D21: "W", 0x028F: "Y", 0x1D22: "Z",
    0x0251: "a", 0x0261: "g", 0x0269: "i",
}  # fmt: skip
"""By number: nobody could tell them apart by their looks."""
_DASHES = frozenset("\u2010\u2011\u2012\u2013\u2212\ufe58\ufe63\uff0d")
"""Those that stand between figures; a long dash parts sentences."""

_OWN = frozenset("ªº")
_SIGNS = ("<square>", "<fraction>", "<noBreak>")


def latin(text: str) -> str:
    """Give the text with a Latin letter for each that looks like one; as long as it was."""
    return text if text.isascii() else text.translate(_CODES)


def looks_latin(letter: str) -> bool:
    """Whether a letter of another alphabet looks like a Latin one."""
    return ord(letter) in _CODES


@lru_cache(maxsize=4096)
def letter(one: str) -> str:
    """Give what a character is that is written otherwise; itself where it is not."""
    if one in _DASHES:
        return "-"
    kind = category(one)
    if kind == "Nd":
        return str(decimal(one))
    form = decomposition(one)
    if one in _OWN or not form.startswith("<") or form.startswith(_SIGNS):
        return one
    made = normalize("NFKC", one)
    whole = made.isalnum() and kind != "So"
    return made if made.isascii() and made.strip() and (whole or len(made) == 1) else one
