"""What of some values stands in a file that was written: in plain form, in every form a date has, behind every coding.

Rules:
- A file is all of its texts: JSON strings, HL7 components without escapes, DICOM elements, private and nested ones too, its raw bytes;
  of each what lies in it in base64, percent signs, entities and tags.
- Names are looked for word by word, everything else whole: as it was written, and squeezed to letters and digits over neighbouring words.
- It shares no code with Oathward's own search of the output, nor with what it searches.

Deliberately absent: judging. What may stay under a profile the caller says.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import date
from pathlib import Path
from urllib.parse import unquote

from tests.identities import values_in

NAME_MIN, NUMBER_MIN, LONG = 3, 5, 8
RUN = 8
DEPTH = 3
_CODED = re.compile(r"[A-Za-z0-9+/\s]{24,}={0,2}")
_WORD = re.compile(r"[^\W_]+")
_MARK = re.compile(r"\[[a-z -]{2,20}\]")
"""What stands in the place of something that was found in a text."""

_ESCAPE = re.compile(r"\\([FSTRE]|X[0-9A-Fa-f]+|\.br|H|N)\\")
_ESCAPED = {"F": "|", "S": "^", "T": "&", "R": "~", "E": "\\"}
_PIXELS = 0x7FE00010


class Searched:
    """A file that was written, ready to be searched."""

    def __init__(self, path: Path) -> None:
        texts: set[str] = set()
        for text in texts_of(path):
            _add(text, texts, 0)
        self.whole = "\n".join(texts)
        self.words: set[str] = set()
        self.runs: set[str] = set()
        for text in texts:
            found = _WORD.findall(re.sub(r"(?<=\d)t(?=\d)", " ", text))
            self.words.update(found)
            for word in found:  # a time stamp begins with its date
                if len(word) >= LONG and word[:8].isdigit():
                    self.runs.add(word[:8])
            for n in range(len(found)):
                run = ""
                for word in found[n : n + RUN]:
                    run += word
                    if len(run) > 64:
                        break
                    self.runs.add(run)

    def has(self, cls: str, value: str) -> bool:
        """Say whether a value of a class stands there."""
        if cls.endswith("date"):
            return any(form in self.runs for form in dates(value))
        plain = _plain(value).strip()
        squeezed = "".join(_WORD.findall(plain))
        if len(squeezed) < NUMBER_MIN or len(set(squeezed)) == 1:
            return False
        return squeezed in self.runs or (len(plain) >= LONG and plain in self.whole)

    def names(self, values: Iterable[str], exempt: AbstractSet[str]) -> set[str]:
        """Give the words of names that stand there."""
        parts = {word for value in values for word in _WORD.findall(_plain(value))}
        return {word for word in parts if len(word) >= NAME_MIN and not word.isdigit()} & self.words - exempt


def survivors(found: Mapping[str, AbstractSet[str]], exempt: AbstractSet[str], out: Searched) -> Counter[str]:
    """Count by class what of a file's identities stands in what was written of it."""
    left: Counter[str] = Counter()
    for cls, values in found.items():
        many = (
            len(out.names(values, exempt))
            if cls.endswith(".name")
            else sum(out.has(cls, one) for one in values)
        )
        if many:
            left[cls] = many
    return left


def dates(value: str) -> set[str]:
    """Give the forms of a day, squeezed: year first, day first, month first, with the month in words."""
    digits = "".join(_WORD.findall(value))[:8]
    try:
        day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return set()
    year, month, one = f"{day.year}", f"{day.month:02}", f"{day.day:02}"
    made = {year + month + one, one + month + year, month + one + year}
    for name in (f"{day:%B}".lower(), f"{day:%b}".lower()):
        for number in (one, str(day.day)):
            made |= {name + number + year, number + name + year}
    return made


def texts_of(path: Path) -> Iterator[str]:
    """Give the texts of a file."""
    data = path.read_bytes()
    if path.suffix in (".json", ".ndjson"):
        for line in [data] if path.suffix == ".json" else data.splitlines():
            try:
                yield from (text for _key, text in values_in(json.loads(line)))
            except json.JSONDecodeError:  # lines of resources under one suffix
                yield from (text for each in line.splitlines() for _key, text in values_in(json.loads(each)))
        return
    if path.suffix == ".dcm":
        yield from _elements(path)
        return
    text = data.decode("utf-8", "replace")
    yield from re.split(r"[|^~&\r\n]", text)
    yield _ESCAPE.sub(lambda found: _unescaped(found[1]), text)
    yield from text.splitlines()


def _unescaped(mark: str) -> str:
    if mark[0] == "X" and len(mark) % 2:
        return bytes.fromhex(mark[1:]).decode("latin-1")
    return _ESCAPED.get(mark, " ")


def _elements(path: Path) -> Iterator[str]:
    from pydicom import dcmread

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = dcmread(path, force=True)
        bounds = len(path.read_bytes())
        for one in (*dataset.file_meta, *dataset.iterall()):
            if one.tag == _PIXELS:
                bounds = min(bounds, (one.file_tell or bounds) if hasattr(one, "file_tell") else bounds)
                continue
            if isinstance(one.value, bytes):
                for charset in ("latin-1", "utf-8", "utf-16-le"):
                    yield one.value[:65_536].decode(charset, "replace")
            elif one.VR != "SQ" and one.value is not None:
                yield from map(str, one.value if one.VM > 1 else [one.value])
        yield path.read_bytes()[: min(bounds, 65_536)].decode("latin-1")


def _add(text: str, texts: set[str], depth: int) -> None:
    text = _MARK.sub(" ", text)
    plain = _plain(text)
    if not plain or plain in texts:
        return
    texts.add(plain)
    if "<" in text or "&" in text or "%" in text:
        bare = html.unescape(unquote(text))
        texts |= {_plain(re.sub(r"<[^>]*>", "", bare)), _plain(re.sub(r"<[^>]*>", " ", bare))}
    if depth < DEPTH:
        for run in _CODED.finditer(text):
            bare = re.sub(r"\s", "", run[0])
            try:
                inner = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
            except (binascii.Error, ValueError):
                continue
            for charset in ("utf-8", "utf-16"):
                _add(inner.decode(charset, "replace"), texts, depth + 1)


def _plain(text: str) -> str:
    """Write a text without case and accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
